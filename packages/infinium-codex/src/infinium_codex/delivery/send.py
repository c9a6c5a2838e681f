"""Sends what waits in the outbox, and leaves what cannot go now to the timer."""

import time
from collections.abc import Mapping

from infinium_config import Settings
from infinium_config.locks import try_lock
from infinium_transport import DeliveryReport, ProblemKind

from infinium_codex.background.schedule import OUTBOX, SECRET_VARIABLE, Schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.delivery.wiring import deliver_queued
from infinium_codex.support.paths import Places

BUSY_SECONDS = 60.0
"""For how long a worker waits for another shell's sender; a timer or the agent's next turn sends after that."""
_POLL_SECONDS = 0.5


def send(
    places: Places, environ: Mapping[str, str], settings: Settings, schedule: Schedule, *, timer: bool = False
) -> bool:
    """Send what is due. Where a trace rests for a while, the timer wakes the next sender; `timer` says we are that.

    Gives what `leave_to_timer` does.
    """
    report = deliver_queued(places, environ, settings)
    if report.busy and environ.get(SECRET_VARIABLE) and settings.agent_id.value:
        report = _after_the_other(report, places, environ, settings)
    return leave_to_timer(report, environ, settings, schedule, timer=timer)


def leave_to_timer(
    report: DeliveryReport, environ: Mapping[str, str], settings: Settings, schedule: Schedule, *, timer: bool = False
) -> bool:
    """Have what this delivery left behind sent when it is due; whether a timer was seen to for that.

    One started beside it, without the agent's name, could be the one that finds the trace due, and have no use for it.
    """
    if report.busy:
        return False  # the other sender takes ours too, and leaves word
    if report.next_due is None:
        # With traces that have no secret here, the scheduler may be the one that has it, and waits to send them.
        if timer or not report.count(ProblemKind.no_secret):
            schedule.remove(OUTBOX)
        return False
    schedule.add_outbox(report.next_due - time.time())
    agent = settings.agent_id.value
    if environ.get(SECRET_VARIABLE) and agent in report.delayed_agents:
        # Only this environment has the secret, and only for this agent: where nothing of the agent's rests, the timer
        # that is there may be the one that has what is needed.
        ensure_scheduler(schedule.directory, {**environ, "INFINIUM_AGENT_ID": agent}, replace=True)
    else:
        ensure_scheduler(schedule.directory, environ)
    return True


def _after_the_other(
    busy: DeliveryReport, places: Places, environ: Mapping[str, str], settings: Settings
) -> DeliveryReport:
    """Send once the sender at work is done: it may be another shell's, without the secret that only this one has.

    One worker for each agent waits; those that leave have queued their traces, and it takes them.
    """
    places.schedule.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = try_lock(places.schedule / f".waits-{settings.agent_id.value}")
    if lock is None:
        return busy
    with lock:
        give_up = time.monotonic() + BUSY_SECONDS
        while busy.busy and time.monotonic() < give_up:
            time.sleep(_POLL_SECONDS)
            busy = deliver_queued(places, environ, settings)
    return busy
