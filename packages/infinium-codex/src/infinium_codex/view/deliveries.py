"""Tells what became of the trace of each turn."""

from infinium_trace import Session, trace_key

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


def deliveries_of(session: Session, session_id: str, known: KnownTraces, *, summaries: bool) -> dict[str, Delivery]:
    """Return the delivery of the turns of a session whose trace is known, by the key of the trace.

    With `summaries`, turns have no traces of their own in this project: the summary of the session contains them.
    """
    found: dict[str, Delivery] = {}
    for turn in session.turns:
        key = trace_key(session_id, None, turn.id, "turn")
        trace = known.of(key, turn.id, session_id)
        summarized = known.summarized_until(session_id)
        if trace is None and summaries and turn.ended_at_ms is not None and turn.ended_at_ms / 1000 <= summarized:
            trace = KnownTrace(state=TraceState.SUMMARIZED, at=summarized)
        if trace is not None:
            found[key] = delivery_of(trace)
    return found


def delivery_of(trace: KnownTrace) -> Delivery:
    """Return the delivery of a known trace."""
    return Delivery(
        state=_STATES[trace.state],
        at_ms=round(trace.at * 1000) or None,
        trace_id=trace.trace_id,
        reason=trace.reason or None,
    )
