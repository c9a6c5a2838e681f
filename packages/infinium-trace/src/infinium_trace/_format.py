"""Formats values for a payload: times, counts, paths, file changes. Absent values are left out."""

from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath, PureWindowsPath

from infinium_trace.events import FileChange

Payload = dict[str, object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MS = 253_402_300_799_000
"""The last second of the year 9999."""


def present(**fields: object) -> Payload:
    """Return the fields that have a value: not None and not empty."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}


def relative_path(path: str, cwd: str | None) -> str:
    """Return the path relative to `cwd`; unchanged if it is outside."""
    kind = PureWindowsPath if cwd and PureWindowsPath(cwd).drive else PurePosixPath
    if cwd and kind(path).is_relative_to(cwd):
        return kind(path).relative_to(cwd).as_posix()
    return path


def file_change(change: FileChange, cwd: str | None) -> Payload:
    """Return a file change with paths relative to `cwd`."""
    return present(
        path=relative_path(change.path, cwd),
        kind=change.kind.value,
        moved_to=relative_path(change.moved_to, cwd) if change.moved_to else None,
        lines_added=change.lines_added,
        lines_removed=change.lines_removed,
    )


def milliseconds(duration: float | None) -> float | int | None:
    """Round milliseconds to the microsecond; an integer if there is no fraction."""
    if duration is None:
        return None
    rounded = round(duration, 3)
    return int(rounded) if rounded.is_integer() else rounded


def iso_time(epoch_ms: int) -> str:
    """Return a time as ISO 8601 in UTC. Records may have any date: it is clamped to the years 1970 to 9999."""
    epoch_ms = min(max(epoch_ms, 0), _LAST_MS)
    when = _EPOCH + timedelta(milliseconds=epoch_ms)  # fromtimestamp fails on Windows from the year 3001 on
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
