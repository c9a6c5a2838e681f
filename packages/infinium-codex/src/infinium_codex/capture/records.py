r"""The spool as the worker sees it: framed records the hook appended, one file a session.

A record is `0x1e "I3 " event " " time_ns " " pid " " length " " checksum "\n" payload "\n"`. A torn record costs
itself: reading goes on at the next frame that is whole. A frame of another number is another version's: set aside.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from msgspec import Struct

SUFFIX = ".spool"
CLOSED_SUFFIX = ".closed"
"""Of a spool that is being removed."""
_MARK = b"\x1eI3 "
_ANY_MARK = re.compile(rb"\x1eI\d{1,9} ")
_LONGEST_MARK = 12
_CHUNK = 1 << 16
_HEAD_BYTES = 256
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


def set_aside(spool: Path, damage: Damage) -> Path | None:
    """Keep a part of a spool in a file of its own beside it; None when that was done before."""
    with spool.open("rb") as file:
        file.seek(damage.start)
        found = file.read(damage.end - damage.start)
    path = spool.with_name(f"{spool.stem}.{damage.start}-{crc32(found):08x}.unread")
    if path.exists():
        return None
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(found)
    aside.replace(path)
    return path


def remove_spool(spool: Path, drained: int, size: int) -> bool:
    """Remove a spool that is worked off up to `drained`, `size` having been its length; False when it has grown.

    Its name goes first, and what came in at this moment is the next spool's. A hook looks after its write whether the
    name still means the file it wrote to, and writes once more where it does not; such twins are one record.
    """
    closed = _closed(spool)
    try:
        if spool.stat().st_size > size:
            return False
        spool.rename(closed)
    except FileNotFoundError:
        return False
    bring_over(spool, drained)
    return True


def bring_over(spool: Path, drained: int) -> None:
    """Finish a removal, also one that was broken off: records behind `drained` are the beginning of the next spool."""
    closed = _closed(spool)
    try:
        with closed.open("rb") as file:
            if any(isinstance(found, Record) for found in read_records(file, drained)):
                file.seek(drained)
                late = file.read()
                with os.fdopen(os.open(spool, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as next_one:
                    next_one.write(late)
    except FileNotFoundError:
        return
    closed.unlink()


def _closed(spool: Path) -> Path:
    return spool.with_suffix(CLOSED_SUFFIX)


def head_checksum(path: Path) -> int:
    """Checksum of a file's first line, which stays as long as the file is the same one, appended to or not."""
    try:
        with path.open("rb") as file:
            return crc32(file.readline(_HEAD_BYTES))
    except OSError:
        return 0


def session_of(path: Path) -> str:
    """The session a spool file belongs to, by its name."""
    return path.name.removesuffix(SUFFIX)


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
