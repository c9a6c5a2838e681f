r"""The spool as the worker sees it: framed records the hook appended, one file a session.

A record is `0x1e "I2 " event " " time_ns " " pid " " length " " crc32 "\n" payload "\n"`. A torn record costs itself:
reading goes on at the next frame that is whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

SUFFIX = ".spool"
_MARK = b"\x1eI2 "
_CHUNK = 1 << 16
_HEAD_BYTES = 256
_ENDS = (b"Stop", b"Interrupt", b"SessionEnd")


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """Bytes between two offsets of a spool file that are no record."""

    start: int
    end: int


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
        if following is None:
            return
        yield Damage(start=offset, end=following)
        offset = following


def head_checksum(file: BinaryIO, offset: int) -> int:
    """Checksum of the spool's first bytes before `offset`: they stay while the spool is the same one."""
    file.seek(0)
    head = file.read(min(offset, _HEAD_BYTES))
    return crc32(head) if len(head) == min(offset, _HEAD_BYTES) else -1


def open_prompts(path: Path, offset: int) -> int:
    """How many prompts were given behind `offset` without an end behind them, by the records' heads alone."""
    found = 0
    with path.open("rb") as file:
        size = file.seek(0, 2)
        while offset < size:
            file.seek(offset)
            head = file.readline(256).split(b" ")
            if len(head) != 6 or head[0] != _MARK.rstrip() or not head[4].isdigit():
                break  # not a record: the worker, which reads them all, will see
            found = 0 if head[1] in _ENDS else found + (head[1] == b"UserPromptSubmit")
            offset = file.tell() + int(head[4]) + 1
    return found


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
        event, (at, pid, length, checksum) = fields[0], map(int, fields[1:])
    except ValueError:
        return None
    end = offset + len(head) + length + 1
    if length < 0 or end > size:
        return None
    payload = file.read(length)
    if crc32(payload) != checksum or file.read(1) != b"\n":
        return None
    return Record(
        event=event.decode("ascii", "replace"),
        at_ms=at // 1_000_000,
        identity=f"{at}-{pid}",
        payload=payload,
        start=offset,
        end=end,
    )


def _next_mark(file: BinaryIO, offset: int) -> int | None:
    keep = b""
    file.seek(offset)
    while chunk := file.read(_CHUNK):
        found = (keep + chunk).find(_MARK)
        if found >= 0:
            return offset - len(keep) + found
        offset += len(chunk)
        keep = (keep + chunk)[-len(_MARK) + 1 :]
    return None
