"""Accepted traces on their way out of the queue: recorded one by one, synced to disk and removed in batches."""

from collections.abc import Callable
from typing import Final

from infinium_transport.errors import StorageError
from infinium_transport.ledger import Ledger
from infinium_transport.model import Envelope, Queued
from infinium_transport.outbox import Outbox

MAX_TRACES: Final = 64
MAX_SECONDS: Final = 0.25
"""A batch is completed when its next trace comes this long after its first."""


class AcceptedBatch:
    """Records accepted traces in the ledger and removes them from the outbox.

    A trace's ledger entry is written as soon as the destination accepted the trace. If this process dies at any point
    after that, the next run finds the entry and does not send the trace again. Only a power cut can undo an entry that
    is written but not synced. Syncing is the most expensive part of a delivery, so one sync serves a whole batch, and
    no trace of the batch leaves the queue before it. After a power cut in between, the batch is sent again: the same
    bytes under the same keys.
    """

    def __init__(self, outbox: Outbox, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._clock = clock
        self._traces: list[Queued] = []
        self._since = 0.0

    def add(self, queued: Queued, envelope: Envelope, trace_id: str | None) -> None:
        """Record a trace that a destination accepted."""
        try:
            self._ledger.record_sent(envelope, trace_id, when=self._clock())
        except StorageError:
            self._ledger.move_to_sent(queued)
            raise
        self.add_recorded(queued)

    def add_recorded(self, queued: Queued) -> None:
        """Add a trace that has a ledger entry, which may not be synced yet."""
        now = self._clock()
        if not self._traces:
            self._since = now
        self._traces.append(queued)
        # A clock that was set back must not keep a batch open.
        if len(self._traces) >= MAX_TRACES or not 0 <= now - self._since < MAX_SECONDS:
            self.complete()

    def complete(self) -> None:
        """Sync the ledger, then remove the batch from the outbox."""
        traces, self._traces = self._traces, []
        if not traces:
            return
        try:
            self._ledger.sync()
        except StorageError:
            for queued in traces:
                self._ledger.move_to_sent(queued)
            raise
        for queued in traces:
            self._outbox.remove(queued, keep_in=self._ledger.sent)
