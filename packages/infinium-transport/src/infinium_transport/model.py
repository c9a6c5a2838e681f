"""The values that pass between caller, outbox, client and ledger."""

from collections.abc import Generator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final

from msgspec import Struct, field

LOCAL: Final = "local"
"""The base URL that means: keep the trace on this machine."""


class Envelope(Struct, frozen=True, kw_only=True):
    """One trace, addressed. The body is frozen from here on: every resend carries identical bytes."""

    key: str
    """UUID text, lower case. Names the file and travels as `Idempotency-Key`."""
    agent_id: str
    base_url: str
    """Where the trace goes: a URL, or `local`."""
    body: bytes
    """JSON, as it will be sent."""
    created: float
    """Seconds since the epoch; decides the order of sending."""
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """The caller's own words for history (session, turn, project, kind…); never sent."""


class Put(StrEnum):
    """What became of a trace handed to the outbox."""

    queued = "queued"
    already_queued = "already queued"
    already_sent = "already sent"
    already_dead = "already a dead letter"


class Queued(Struct, frozen=True, kw_only=True):
    """A trace file in the outbox, not opened yet."""

    key: str
    file: str
    """Where it is, as text: there may be thousands of them, and paths take longer to make than to use."""
    created: float
    """Seconds since the epoch."""
    size: int
    """Bytes on disk."""
    tried: bool = True
    """False where no note on an earlier attempt lies beside it."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.file)


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A trace the server will not accept as it is, with the reason."""

    key: str
    path: Path
    reason: str
    status: int | None
    """HTTP status, when there was one."""
    words: str
    """What the server said."""
    since: float
    """When it was given up, in seconds since the epoch."""


class ParkReason(StrEnum):
    """Why an agent's traces wait."""

    unauthorized = "the server refused the credentials"
    refused = "there is no secret to send with"


class Parked(Struct, frozen=True, kw_only=True):
    """An agent whose traces wait for its user."""

    agent_id: str
    base_url: str
    kind: ParkReason
    reason: str
    credentials_mark: str
    """Salted, slow hash of the credentials that were refused; empty where there were none."""
    since: float
    """Seconds since the epoch."""


class Delay(Struct, frozen=True, kw_only=True):
    """How a trace has fared so far, and when it is due again."""

    attempts: int
    conflicts: int
    """How often the server answered 409."""
    since: float
    """When this was noted, in seconds since the epoch."""
    due: float
    """Next attempt, in seconds since the epoch."""
    reason: str


class OutboxLimits(Struct, frozen=True, kw_only=True):
    """How much may wait (queue and dead letters each). The oldest goes first, and every drop is counted."""

    count: int = 5_000
    size: int = 256 * 1024 * 1024
    """Bytes."""
    age: float = 30 * 86_400.0
    """Seconds."""


class Dropped(Struct, frozen=True, kw_only=True):
    """A trace that is dropped because the outbox is full or the trace too old."""

    key: str
    path: Path
    reason: str
    size: int
    """Bytes on disk."""


class Accepted(Struct, frozen=True, kw_only=True):
    """The destination has the trace."""

    trace_id: str | None


class Retry(Struct, frozen=True, kw_only=True):
    """Not now: a passing fault."""

    reason: str
    after: float | None = None
    """Seconds the server asked to wait."""
    status: int | None = None
    """HTTP status; None when there was no answer."""


class Rejected(Struct, frozen=True, kw_only=True):
    """Never, as it is: a dead letter."""

    status: int | None
    """HTTP status; None when the request was not even made."""
    words: str
    """What the server said, cleaned and cut."""


class Unauthorized(Struct, frozen=True, kw_only=True):
    """The server does not know these credentials: the agent's queue is parked."""

    status: int | None
    words: str


class Reached(Struct, frozen=True, kw_only=True):
    """Something answered at an agent's trace address."""

    url: str
    """What was asked."""
    status: int
    date: str | None
    """The server's clock, as its `Date` header tells it."""


Outcome = Accepted | Retry | Rejected | Unauthorized

Parcel = tuple[Envelope, str]
"""A trace to send, and the secret to send it with."""

Parcels = Generator[Parcel, Outcome, None]
"""Yields what to send next when it is sent what became of the last one."""


class Refusal(Struct, frozen=True, kw_only=True):
    """The caller gives no secret for this agent at this base URL (none stored, origin not approved, …)."""

    reason: str
    hint: str = ""
    """What the user can do about it."""


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
    """For errors: which part of the program."""
    message: str = ""
    status: int | None = None
    size: int = 0
    """Bytes of body."""
    labels: Mapping[str, str] = field(default_factory=dict)


class DeliveryReport(Struct, frozen=True, kw_only=True):
    """What one run of `deliver` did."""

    sent: int = 0
    queued: int = 0
    """Left in the outbox, parked and refused ones included."""
    dead: int = 0
    """Became dead letters in this run."""
    parked: int = 0
    """Of the queued: wait for other credentials."""
    refused: int = 0
    """Of the queued: there is no secret for them."""
    dropped: int = 0
    """Dropped by the outbox's limits in this run, and counted in the ledger."""
    corrupt: int = 0
    """Moved to `corrupt/` in this run."""
    busy: bool = False
    """Another sender is at work; it takes what was queued."""
    next_due: float | None = None
    """When the next waiting trace is due, in seconds since the epoch; None when none waits for a time."""
    resting: tuple[str, ...] = ()
    """The agents of traces that wait for a time."""
