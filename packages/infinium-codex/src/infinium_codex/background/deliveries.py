"""Delivers the outbox, and schedules the next delivery of what stays queued."""

import time
from collections.abc import Mapping

from infinium_config import Settings
from infinium_transport import DeliveryReport, ProblemKind

from infinium_codex.background.schedule import OUTBOX, Schedule
from infinium_codex.background.wake_up import ensure_scheduler, wake
from infinium_codex.delivery.send import deliver_after_others, deliver_queued, deliver_until_sent
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.otlp.variables import is_configured
from infinium_codex.support.held_secrets import agent_variable
from infinium_codex.support.paths import Places

WAIT_SECONDS = 10.0
"""How long a worker that the hook waits for waits for other processes; the hook waits less."""
LEASE_SECONDS = 60.0
"""After this time the scheduler sends what a process did not send that was killed or is stuck."""


def deliver_and_schedule(
    places: Places, environ: Mapping[str, str], settings: Settings, schedule: Schedule, *, wait: bool = False
) -> None:
    """Send what is due and schedule the rest. With `wait`, also wait for other processes and for delayed traces."""
    if not any(open_outbox(places).pending()):
        return
    is_new = schedule.add_outbox(LEASE_SECONDS, keep_earlier=True)  # this process may be killed
    _ensure_scheduler(schedule, environ, settings)
    if wait:
        report = deliver_until_sent(places, settings, time.monotonic() + WAIT_SECONDS, environ)
    else:
        report = deliver_after_others(places, environ, settings)
    schedule_next_delivery(report, places, environ, settings, schedule, keep_entry=not is_new)


def schedule_delivery(places: Places, environ: Mapping[str, str], settings: Settings, schedule: Schedule) -> None:
    """Have the scheduler send what is queued at once."""
    if any(open_outbox(places).pending()):
        schedule.add_outbox(0.0)
        _ensure_scheduler(schedule, environ, settings)


def deliver_scheduled(places: Places, environ: Mapping[str, str], settings: Settings, schedule: Schedule) -> None:
    """Send what is due with the secrets that the scheduler holds, and schedule the rest."""
    report = deliver_queued(places, settings, environ)
    schedule_next_delivery(report, places, environ, settings, schedule, is_scheduler=True)


def schedule_next_delivery(
    report: DeliveryReport,
    places: Places,
    environ: Mapping[str, str],
    settings: Settings,
    schedule: Schedule,
    *,
    keep_entry: bool = False,
    is_scheduler: bool = False,
) -> None:
    """Schedule the next delivery of what stays queued, and see that a scheduler runs that has the secret for it.

    `keep_entry` leaves an entry in place that is there for traces of which this process has no secret. `is_scheduler`
    says that the caller is the scheduler's own delivery, which has every secret that there is.
    """
    now = time.time()
    due = [report.next_due] if report.next_due is not None else []
    due += [now + LEASE_SECONDS] if report.busy else []
    lacks_secret = report.count(ProblemKind.no_secret) > 0 and not is_scheduler
    if due:
        schedule.add_outbox(min(due) - now, keep_earlier=report.busy or lacks_secret)
    elif not (lacks_secret and keep_entry):
        schedule.remove(OUTBOX)
        # Traces that were queued since are those of a process that found the entry in place and relies on it.
        if sum(1 for _ in open_outbox(places).pending()) > report.queued:
            schedule.add_outbox(LEASE_SECONDS)
            due = [now + LEASE_SECONDS]
        elif not is_scheduler:
            wake(schedule.directory)  # it ends now, rather than when the entry was due
    if due and not is_scheduler:
        _ensure_scheduler(schedule, environ, settings)


def _held_as(settings: Settings) -> str:
    """The variable in which the scheduler holds the secret of the settings' agent; empty without an agent."""
    return agent_variable(settings.agent_id.value) if settings.agent_id.value else ""


def _ensure_scheduler(schedule: Schedule, environ: Mapping[str, str], settings: Settings) -> None:
    """Wake or start the scheduler, with the secret and the connections to OTLP engines that this environment has."""
    connections: Mapping[str, str] = {}
    if is_configured(environ):
        from infinium_codex.otlp.connections import held_connections

        connections = held_connections(environ)
    for name, value in connections.items():
        wake(schedule.directory, name, value)
    ensure_scheduler(schedule.directory, {**environ, **connections} if connections else environ, _held_as(settings))
