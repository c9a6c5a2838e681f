"""Delivers the outbox, and schedules the next delivery of traces that are delayed."""

import time
from collections.abc import Mapping

from infinium_config import SECRET_VARIABLE, Settings
from infinium_transport import DeliveryReport, ProblemKind

from infinium_codex.background.schedule import OUTBOX, Schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.delivery.send import deliver_after_others, deliver_until_sent
from infinium_codex.support.paths import Places

WAIT_SECONDS = 60.0
"""How long a worker that the hook waits for waits for other processes; the hook waits less."""


def deliver_and_schedule(
    places: Places,
    environ: Mapping[str, str],
    settings: Settings,
    schedule: Schedule,
    *,
    scheduler: bool = False,
    wait: bool = False,
) -> bool:
    """Send what is due and schedule the rest; returns what `schedule_next_delivery` does.

    With `wait` it also waits for other processes that send, and for delayed traces.
    """
    if wait:
        report = deliver_until_sent(places, settings, time.monotonic() + WAIT_SECONDS)
    else:
        report = deliver_after_others(places, environ, settings)
    return schedule_next_delivery(report, environ, settings, schedule, scheduler=scheduler)


def schedule_next_delivery(
    report: DeliveryReport,
    environ: Mapping[str, str],
    settings: Settings,
    schedule: Schedule,
    *,
    scheduler: bool = False,
) -> bool:
    """Schedule the delivery of delayed traces; return whether a scheduler was started or woken for that.

    When it was, the caller must not start another one: without the agent's name that one could find the trace due and
    have no secret for it. `scheduler` says that the caller is the scheduler itself.
    """
    if report.busy:
        return False  # the other process sends these traces too, and schedules the rest
    if report.next_due is None:
        # With traces that have no secret here, the scheduler may be the one that has it, and waits to send them.
        if scheduler or not report.count(ProblemKind.no_secret):
            schedule.remove(OUTBOX)
        return False
    schedule.add_outbox(report.next_due - time.time())
    agent = settings.agent_id.value
    if agent and environ.get(SECRET_VARIABLE) and agent in report.delayed_agents:
        # Only this environment has the secret, and only for this agent. When none of the agent's traces is delayed, the
        # scheduler that runs already may be the one with the needed secret, and is not replaced.
        ensure_scheduler(schedule.directory, {**environ, "INFINIUM_AGENT_ID": agent}, replace=True)
    else:
        ensure_scheduler(schedule.directory, environ)
    return True
