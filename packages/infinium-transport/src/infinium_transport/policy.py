"""Decides what an HTTP status means for a trace and how long to wait before a retry. Pure."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from infinium_transport.model import Delay, Rejected, Retry, Unauthorized

RATE_LIMIT_WAIT: Final = 60.0
"""Seconds to wait after a 429 without Retry-After, as the API documents."""

FIRST_PROBE: Final = 3_600.0
"""Seconds after which a refused secret is tried again; doubled with each further refusal."""
LONGEST_PROBE: Final = 86_400.0

_TEMPORARY = frozenset({408, 425, 429})
_CONFLICT: Final = 409


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """How long a trace is delayed before it is retried."""

    base: float = 0.5
    """Seconds: upper bound of the first delay, doubled with each further attempt."""
    cap: float = 900.0
    """Seconds: upper bound of every delay, whatever the server or the clock says."""
    max_sleep: float = 30.0
    """Seconds: a delivery sleeps no longer than this; after a longer delay a later delivery continues."""
    max_conflicts: int = 8
    """How many 409 answers, over all deliveries, make a trace a dead letter."""


def backoff(
    attempt: int,
    retry_after: float | None,
    *,
    random: Callable[[], float],
    base: float = 0.5,
    cap: float = 900.0,
) -> float:
    """Seconds to wait after an attempt (1 is the first): full jitter, at least Retry-After, at most `cap`."""
    # 2**60 is above any cap and keeps the float finite.
    ceiling = min(cap, base * 2.0 ** min(max(attempt, 1) - 1, 60))
    return min(cap, max(ceiling * random(), retry_after or 0.0))


def probe_delay(attempts: int) -> float:
    """Seconds until a secret that was refused this often is tried again: a gateway may have refused a valid one."""
    return min(LONGEST_PROBE, FIRST_PROBE * 2.0 ** min(max(attempts, 1) - 1, 60))


def parse_retry_after(text: str | None, *, now: float) -> float | None:
    """Parse a Retry-After header, seconds or an HTTP date, into seconds from `now`; None when it is invalid."""
    if not text or not text.isascii():
        return None
    text = text.strip()
    if text.isdigit():
        return float(text[:12])
    from email.utils import parsedate_to_datetime  # not at the top: dates are rare, and email is slow to import

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def classify_refusal(status: int, *, message: str, retry_after: float | None) -> Retry | Rejected | Unauthorized:
    """Turn an HTTP status other than 2xx into the outcome of a request."""
    if status in _TEMPORARY or status == _CONFLICT or status >= 500:
        if status == 429 and retry_after is None:
            retry_after = RATE_LIMIT_WAIT
        return Retry(reason=f"HTTP {status}{': ' if message else ''}{message}", after=retry_after, status=status)
    if status in (401, 403):
        return Unauthorized(status=status, message=message)
    return Rejected(status=status, message=message)


def is_conflict(outcome: Retry) -> bool:
    """Whether the server is still processing an earlier request for the same trace."""
    return outcome.status == _CONFLICT


def remaining_delay(delay: Delay | None, *, now: float, cap: float) -> float:
    """Seconds until a trace is due; 0 when it is due or the clock was set back since the delay was recorded."""
    if delay is None or now < delay.since:
        return 0.0
    return max(0.0, min(delay.due, delay.since + cap) - now)
