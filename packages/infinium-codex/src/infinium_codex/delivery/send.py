"""Sends the queued traces of every agent whose secret is available."""

import os
import time
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING

from infinium_config import SECRET_VARIABLE, Settings
from infinium_config.locks import try_lock
from infinium_transport import DeliveryOptions, DeliveryReport, Entry, ProblemKind, Recipient, Sender, deliver
from infinium_transport.options import FoundSecret, NoSecret
from msgspec.structs import replace

from infinium_codex.delivery.log import entry_logger, log_parked
from infinium_codex.delivery.secrets import find_secret
from infinium_codex.delivery.stores import open_state
from infinium_codex.otlp.variables import OTLP_AGENT
from infinium_codex.support.held_secrets import agents
from infinium_codex.support.paths import Places
from infinium_codex.version import VERSION

if TYPE_CHECKING:
    from infinium_transport import Client

USER_AGENT = f"infinium-codex-connector/{VERSION}"
BUSY_SECONDS = 60.0
"""How long a worker waits for another shell's sender. After that, the scheduler or the agent's next turn sends."""
_POLL_SECONDS = 0.5
_SHORT_POLL_SECONDS = 0.1


def make_client(settings: Settings) -> "Client":
    """Make a client with these settings. It connects at the first request."""
    from infinium_transport import Client

    return Client(timeout=settings.timeout.value, verify_ssl=settings.verify_ssl.value, user_agent=USER_AGENT)


def deliver_queued(
    places: Places,
    settings: Settings,
    held: Mapping[str, str] | None = None,
    on_done: Callable[[int], object] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> DeliveryReport:
    """Send the queued traces that are due, of every agent whose secret is available.

    `held` is the scheduler's environment, with the secret of each agent (`support.held_secrets`). `environ` is that of
    another process: it configures OTLP engines. `on_done` is called with the number of traces so far that were sent,
    rejected or dropped.
    """
    owners = dict(agents(held)) if held is not None else None
    engines = environ if held is None else held

    def find(agent_id: str, base_url: str) -> str | FoundSecret | NoSecret:
        if agent_id == OTLP_AGENT:
            from infinium_codex.otlp.connections import find_connection

            return find_connection(engines, base_url)
        return find_secret(places, settings, agent_id, base_url, owners)

    report = deliver(
        open_state(places, _observer(entry_logger(places, settings), on_done)),
        find,
        USER_AGENT,
        DeliveryOptions(redact=_redact, client=_own_client, **settings.delivery_options()),
    )
    log_parked(places, settings, report)
    return report


def _redact(document: bytes, secret: str) -> bytes:
    """Remove the secret from a trace that was built while the keyring did not answer, or before it had the secret."""
    from infinium_trace import redact_json  # not at the top: many processes find nothing to send

    return redact_json(document, secret)


def _own_client(recipient: Recipient) -> Sender | None:
    """The client of an OTLP engine; None for an agent."""
    if recipient.agent_id != OTLP_AGENT:
        return None
    from infinium_codex.otlp.sender import OtlpSender

    return OtlpSender(USER_AGENT)


def _observer(
    log: Callable[[Entry], None] | None, on_done: Callable[[int], object] | None
) -> Callable[[Entry], None] | None:
    """A function that logs a ledger entry and reports the number of traces with an entry; None for neither."""
    if on_done is None:
        return log
    numbers = count(1)  # its steps are atomic: recipients are sent side by side

    def observe(entry: Entry) -> None:
        if log is not None:
            log(entry)
        if entry.key:
            on_done(next(numbers))

    return observe


def deliver_until_sent(
    places: Places,
    settings: Settings,
    deadline: float,
    environ: Mapping[str, str] = os.environ,
    *,
    patience: float = 0.0,
) -> DeliveryReport:
    """Send as `deliver_queued` does, and wait for other processes that send and for delayed traces.

    Returns when nothing is queued, or when nothing that is queued can be sent before `deadline` (`time.monotonic`).
    Traces without a secret here are waited for during `patience` seconds: another process may have the secret.
    """
    sent, poll = 0, _SHORT_POLL_SECONDS
    patient_until = min(time.monotonic() + patience, deadline)
    while True:
        report = deliver_queued(places, settings, environ=environ)
        sent += report.sent
        remaining = deadline - time.monotonic()
        lacks_secret = report.count(ProblemKind.no_secret) > 0 and time.monotonic() < patient_until
        pause = poll if report.busy or lacks_secret else _seconds_until(report.next_due)
        poll = min(poll * 1.5, 1.0)
        if not report.queued or pause > remaining:
            return replace(report, sent=sent)
        time.sleep(pause)


def _seconds_until(due: float | None) -> float:
    return float("inf") if due is None else max(due - time.time(), 0.0)


def deliver_after_others(places: Places, environ: Mapping[str, str], settings: Settings) -> DeliveryReport:
    """Send as `deliver_queued` does. When another process is sending and only this one has a secret, wait for it.

    The other process may lack the secret that is in this environment. One process for each agent waits; the others
    have queued their traces already, and it sends those too.
    """
    report = deliver_queued(places, settings, environ=environ)
    if not (report.busy and environ.get(SECRET_VARIABLE) and settings.agent_id.value):
        return report
    places.schedule.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = try_lock(places.schedule / f".waits-{settings.agent_id.value}")
    if lock is None:
        return report
    with lock:
        deadline = time.monotonic() + BUSY_SECONDS
        while report.busy and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            report = deliver_queued(places, settings, environ=environ)
    return report
