"""`infinium-codex test`: send one small trace, now, and say what came of it."""

import platform
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

from infinium_config import LOCAL, SecretFound, Settings, load
from infinium_trace import encode
from infinium_transport import Accepted, Envelope, Outcome, Rejected, Retry, Unauthorized

from infinium_codex.delivery.secrets import find_secret
from infinium_codex.delivery.send import make_client
from infinium_codex.delivery.stores import open_ledger, open_local
from infinium_codex.session.trace_builder import LOCAL_AGENT
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory
from infinium_codex.version import VERSION

NAME = "Test trace of infinium-codex"
KIND = "test"
"""What its label says, where a turn's says `turn`: that it came through proves less."""


def run(ctx: CommandContext) -> Result:
    """One request to the project's address with the secret as the worker would have it; past the outbox.

    Nothing of it is kept, unless traces are kept on this machine: then it is one of them, in `history` too.
    """
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    envelope = _envelope(settings, ctx.cwd)
    if envelope.base_url == LOCAL:
        stored, ledger = open_local(ctx.places).store(envelope), open_ledger(ctx.places)
        ledger.record_sent(envelope, stored.trace_id, when=envelope.created)
        ledger.sync()
        line = f"Stored     {envelope.key} on this machine, in {ctx.places.local}"
        return Result.success((line,), {"key": envelope.key, "trace_id": None, "base_url": LOCAL})
    found = find_secret(ctx.places, ctx.environ, settings, envelope.agent_id, envelope.base_url)
    if not isinstance(found, SecretFound):
        raise CommandError(f"Nothing was sent: {found.reason}.", found.hint)
    started = time.monotonic()
    with make_client(settings) as client:
        outcome = client.send(envelope, found.secret.reveal())
    if isinstance(outcome, Accepted):
        took = round((time.monotonic() - started) * 1000)
        where = f"{envelope.base_url} took it for agent {envelope.agent_id} in {took} ms"
        data = {"key": envelope.key, "trace_id": outcome.trace_id, "base_url": envelope.base_url, "ms": took}
        return Result.success((f"Sent       {outcome.trace_id or envelope.key}", f"           {where}"), data)
    what, hint = _failure(outcome, envelope)
    return Result.failure(what, hint, data={"base_url": envelope.base_url, "status": outcome.status})


def _envelope(settings: Settings, cwd: Path) -> Envelope:
    base_url = settings.base_url.value
    agent_id = settings.agent_id.value or (LOCAL_AGENT if base_url == LOCAL else None)
    if agent_id is None:
        raise CommandError(
            "No agent id is set here: whose trace would this be?",
            "Run 'infinium-codex init', or set INFINIUM_AGENT_ID.",
        )
    now = time.time()
    body: dict[str, object] = {
        "name": NAME,
        "description": "Sent by 'infinium-codex test' to see that traces arrive. No work of Codex is in it.",
        "current_datetime": datetime.fromtimestamp(now, UTC).isoformat(),
        "duration": 0,
        "environment": {
            "framework": "codex",
            "runtime": f"{platform.python_implementation()} {platform.python_version()}",
            "custom_tags": {"test": "true", "connector_version": VERSION},
        },
    }
    key = str(uuid.uuid4())  # every test is a trace of its own
    labels = {"kind": KIND, "project": (settings.project.root if settings.project else cwd).name}
    return Envelope(
        key=key, agent_id=agent_id, base_url=base_url, body=encode(body), created=now, name=NAME, labels=labels
    )


def _failure(outcome: Outcome, envelope: Envelope) -> tuple[str, str]:
    """What failed, and what to do."""
    url, agent = envelope.base_url, envelope.agent_id
    match outcome:
        case Unauthorized(status=status, message=words):
            return (
                f"{url} refused the credentials of agent {agent} (HTTP {status}{_said(words)}).",
                "Check the agent's secret at Infinium, then run 'infinium-codex update-credentials'.",
            )
        case Rejected(status=404, message=words):
            return (
                f"{url} knows no agent {agent} (HTTP 404{_said(words)}).",
                "Check the agent id and the address: 'infinium-codex status' shows where each comes from.",
            )
        case Rejected(status=None, message=words):
            return f"Nothing was sent: {words}.", "'infinium-codex status' shows where the address comes from."
        case Rejected(status=status, message=words) if status is not None and 300 <= status < 400:
            return (
                f"{url} answered with a redirect (HTTP {status}), which is not followed: it could steal the secret.",
                "Set the address it leads to: infinium-codex init --base-url ADDRESS",
            )
        case Rejected(status=status, message=words):
            return (
                f"{url} would not have the test trace (HTTP {status}{_said(words)}).",
                "Check that the address is the API's own, with its version: 'infinium-codex status' shows it.",
            )
        case Retry(status=None, reason=reason):
            return (
                f"{url} could not be reached: {reason}.",
                "Check the address, the network and any proxy (HTTPS_PROXY). Traces wait in the outbox meanwhile.",
            )
        case Retry(reason=reason):
            return f"{url} cannot take traces now: {reason}.", "Try again later; traces wait in the outbox meanwhile."
        case Accepted():
            raise AssertionError("an accepted trace is no failure")


def _said(words: str) -> str:
    return f": {words.rstrip('.')}" if words else ""
