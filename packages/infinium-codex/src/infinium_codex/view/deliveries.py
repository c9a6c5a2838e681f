"""Finds out what became of each trace: sent, waiting, a dead letter, dropped, or stored on this machine."""

from infinium_transport import LOCAL, EntryKind, StateDirectory

from infinium_codex.view.model import Delivery, DeliveryState


def read_deliveries(state: StateDirectory) -> dict[str, Delivery]:
    """Return the delivery of every trace that the stores know, by its key. A later state replaces an earlier one."""
    found: dict[str, Delivery] = {}
    for entry in reversed(state.ledger.entries(EntryKind.sent, EntryKind.dead, EntryKind.dropped)):
        at_ms = round(entry.when * 1000)
        if entry.kind is EntryKind.sent:
            kept_here = entry.where == LOCAL
            state_of = DeliveryState.LOCAL if kept_here else DeliveryState.SENT
            found[entry.key] = Delivery(state=state_of, at_ms=at_ms, trace_id=None if kept_here else entry.trace_id)
        else:
            kind = DeliveryState.DEAD if entry.kind is EntryKind.dead else DeliveryState.DROPPED
            found[entry.key] = Delivery(state=kind, at_ms=at_ms, reason=entry.message)
    for trace in state.outbox.pending():
        found[trace.key] = Delivery(state=DeliveryState.WAITING, at_ms=round(trace.created * 1000))
    return found
