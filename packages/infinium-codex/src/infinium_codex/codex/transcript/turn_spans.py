"""Finds the turns of a transcript, with their places and times, without parsing its records."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from infinium_codex.codex.transcript.file import open_stream
from infinium_codex.support.json_fields import epoch_ms, mapping, parse_object, text

# Quotes in a record's texts are escaped, so these bytes occur only as the kind of a record.
_MARKS = re.compile(rb'"(task_started|task_complete|turn_aborted|turn_context|session_meta)"')
_TIMESTAMP = re.compile(rb'\{ ?"timestamp": ?"([^"\\]{1,40})"')
_THREAD_ID = re.compile(rb'"payload": ?\{[^{}]*?"id": ?"([^"\\]{1,100})"')
_CWD = re.compile(rb'"cwd": ?("(?:[^"\\]|\\.){1,8000}")')
_BLOCK_BYTES = 1 << 20
_MAX_LINE_BYTES = 32 << 20


class TurnSpan(Struct, kw_only=True):
    """A turn of a transcript."""

    turn_id: str
    started_ms: int
    """UTC epoch milliseconds."""
    ended_ms: int | None = None
    """None if no record reports the turn's end."""
    next_ms: int | None = None
    """When the next turn started; None for the last one."""
    size: int = 0
    """Bytes of its records."""
    cwd: str | None = None
    """The session's directory in this turn; None if no record has it."""

    @property
    def superseded(self) -> bool:
        """Whether another turn follows."""
        return self.next_ms is not None


def read_turn_spans(path: Path) -> tuple[TurnSpan, ...]:
    """Return the turns of a transcript in their order. Turns that a fork copied from its parent are left out.

    Empty if there is no transcript. Raises OSError if it is damaged.
    """
    with open_stream(path) as file:
        return () if file is None else tuple(_spans(file))


def _spans(file: BinaryIO) -> Iterator[TurnSpan]:
    thread, is_copied, is_empty, has_context = "", False, False, False
    turn: TurnSpan | None = None
    began = end = 0
    for kind, start, line in _marked_lines(file):
        end = start + len(line)
        if kind == b"session_meta":
            found = _group(_THREAD_ID, line)
            thread, is_copied = thread or found, bool(thread) and found not in ("", thread)
        elif kind == b"task_started":
            turn_id = _turn_id(line)
            if not turn_id or (turn is not None and turn.turn_id == turn_id):
                continue
            # Ids are ordered by time: a turn older than its session is copied from another session.
            is_copied = is_copied and turn_id <= thread
            if turn is not None and not is_empty:
                turn.next_ms, turn.size = _time(line), start - began
                yield turn
            is_empty = has_context = False
            turn = None if is_copied else TurnSpan(turn_id=turn_id, started_ms=_time(line))
            began = start
        elif turn is None:
            continue
        elif kind == b"turn_context":
            directory = _CWD.search(line)
            turn.cwd, has_context = turn.cwd or (_text(directory[1]) if directory else None), True
        else:
            turn.ended_ms = _time(line)
            is_empty = kind == b"turn_aborted" and not has_context  # it was interrupted before it began
    if turn is not None and not is_empty:
        turn.size = end - began
        yield turn


def _marked_lines(file: BinaryIO) -> Iterator[tuple[bytes, int, bytes]]:
    """Yield kind, offset and bytes of each complete line that begins or ends a turn, or begins a session."""
    block, offset = b"", 0
    while more := file.read(_BLOCK_BYTES):
        block += more
        complete = block.rfind(b"\n") + 1
        last = -1
        for mark in _MARKS.finditer(block, 0, complete):
            start = block.rfind(b"\n", 0, mark.start()) + 1
            if start != last:  # the first mark of a line is its kind
                last = start
                yield mark[1], offset + start, block[start : block.index(b"\n", mark.end()) + 1]
        if not complete and len(block) > _MAX_LINE_BYTES:
            complete = len(block)  # no record that is of interest is as long
        offset, block = offset + complete, block[complete:]


def _turn_id(line: bytes) -> str | None:
    """The turn that a `task_started` begins. The line is short, and may name other turns."""
    return text(mapping(parse_object(line) or {}, "payload"), "turn_id")


def _group(pattern: re.Pattern[bytes], line: bytes) -> str:
    found = pattern.search(line)
    return found[1].decode("utf-8", "replace") if found else ""


def _time(line: bytes) -> int:
    return epoch_ms(_group(_TIMESTAMP, line)) or 0


def _text(literal: bytes) -> str | None:
    try:
        return msgspec.json.decode(literal, type=str)
    except msgspec.DecodeError:
        return None
