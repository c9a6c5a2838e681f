"""Deletes traces that are not to be sent, after recording each of them in the ledger."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from infinium_transport._trace_directory import read_header
from infinium_transport.ledger import Ledger
from infinium_transport.model import Dropped, Envelope, Recipient
from infinium_transport.outbox import Outbox


def drop(outbox: Outbox, ledger: Ledger, traces: Iterable[Dropped], *, now: float) -> list[Dropped]:
    """Record traces as dropped and delete them; return those that were deleted.

    Each recipient's lock is held meanwhile, so that no other process sends a trace that is being deleted. Where another
    process holds it, that recipient's traces stay. So does a trace that was sent or moved since it was listed.
    """
    groups: dict[Recipient | None, list[tuple[Dropped, Envelope | None]]] = {}
    for trace in traces:
        header = read_header(trace.path, trace.key)
        groups.setdefault(header.recipient if header else None, []).append((trace, header))
    deleted: list[Dropped] = []
    for recipient, group in groups.items():
        with _lock(outbox, recipient) as held:
            if held:
                deleted += _drop(outbox, ledger, group, now=now)
    return deleted


def _lock(outbox: Outbox, recipient: Recipient | None) -> AbstractContextManager[bool]:
    """The recipient's lock. A damaged trace has no recipient, and no process sends it."""
    return nullcontext(True) if recipient is None else outbox.sender_lock(recipient)


def _drop(outbox: Outbox, ledger: Ledger, group: list[tuple[Dropped, Envelope | None]], *, now: float) -> list[Dropped]:
    present = [(trace, header) for trace, header in group if trace.path.exists()]
    for trace, header in present:
        ledger.record_drop(trace, header, when=now)
    if present:
        ledger.sync()
    for trace, _ in present:
        outbox.drop(trace)
    return [trace for trace, _ in present]
