"""Delivers Infinium traces: a client, an outbox with one file a trace, retries, dead letters, and a ledger."""

from typing import TYPE_CHECKING

from infinium_transport.delivery import FindSecret, Sender, deliver
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
    DeadLetter,
    Delay,
    DeliveryReport,
    Dropped,
    Entry,
    EntryKind,
    Envelope,
    OutboxLimits,
    Outcome,
    Parcel,
    Parcels,
    Parked,
    ParkReason,
    Put,
    Queued,
    Reached,
    Refusal,
    Rejected,
    Retry,
    Unauthorized,
)
from infinium_transport.outbox import Outbox
from infinium_transport.policy import RetryPolicy

if TYPE_CHECKING:
    from infinium_transport.client import Client

__all__ = [
    "LOCAL",
    "Accepted",
    "Client",
    "CorruptTraceError",
    "DeadLetter",
    "Delay",
    "DeliveryReport",
    "Dropped",
    "Entry",
    "EntryKind",
    "Envelope",
    "FindSecret",
    "InfiniumTransportError",
    "InvalidEnvelopeError",
    "Ledger",
    "LocalStore",
    "MissingTraceError",
    "Outbox",
    "OutboxLimits",
    "Outcome",
    "Parcel",
    "Parcels",
    "ParkReason",
    "Parked",
    "Put",
    "Queued",
    "Reached",
    "Refusal",
    "Rejected",
    "Retry",
    "RetryPolicy",
    "Sender",
    "StorageError",
    "StoredTrace",
    "Unauthorized",
    "UnreadableTraceError",
    "deliver",
]


def __getattr__(name: str) -> object:
    """The client is imported when somebody asks for it: traces that stay on this machine need nothing of HTTP."""
    if name == "Client":
        from infinium_transport.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
