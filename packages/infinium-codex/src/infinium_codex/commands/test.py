"""`infinium-codex test`: send one test trace and show the server's answer."""

import time

from infinium_config import LOCAL, SecretFound, Settings, load
from infinium_transport import Accepted, Envelope

from infinium_codex.background.deliveries import deliver_and_schedule
from infinium_codex.background.schedule import Schedule
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.delivery.secrets import find_secret
from infinium_codex.delivery.send import make_client
from infinium_codex.delivery.stores import open_ledger, open_local, open_outbox
from infinium_codex.doctor.test_trace import explain_failure, make_test_trace
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


def test(*, ctx: Context, json: AsJson = False) -> Result:
    """Send one trace to the project's address with the secret the worker would use, without the outbox.

    Nothing is stored, except for a project whose traces stay on this machine: there the test trace is one of them. If
    the server accepts it, traces of this agent that were parked are sent too.
    """
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    envelope = make_test_trace(settings, ctx.cwd, now=time.time())
    if envelope.base_url == LOCAL:
        return _store(envelope, ctx)
    secret = find_secret(ctx.places, settings)
    if not isinstance(secret, SecretFound):
        raise CommandError(f"Nothing was sent: {secret.reason}.", secret.hint)
    ctx.progress(f"Sending a test trace to {envelope.base_url} …")
    started = time.monotonic()
    with make_client(settings) as client:
        outcome = client.send(envelope, secret.secret.reveal())
    if not isinstance(outcome, Accepted):
        what, hint = explain_failure(outcome, envelope)
        return Result.failure(what, hint, data={"base_url": envelope.base_url, "status": outcome.status})
    _send_parked(envelope, settings, ctx)
    took_ms = round((time.monotonic() - started) * 1000)
    lines = (
        f"Sent       {outcome.trace_id or envelope.key}",
        f"           accepted by {envelope.base_url} for agent {envelope.agent_id} in {took_ms} ms",
    )
    data = {"key": envelope.key, "trace_id": outcome.trace_id, "base_url": envelope.base_url, "ms": took_ms}
    return Result.success(lines, data)


def _send_parked(envelope: Envelope, settings: Settings, ctx: CommandContext) -> None:
    """The server accepted the secret: send the traces that it refused before."""
    outbox, schedule = open_outbox(ctx.places), Schedule(str(ctx.places.schedule))
    if outbox.parked_at(envelope.agent_id, envelope.base_url) is not None:
        outbox.unpark(envelope.agent_id, base_url=envelope.base_url)
        deliver_and_schedule(ctx.places, ctx.environ, settings, schedule)


def _store(envelope: Envelope, ctx: CommandContext) -> Result:
    stored, ledger = open_local(ctx.places).store(envelope), open_ledger(ctx.places)
    ledger.record_sent(envelope, stored.trace_id, when=envelope.created)
    ledger.sync()
    line = f"Stored     {envelope.key} on this machine, in {ctx.places.local}"
    return Result.success((line,), {"key": envelope.key, "trace_id": None, "base_url": LOCAL})
