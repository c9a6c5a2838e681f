"""Times as commands print them."""

from datetime import UTC, datetime


def local_time(epoch: float) -> str:
    """Seconds since the epoch in the user's own time, to the second."""
    return datetime.fromtimestamp(epoch).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def iso(epoch: float) -> str:
    """Seconds since the epoch in ISO 8601, UTC."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
