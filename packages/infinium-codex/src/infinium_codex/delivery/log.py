"""Logs what a delivery does: one line for each trace that is sent, rejected or dropped, and for parked queues."""

from collections.abc import Callable

from infinium_config import Settings
from infinium_transport import DeliveryReport, Entry, EntryKind, ProblemKind

from infinium_codex.support.logs import log
from infinium_codex.support.paths import Places

_EVENTS = {
    EntryKind.sent: ("trace sent", "info"),
    EntryKind.dead: ("trace rejected", "error"),
    EntryKind.dropped: ("trace dropped", "error"),
    EntryKind.error: ("delivery error", "warning"),
}
_PARKED = frozenset((ProblemKind.unauthorized, ProblemKind.no_secret))


def entry_logger(places: Places, settings: Settings) -> Callable[[Entry], None] | None:
    """A function that logs a ledger entry; None where the settings are quiet."""
    if settings.quiet.value:
        return None

    def log_entry(entry: Entry) -> None:
        event, level = _EVENTS[entry.kind]
        facts = {
            "key": entry.key,
            "trace": entry.message if entry.kind is EntryKind.sent else "",
            "reason": "" if entry.kind is EntryKind.sent else entry.message,
            "agent_id": entry.agent_id,
            "base_url": entry.where if entry.key else "",
            "trace_id": entry.trace_id,
            "status": entry.status,
            **entry.labels,
        }
        log(places, event, level, **{name: value for name, value in facts.items() if value})

    return log_entry


def log_parked(places: Places, settings: Settings, report: DeliveryReport) -> None:
    """Log the queues that a delivery left parked, with the number of their traces."""
    for problem in report.problems if not settings.quiet.value else ():
        if problem.kind in _PARKED:
            facts = {"traces": problem.traces, "agent_id": problem.agent_id, "base_url": problem.base_url}
            log(places, "traces parked", "warning", reason=problem.reason, **facts)
