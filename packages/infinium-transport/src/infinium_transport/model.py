"""Values shared by the outbox, the client and the ledger."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct, field

LOCAL: Final = "local"
"""The base URL of traces that are kept on this machine."""


class Recipient(Struct, frozen=True, order=True):
    """An agent at an address. The traces of each recipient are sent apart from those of the others."""

    agent_id: str
    base_url: str


class Envelope(Struct, frozen=True, kw_only=True):
    """A trace and its recipient. Every retry sends the same bytes; only `DeliveryOptions.redact` changes a body."""

    key: str
    """UUID text, lower case. It names the file and is sent as `Idempotency-Key`."""
    agent_id: str
    """Infinium's agent."""
    base_url: str
    """The API's address, or `local`."""
    body: bytes
    """JSON, as it is sent."""
    created: float
    """Seconds since the epoch. The oldest trace is sent first."""
    name: str
    """For the ledger."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """For the ledger (session, turn, project, kind…); never sent."""

    @property
    def recipient(self) -> Recipient:
        """Its agent and address."""
        return Recipient(self.agent_id, self.base_url)


class Put(StrEnum):
    """What `Outbox.put` did."""

    queued = "queued"
    already_queued = "already queued"
    already_sent = "already sent"
    already_dead = "already a dead letter"


class Queued(Struct, frozen=True, kw_only=True):
    """A trace file in the outbox, not read yet."""

    key: str
    file: str
    """Its path, as text: there may be thousands of traces, and Path objects are slow to create."""
    created: float
    """Seconds since the epoch."""
    size: int
    """Bytes on disk."""
    tried: bool = True
    """Whether there may be a record of a failed attempt."""

    @property
    def path(self) -> Path:
        """Its path."""
        return Path(self.file)


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A trace that the server will never accept as it is."""

    key: str
    path: Path
    reason: str
    status: int | None
    """HTTP status; None when no request was made."""
    message: str
    """The server's message."""
    since: float
    """When it became a dead letter, in seconds since the epoch."""


class ParkReason(StrEnum):
    """Why an agent's traces stay queued until their user acts."""

    unauthorized = "the server refused the credentials"
    refused = "there is no secret to send with"


class Parked(Struct, frozen=True, kw_only=True):
    """An agent whose traces for a base URL stay queued until their user acts."""

    agent_id: str
    base_url: str
    kind: ParkReason
    reason: str
    credentials_mark: str
    """Salted, slow hash of the secret that was refused; empty when there was no secret."""
    since: float
    """Seconds since the epoch."""
    attempts: int = 1
    """How often the server refused this secret."""
    probe_at: float = 0.0
    """When one trace is sent with the refused secret again, in seconds since the epoch."""


class ActiveSender(Struct, frozen=True, kw_only=True):
    """A process that is sending a recipient's traces."""

    recipient: Recipient
    pid: int
    since: float
    """When it began, in seconds since the epoch."""


class Delay(Struct, frozen=True, kw_only=True):
    """The failed attempts of a trace, and when the next one is due."""

    attempts: int
    conflicts: int
    """How often the server answered 409."""
    since: float
    """When this was recorded, in seconds since the epoch."""
    due: float
    """Next attempt, in seconds since the epoch."""
    reason: str


class OutboxLimits(Struct, frozen=True, kw_only=True):
    """How much is kept, in the queue and as dead letters each. The oldest traces are dropped first."""

    count: int = 5_000
    size: int = 256 * 1024 * 1024
    """Bytes."""
    age: float = 30 * 86_400.0
    """Seconds."""


class Dropped(Struct, frozen=True, kw_only=True):
    """A trace beyond the limits of the outbox."""

    key: str
    path: Path
    reason: str
    size: int
    """Bytes on disk."""


class Accepted(Struct, frozen=True, kw_only=True):
    """The destination has the trace."""

    trace_id: str | None
    """The server's id for it."""


class Retry(Struct, frozen=True, kw_only=True):
    """The destination cannot accept the trace now."""

    reason: str
    after: float | None = None
    """Seconds to wait, from the server's Retry-After."""
    status: int | None = None
    """HTTP status; None when there was no answer."""


class Rejected(Struct, frozen=True, kw_only=True):
    """The destination will never accept the trace as it is."""

    status: int | None
    """HTTP status; None when no request was made."""
    message: str
    """The server's message, one printable line of bounded length."""


class Unauthorized(Struct, frozen=True, kw_only=True):
    """The server refused the agent's secret."""

    status: int | None
    message: str
    """The server's message, one printable line of bounded length."""


Outcome = Accepted | Retry | Rejected | Unauthorized


class Reached(Struct, frozen=True, kw_only=True):
    """A server answered at an agent's trace address."""

    url: str
    """The address of the request."""
    status: int
    date: str | None
    """The server's time, from its `Date` header."""


class Answered(Struct, frozen=True, kw_only=True):
    """A server's answer to a request of another protocol than the trace endpoint's."""

    status: int
    retry_after: float | None
    """Seconds to wait, from the server's Retry-After."""
    body: bytes
    """Its first 64 KiB."""


class Refusal(Struct, frozen=True, kw_only=True):
    """There is no secret for an agent and base URL: none is stored, or the origin is not approved."""

    reason: str
    hint: str = ""
    """What the user can do, as a sentence."""


class EntryKind(StrEnum):
    """What a ledger entry records."""

    sent = "sent"
    dead = "dead"
    dropped = "dropped"
    error = "error"


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the ledger."""

    kind: EntryKind
    when: float
    """Seconds since the epoch."""
    key: str = ""
    agent_id: str = ""
    trace_id: str | None = None
    where: str = ""
    """The base URL; for errors, the part of the program."""
    message: str = ""
    status: int | None = None
    """HTTP status."""
    size: int = 0
    """Bytes of body."""
    labels: Mapping[str, str] = field(default_factory=dict)
