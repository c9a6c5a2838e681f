"""Passes over what nobody wants of a transcript, a block at a time: no line of it is parsed, or even cut out."""

import os
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple

# No text in a record holds these bytes: its quotes are escaped.
_ANOTHER_SESSION = b'"session_meta"'
_STATE = (b'"task_started"', b'"turn_context"', b'"token_usage_record"', b'"token_count"')
"""Records of which the last one says how things stand: the turn, the model, what the session used."""
_BLOCK = 1 << 20
_MAX_WANTED = 12
"""With more to look for, reading line by line is faster."""


class Passed(NamedTuple):
    """What was passed over."""

    size: int
    """Its bytes: whole lines."""
    state: tuple[tuple[int, bytes], ...]
    """The records that say how things stand behind it, and where each began, counted from where it began."""


def pass_over(file: BinaryIO, wanted: Iterable[bytes]) -> Passed:
    """Move the file from the beginning of a line to the next line that may matter, or to the last one.

    Such a line holds something `wanted`, or begins the history of another session.
    """
    marks = (_ANOTHER_SESSION, *wanted)
    begin = file.tell()
    size, block = 0, b""
    state: dict[bytes, tuple[int, bytes]] = {}
    while len(marks) <= _MAX_WANTED and (more := file.read(_BLOCK)):
        block += more
        found = len(block)
        for mark in marks:
            at = block.find(mark, 0, found)
            found = at if at >= 0 else found
        end = block.rfind(b"\n", 0, found) + 1
        for mark in _STATE:
            at = block.rfind(mark, 0, end)
            if at >= 0:
                start = block.rfind(b"\n", 0, at) + 1
                state[mark] = size + start, block[start : block.find(b"\n", at) + 1]
        stop = found < len(block) or len(block) - end > _BLOCK  # a line too long to be kept is the reader's
        size, block = size + end, block[end:]
        if stop:
            break
    file.seek(begin + size, os.SEEK_SET)
    return Passed(size, tuple(sorted(state.values())))
