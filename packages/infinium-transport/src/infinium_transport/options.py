"""What a caller passes to a delivery: the look-up of secrets, and settings with defaults."""

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from msgspec import Struct, field

from infinium_transport.model import Envelope, Outcome, Recipient
from infinium_transport.policy import RetryPolicy


class Revealable(Protocol):
    """A secret that does not show itself when printed."""

    def reveal(self) -> str: ...


@runtime_checkable
class FoundSecret(Protocol):
    """An answer that holds the secret."""

    @property
    def secret(self) -> Revealable: ...


class NoSecret(Protocol):
    """An answer that says why there is no secret, or why it must not go to this address, and what to do."""

    @property
    def reason(self) -> str: ...

    @property
    def hint(self) -> str: ...


FindSecret = Callable[[str, str], str | FoundSecret | NoSecret]
"""Returns the secret of an agent (first argument) for a base URL (second), or why there is none."""


class Sender(Protocol):
    """What `deliver` needs of a client."""

    def send(self, envelope: Envelope, secret: str) -> Outcome: ...

    def close(self) -> None: ...


def _random() -> float:
    import random  # not at the top: it takes a while to import, and few deliveries retry

    return random.random()  # noqa: S311 - spreads retries


class DeliveryOptions(Struct, frozen=True, kw_only=True):
    """Settings of a delivery that most connectors leave at their defaults."""

    timeout: float = 30.0
    """Seconds for one request, name look-up and answer included."""
    verify_ssl: bool = True
    max_retries: int = 3
    """Retries of one trace in one delivery; a later delivery continues."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    redact: Callable[[bytes, str], bytes] | None = None
    """Returns a JSON document (first argument) without a secret (second). Each trace is redacted with the secret that
    it is sent with, because it may have been built while that secret was not known. A changed trace replaces the
    queued one before it is sent."""
    client: Callable[[Recipient], Sender | None] | None = None
    """Makes the client of a recipient, when its first request is due. None, also as its result, means `Client`."""
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _random
    """Spreads retries: at least 0, less than 1."""
