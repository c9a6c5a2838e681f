"""Delivers Infinium traces: an outbox on disk, an HTTP client, retries, dead letters and a ledger."""

from typing import TYPE_CHECKING

from infinium_transport.delivery import deliver
from infinium_transport.errors import (
    CorruptTraceError,
    InfiniumTransportError,
    InvalidEnvelopeError,
    MissingTraceError,
    StorageError,
    UnreadableTraceError,
)
from infinium_transport.ledger import Ledger
from infinium_transport.local_store import LocalStore, StoredTrace
from infinium_transport.model import (
    LOCAL,
    Accepted,
    ActiveSender,
    Answered,
    DeadLetter,
    Delay,
    Dropped,
    Entry,
    EntryKind,
    Envelope,
    OutboxLimits,
    Outcome,
    Parked,
    ParkReason,
    Put,
    Queued,
    Reached,
    Recipient,
    Refusal,
    Rejected,
    Retry,
    Unauthorized,
)
from infinium_transport.options import DeliveryOptions, FindSecret, Sender
from infinium_transport.outbox import Outbox
from infinium_transport.policy import RetryPolicy
from infinium_transport.report import DeliveryProblem, DeliveryReport, ProblemKind
from infinium_transport.state import StateDirectory, TraceLike

if TYPE_CHECKING:
    from infinium_transport.client import Client
    from infinium_transport.results import Fetched, NotReady, ResultOutcome, ResultStore, StoredResult

__all__ = [
    "LOCAL",
    "Accepted",
    "ActiveSender",
    "Answered",
    "Client",
    "CorruptTraceError",
    "DeadLetter",
    "Delay",
    "DeliveryOptions",
    "DeliveryProblem",
    "DeliveryReport",
    "Dropped",
    "Entry",
    "EntryKind",
    "Envelope",
    "Fetched",
    "FindSecret",
    "InfiniumTransportError",
    "InvalidEnvelopeError",
    "Ledger",
    "LocalStore",
    "MissingTraceError",
    "NotReady",
    "Outbox",
    "OutboxLimits",
    "Outcome",
    "ParkReason",
    "Parked",
    "ProblemKind",
    "Put",
    "Queued",
    "Reached",
    "Recipient",
    "Refusal",
    "Rejected",
    "ResultOutcome",
    "ResultStore",
    "Retry",
    "RetryPolicy",
    "Sender",
    "StateDirectory",
    "StorageError",
    "StoredResult",
    "StoredTrace",
    "TraceLike",
    "Unauthorized",
    "UnreadableTraceError",
    "deliver",
]


_OF_RESULTS = frozenset({"Fetched", "NotReady", "ResultOutcome", "ResultStore", "StoredResult"})


def __getattr__(name: str) -> object:
    """Import the client and the results on first use: to queue a trace, neither is needed."""
    if name == "Client":
        from infinium_transport.client import Client

        return Client
    if name in _OF_RESULTS:
        from infinium_transport import results

        return getattr(results, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
