"""Reads a Codex transcript (rollout JSONL) as neutral events, from where the last reading stopped.

`records.py` says what each kind of record means; this module reads the lines.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from infinium_config.files import open_regular
from infinium_trace.events import Event, EventSource, RecordSkipped, SubagentStarted
from msgspec.structs import replace

from infinium_codex.codex.event_fields import EventFields
from infinium_codex.codex.transcript.line_prefix import has_summary, read_prefix, total_tokens
from infinium_codex.codex.transcript.position import Position, session_facts, session_started
from infinium_codex.codex.transcript.records import IGNORED_RECORDS, handle_record
from infinium_codex.codex.transcript.skip_turns import skip_to
from infinium_codex.codex.transcript.tokens import limits_reported, token_count
from infinium_codex.support.json_fields import epoch_ms, mapping, parse_object, text

__all__ = ["Position", "Transcript", "session_started"]

MAX_LINE_BYTES = 32 << 20
"""A longer line is skipped. No record that a trace needs is nearly as long."""
_USED_LIMIT = b'"used_percent"'
"""Occurs in a `token_count` with usage limits."""
_TURN_ENDS = ("task_complete", "turn_aborted")
_NESTED_KINDS = ("event_msg", "response_item")
"""Records whose kind is the `type` of their payload."""


class Transcript:
    """Reads one transcript forward. After every event, `position` is where a later reading can continue."""

    def __init__(
        self,
        path: Path,
        position: Position | None = None,
        *,
        subagent_id: str | None = None,
        wanted: frozenset[str] | None = None,
    ) -> None:
        """Prepare to read `path` from `position` on.

        `subagent_id` is the subagent whose transcript it is. With `wanted`, only events of these turns are complete:
        other turns are skipped, mostly without parsing.
        """
        self.path = path
        self.position = position.copy() if position else Position()
        self.turn_starts: dict[str, Position] = {}
        """The position before the first record of every turn that began in what was read."""
        self._subagent_id = subagent_id
        self._wanted = wanted
        self._last_count: bytes | None = None
        """The turn's last `token_count`. Most are not parsed, and only the last one's limits are of interest."""

    def read(self) -> Iterator[Event]:
        """Yield the events of the records since the last reading; none if there is no transcript.

        A last line without its newline is left for the next reading.
        """
        file = open_regular(self.path, follow_links=True, only_own=True)
        if file is None:
            return
        with file:
            if os.fstat(file.fileno()).st_size < self.position.offset:
                self.position = Position()  # replaced by a shorter file: traces read twice have the same key
            file.seek(self.position.offset)
            yield from self._read_lines(file)

    def _read_lines(self, file: BinaryIO) -> Iterator[Event]:
        while True:
            if self._wanted is not None and self._is_in_unwanted_turn(self._wanted):
                self._skip_turns(file, self._wanted)
            line = file.readline(MAX_LINE_BYTES)
            size, complete = len(line), line.endswith(b"\n")
            if not complete:
                if size < MAX_LINE_BYTES:
                    return
                size += _skip_line(file)
            start = self.position.offset
            self.position.offset = start + size
            if not self._skips(line):
                yield from self._read_record(line if complete else b"", start)

    def _skips(self, line: bytes) -> bool:
        """Return whether the line's prefix shows that there is nothing else to read in it."""
        prefix = read_prefix(line)
        if prefix is None:
            return False
        kind, timestamp = prefix
        if kind in IGNORED_RECORDS or (kind == "reasoning" and not has_summary(line)):
            if not self.position.in_copied_history:
                self.position.note_time(kind, None, epoch_ms(timestamp.decode("ascii", "replace")) or 0)
            return True
        if kind != "token_count":
            return False
        self._last_count = line
        return total_tokens(line) == self.position.total_usage.total

    def _is_in_unwanted_turn(self, wanted: frozenset[str]) -> bool:
        """Return whether the next records can be skipped. Any turn may report the output of a background command."""
        turn = self.position.turn_id
        return turn is not None and not self.position.background_commands and turn not in wanted

    def _skip_turns(self, file: BinaryIO, wanted: frozenset[str]) -> None:
        """Move on to the next record of a wanted turn, and bring the position up to date."""
        start = self.position.offset
        size, state = skip_to(file, map(str.encode, wanted))
        for at, line in state:
            self.position.offset = start + at + len(line)
            self._read_record(line, start + at)  # its events belong to an unwanted turn
        self.position.offset = start + size

    def _read_record(self, line: bytes, start: int) -> tuple[Event, ...]:
        """Return the events of the line that begins at `start`, and update the position."""
        record = parse_object(line)
        if record is None:
            return (RecordSkipped(at_ms=0, source=EventSource.TRANSCRIPT, what="transcript:unreadable"),)
        at_ms = epoch_ms(record.get("timestamp")) or 0
        kind, payload = _kind_and_payload(record)
        if kind == "session_meta":
            return tuple(self._read_session_meta(payload, at_ms))
        turn_id = text(payload, "turn_id")
        if turn_id and kind in ("task_started", "turn_context"):
            self._begin_turn(turn_id, text(payload, "model"), start)
        if self.position.review_ended and kind in _TURN_ENDS:
            turn_id = None  # it ends the review, under the id of a turn that no other record has
        fields = EventFields(
            at_ms=at_ms,
            source=EventSource.TRANSCRIPT,
            turn_id=turn_id or self.position.turn_id,
            subagent_id=self._subagent_id,
        )
        if self.position.in_copied_history:
            if kind == "token_count":
                token_count(self.position, fields, payload)
            return ()  # the session this one was forked from has traces of its own
        self.position.note_time(kind, text(payload, "role"), at_ms)
        events = handle_record(kind, self.position, fields, payload)
        if kind in _TURN_ENDS and self._last_count is not None:
            limits, self._last_count = self._read_limits(self._last_count, fields), None
            return (*limits, *events)
        return events

    def _read_limits(self, line: bytes, fields: EventFields) -> tuple[Event, ...]:
        record = parse_object(line) if _USED_LIMIT in line else None
        return () if record is None else limits_reported(fields, mapping(record, "payload"))

    def _begin_turn(self, turn_id: str, model: str | None, start: int) -> None:
        if turn_id not in self.turn_starts:
            self.turn_starts[turn_id] = replace(self.position, offset=start)
        self.position.begin_turn(turn_id, model)

    def _read_session_meta(self, payload: Mapping[str, object], at_ms: int) -> Iterator[Event]:
        """Yield the session's start. A second `session_meta` begins the history that a fork was given."""
        known = self.position.session.get("id")
        if known is not None and text(payload, "id") not in (None, known):
            self.position.in_copied_history = True
            return
        self.position.session = session_facts(payload, at_ms)
        yield session_started(self.position.session, self._subagent_id)
        if self._subagent_id is not None:
            yield SubagentStarted(
                at_ms=at_ms,
                source=EventSource.TRANSCRIPT,
                subagent_id=self._subagent_id,
                agent_type=text(payload, "agent_role"),
            )


def _kind_and_payload(record: Mapping[str, object]) -> tuple[str, Mapping[str, object]]:
    kind, payload = text(record, "type") or "unnamed", mapping(record, "payload")
    return (text(payload, "type") or kind if kind in _NESTED_KINDS else kind), payload


def _skip_line(file: BinaryIO) -> int:
    """Skip the rest of a line and return its length in bytes."""
    size = 0
    while part := file.readline(1 << 20):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size
