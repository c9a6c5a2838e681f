"""Sends what waits in the outbox, and leaves what cannot go now to the timer."""

import time
from collections.abc import Mapping

from infinium_config import Settings
from infinium_transport import DeliveryReport

from infinium_codex.agenda import OUTBOX, SECRET_VARIABLE, Agenda
from infinium_codex.paths import Places
from infinium_codex.wiring import deliver_queued


def send(places: Places, environ: Mapping[str, str], settings: Settings, agenda: Agenda) -> DeliveryReport:
    """Send what is due. Where a trace rests for a while, the timer wakes the next sender."""
    report = deliver_queued(places, environ, settings)
    if report.busy:
        return report  # the other sender takes ours too, and leaves word
    if report.next_due is None:
        agenda.forget(OUTBOX)
        return report
    agenda.send_after(report.next_due - time.time())
    agent = settings.agent_id.value
    if environ.get(SECRET_VARIABLE) and agent:
        # Only this environment has the secret, and only for this agent.
        agenda.start_timer({**environ, "INFINIUM_AGENT_ID": agent}, replace=True)
    else:
        agenda.start_timer(environ)
    return report
