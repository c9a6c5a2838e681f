"""Times and counts as commands print them."""

from datetime import UTC, datetime


def local_time(epoch: float) -> str:
    """Format seconds since the epoch in the user's time zone, to the second."""
    return datetime.fromtimestamp(epoch).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def utc_time(epoch: float) -> str:
    """Format seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plural(count: int, noun: str) -> str:
    """The count with its noun: `1 trace`, `2 traces`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
