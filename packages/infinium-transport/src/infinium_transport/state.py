"""The files of one connector: outbox, ledger and local store in one directory."""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from infinium_transport.ledger import Ledger
from infinium_transport.local_store import LocalStore
from infinium_transport.model import Dropped, Entry, Envelope, OutboxLimits, Put
from infinium_transport.outbox import Outbox

if TYPE_CHECKING:
    from infinium_transport.results import ResultStore


class TraceLike(Protocol):
    """A finished trace, as `infinium_trace` builds it."""

    @property
    def key(self) -> str:
        """UUID text, lower case."""

    @property
    def name(self) -> str: ...

    @property
    def body(self) -> bytes:
        """JSON, as it is sent."""

    @property
    def labels(self) -> Mapping[str, str]:
        """For the ledger; never sent."""


class StateDirectory:
    """Where a connector's traces are queued, and what is known of those that were sent.

    The directory is created when it is needed, readable by its owner only. Any number of processes may use it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        limits: OutboxLimits | None = None,
        clock: Callable[[], float] = time.time,
        on_entry: Callable[[Entry], None] | None = None,
    ) -> None:
        """`on_entry` is called with each entry that this object writes to the ledger, for example to log it."""
        self.directory = directory
        self.ledger = Ledger(directory / "ledger", on_entry=on_entry)
        self.outbox = Outbox(directory / "outbox", limits=limits, sent=self.ledger.was_sent, clock=clock)
        self.local = LocalStore(directory / "local")
        self._clock = clock

    @property
    def results(self) -> "ResultStore":
        """The results of traces that were fetched from the server."""
        from infinium_transport.results import ResultStore  # a delivery needs none

        return ResultStore(self.directory / "results")

    def queue(self, trace: TraceLike, *, agent_id: str, base_url: str) -> Put:
        """Queue a trace; when this returns, the trace survives a power cut.

        A trace whose key is queued, sent or a dead letter already is not queued again. Raises StorageError when it
        cannot be written, InvalidEnvelopeError when its key is not a UUID.
        """
        return self.outbox.put(
            Envelope(
                key=trace.key,
                agent_id=agent_id,
                base_url=base_url,
                body=trace.body,
                created=self._clock(),
                name=trace.name,
                labels=dict(trace.labels),
            )
        )

    def drop(self, traces: Iterable[Dropped]) -> list[Dropped]:
        """Delete queued traces and dead letters, each recorded in the ledger first; return those that were deleted.

        Traces of a recipient stay while another process sends to it. Raises StorageError.
        """
        from infinium_transport._drop import drop  # most runs drop nothing

        return drop(self.outbox, self.ledger, traces, now=self._clock())
