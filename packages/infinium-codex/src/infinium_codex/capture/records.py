"""Read the records of a spool file.

A damaged record affects only itself: reading continues at the next valid frame. `capture.frame` describes the format.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from msgspec import Struct

from infinium_codex.capture.frame import MARK, MAX_HEAD_BYTES, checksum

_ANY_MARK = re.compile(rb"\x1eI\d{1,9} ")
"""The mark of this or another version of the hook."""
_MAX_MARK_BYTES = 12
_CHUNK = 1 << 16


class Record(Struct, frozen=True, kw_only=True):
    """One event as the agent sent it."""

    event: str
    """The event's name, as the hook was registered for it."""
    at_ms: int
    """When the hook ran, UTC epoch milliseconds."""
    identity: str
    """Differs for every event. A record that a hook wrote twice has the same one."""
    for_user: bool = False
    """Whether the hook is registered for all projects of the user, not in one project."""
    payload: bytes
    """The bytes from the hook's stdin: a JSON object, unless they were truncated."""
    start: int
    """Offset of the record in the spool file."""
    end: int
    """Offset of the next record."""


class Damage(Struct, frozen=True, kw_only=True):
    """A part of a spool file that is not a record."""

    start: int
    end: int
    foreign: bool = False
    """Whether another version of the hook wrote it."""


def read_records(file: BinaryIO, offset: int = 0) -> Iterator[Record | Damage]:
    """Read the records from `offset` on. An incomplete record at the end is left for the next reading."""
    size = file.seek(0, 2)
    while offset < size:
        record = _record_at(file, offset, size)
        if record is not None:
            yield record
            offset = record.end
            continue
        following = _next_mark(file, offset + 1)
        foreign = _is_foreign(file, offset)
        if following is None:
            if foreign:
                yield Damage(start=offset, end=size, foreign=True)
            return
        yield Damage(start=offset, end=following, foreign=foreign)
        offset = following


def _record_at(file: BinaryIO, offset: int, size: int) -> Record | None:
    file.seek(offset)
    head = file.readline(MAX_HEAD_BYTES)
    if not head.startswith(MARK) or not head.endswith(b"\n"):
        return None
    fields = head[len(MARK) : -1].split(b" ")
    try:
        event, (at, pid, length, expected) = fields[0], map(int, fields[1:])
    except ValueError:
        return None
    end = offset + len(head) + length + 1
    if length < 0 or end > size:
        return None
    payload = file.read(length)
    if checksum(payload) != expected or file.read(1) != b"\n":
        return None
    return Record(
        event=event.decode("ascii", "replace"),
        at_ms=at // 1_000_000,
        identity=f"{at}-{abs(pid)}",
        for_user=pid < 0,
        payload=payload,
        start=offset,
        end=end,
    )


def _is_foreign(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    found = _ANY_MARK.match(file.read(_MAX_MARK_BYTES))
    return found is not None and found[0] != MARK


def _next_mark(file: BinaryIO, offset: int) -> int | None:
    keep = b""
    file.seek(offset)
    while chunk := file.read(_CHUNK):
        found = _ANY_MARK.search(keep + chunk)
        if found is not None:
            return offset - len(keep) + found.start()
        offset += len(chunk)
        keep = (keep + chunk)[-_MAX_MARK_BYTES + 1 :]
    return None
