"""Sent traces on their way out of the queue: noted one by one, put on disk and removed some at a time."""

from collections.abc import Callable
from typing import Final

from infinium_transport.errors import StorageError
from infinium_transport.ledger import Ledger
from infinium_transport.model import Envelope, Queued
from infinium_transport.outbox import Outbox

MAX_TRACES: Final = 64
MAX_SECONDS: Final = 0.25
"""A batch is settled when its next trace comes this long after its first."""


class Settlement:
    """Takes what a destination has accepted.

    A trace's entry is written to the ledger as soon as the destination has the trace, so the death of this process at
    any instant lets no trace be sent twice: what was written is the operating system's, and the next run finds it. Only
    a power cut can take it back, and the wait for the disk is what costs most of a delivery. So the disk is waited for
    once for a batch, and before that no trace of it leaves the queue. After a power cut in between, the batch is sent
    again, the same bytes under the same keys, as it would be after one between a request and its answer.
    """

    def __init__(self, outbox: Outbox, ledger: Ledger, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._ledger = ledger
        self._clock = clock
        self._batch: list[Queued] = []
        self._since = 0.0

    def accepted(self, queued: Queued, envelope: Envelope, trace_id: str | None) -> None:
        """A destination has the trace."""
        try:
            self._ledger.record_sent(envelope, trace_id, when=self._clock())
        except StorageError:
            self._ledger.take_over(queued)
            raise
        self.known(queued)

    def known(self, queued: Queued) -> None:
        """The ledger has an entry of the trace, maybe not on disk yet."""
        now = self._clock()
        if not self._batch:
            self._since = now
        self._batch.append(queued)
        # A clock that was set back must not keep a batch open.
        if len(self._batch) >= MAX_TRACES or not 0 <= now - self._since < MAX_SECONDS:
            self.settle()

    def settle(self) -> None:
        """Have the entries on disk, then take their traces out of the queue."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        try:
            self._ledger.sync()
        except StorageError:
            for queued in batch:
                self._ledger.take_over(queued)
            raise
        for queued in batch:
            self._outbox.remove(queued, into=self._ledger.sent)
