"""Tells what became of the trace of each turn."""

from infinium_codex.session.known_traces import KnownTrace, KnownTraces, TraceState
from infinium_codex.view.model import Delivery, DeliveryState

_STATES = {
    TraceState.SENT: DeliveryState.SENT,
    TraceState.LOCAL: DeliveryState.LOCAL,
    TraceState.QUEUED: DeliveryState.WAITING,
    TraceState.DEAD: DeliveryState.DEAD,
    TraceState.DROPPED: DeliveryState.DROPPED,
    TraceState.SUMMARIZED: DeliveryState.SUMMARIZED,
    TraceState.RECORDED: DeliveryState.RECORDED,
}


def delivery_of_turn(
    key: str, turn_id: str, session_id: str, ended_at_ms: int | None, known: KnownTraces, *, summaries: bool
) -> Delivery:
    """Return what became of the trace of a turn; `key` is the trace's.

    With `summaries`, turns have no traces of their own in this project: the summary of the session contains them.
    """
    trace = known.of(key, turn_id, session_id)
    summarized = known.summarized_until(session_id)
    if trace is None and summaries and ended_at_ms is not None and ended_at_ms / 1000 <= summarized:
        trace = KnownTrace(state=TraceState.SUMMARIZED, at=summarized)
    return Delivery() if trace is None else delivery_of(trace)


def delivery_of(trace: KnownTrace) -> Delivery:
    """Return the delivery of a known trace."""
    return Delivery(
        state=_STATES[trace.state],
        at_ms=round(trace.at * 1000) or None,
        trace_id=trace.trace_id,
        reason=trace.reason or None,
    )
