"""Skips the part of a transcript that belongs to other turns, a block at a time, without parsing its lines."""

import os
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

from infinium_trace.lazy_pattern import lazy_pattern

# Quotes in a record's texts are escaped, so these bytes occur only as the kind of a record.
_OTHER_SESSION = b'"session_meta"'
_STATE_RECORDS = (b'"task_started"', b'"turn_context"', b'"token_usage_record"', b'"token_count"')
"""Records that carry the turn, the model and the token totals. The last one of each kind is needed to go on."""
_INSTRUCTIONS = lazy_pattern(rb'"text": ?"# [^" ]{1,80} instructions')
"""Instruction files, which Codex writes once, near the start of the session's first turn."""
_TURN_START_BYTES = 1 << 18
_BLOCK_BYTES = 1 << 20
_MAX_MARKS = 12
"""With more byte strings to search for, reading line by line is faster."""


class Skipped(NamedTuple):
    """The part that was skipped."""

    size: int
    """Its length in bytes: whole lines."""
    state: tuple[tuple[int, bytes], ...]
    """The last state record of each kind, with its offset from the start of the part, in file order.

    Instruction files are a state record, too, if they stand at the start of the part.
    """


def skip_to(file: BinaryIO, marks: Iterable[bytes]) -> Skipped:
    """Move the file from the start of a line to the next line with one of the `marks`, or to the last complete line.

    A line that begins the history of another session ends the skipped part, too.
    """
    all_marks = (_OTHER_SESSION, *marks)
    begin = file.tell()
    size, block = 0, b""
    state: dict[bytes, tuple[int, bytes]] = {}
    instructions = _find_instructions(file)
    file.seek(begin)
    while len(all_marks) <= _MAX_MARKS and (more := file.read(_BLOCK_BYTES)):
        block += more
        found = _first_of(block, all_marks)
        end = block.rfind(b"\n", 0, found) + 1
        for kind in _STATE_RECORDS:
            at = block.rfind(kind, 0, end)
            if at >= 0:
                start = block.rfind(b"\n", 0, at) + 1
                state[kind] = size + start, block[start : block.find(b"\n", at) + 1]
        # A line longer than a block is not kept in memory here: the reader deals with it.
        done = found < len(block) or len(block) - end > _BLOCK_BYTES
        size, block = size + end, block[end:]
        if done:
            break
    file.seek(begin + size, os.SEEK_SET)
    if instructions is not None and instructions[0] < size:
        state[b"instructions"] = instructions
    return Skipped(size, tuple(sorted(state.values())))


def _find_instructions(file: BinaryIO) -> tuple[int, bytes] | None:
    """Return the first record with instruction files, if it stands near here, with its offset from here."""
    start = file.read(_TURN_START_BYTES)
    found = _INSTRUCTIONS.search(start)
    if found is None:
        return None
    line, end = start.rfind(b"\n", 0, found.start()) + 1, start.find(b"\n", found.end()) + 1
    return (line, start[line:end]) if end else None


def _first_of(block: bytes, marks: Iterable[bytes]) -> int:
    """Return where the first mark begins, or the length of the block if it has none."""
    found = len(block)
    for mark in marks:
        at = block.find(mark, 0, found)
        if at >= 0:
            found = at
    return found
