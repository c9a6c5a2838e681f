r"""The spool as the worker sees it: framed records the hook appended, one file a session.

A record is `0x1e "I3 " event " " time_ns " " pid " " length " " checksum "\n" payload "\n"`. A torn record costs
itself: reading goes on at the next frame that is whole. A frame of another number is another version's: set aside.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from msgspec import Struct

_MARK = b"\x1eI3 "
_ANY_MARK = re.compile(rb"\x1eI\d{1,9} ")
_LONGEST_MARK = 12
_CHUNK = 1 << 16
_PRIME = 1_000_000_007


class Record(Struct, frozen=True, kw_only=True):
    """One event as Codex sent it."""

    event: str
    """The event's name, as the hook was registered for it."""
    at_ms: int
    """When the hook ran, UTC epoch milliseconds."""
    identity: str
    """Tells this record from every other, also when a hook had to write it twice."""
    payload: bytes
    """The bytes Codex sent on stdin: JSON, unless something went wrong."""
    start: int
    """Offset of the record in the spool file."""
    end: int
    """Offset behind the record."""


class Damage(Struct, frozen=True, kw_only=True):
    """Bytes between two offsets of a spool file that are no record."""

    start: int
    end: int
    foreign: bool = False
    """A frame that another version of the hook wrote."""


def read_records(file: BinaryIO, offset: int = 0) -> Iterator[Record | Damage]:
    """Read the records from `offset` on. A record cut short at the end of the file is left for the next reading."""
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


def checksum(payload: bytes) -> int:
    """The payload as a number, its first byte the lowest, modulo a prime."""
    return int.from_bytes(payload, "little") % _PRIME


def _record_at(file: BinaryIO, offset: int, size: int) -> Record | None:
    file.seek(offset)
    head = file.readline(256)
    if not head.startswith(_MARK) or not head.endswith(b"\n"):
        return None
    fields = head[len(_MARK) : -1].split(b" ")
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
        identity=f"{at}-{pid}",
        payload=payload,
        start=offset,
        end=end,
    )


def _is_foreign(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    found = _ANY_MARK.match(file.read(_LONGEST_MARK))
    return found is not None and found[0] != _MARK


def _next_mark(file: BinaryIO, offset: int) -> int | None:
    keep = b""
    file.seek(offset)
    while chunk := file.read(_CHUNK):
        found = _ANY_MARK.search(keep + chunk)
        if found is not None:
            return offset - len(keep) + found.start()
        offset += len(chunk)
        keep = (keep + chunk)[-_LONGEST_MARK + 1 :]
    return None
