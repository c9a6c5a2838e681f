"""Times and counts as commands print them."""

from datetime import UTC, datetime


def local_time(epoch: float) -> str:
    """Format seconds since the epoch in the user's time zone, to the second, with the zone: `… 14:03:22 +02:00`."""
    when = datetime.fromtimestamp(epoch).astimezone().isoformat(sep=" ", timespec="seconds")
    return f"{when[:19]} {when[19:]}"


def utc_time(epoch: float) -> str:
    """Format seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plural(count: int, noun: str) -> str:
    """The count with its noun: `1 trace`, `2 traces`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
