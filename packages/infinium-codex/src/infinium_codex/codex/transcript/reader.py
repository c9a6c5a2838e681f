"""Codex's transcript (rollout JSONL) as neutral events, read from where the last reading stopped."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from infinium_trace.events import (
    AssistantSaid,
    Compacted,
    Event,
    EventSource,
    RecordSkipped,
    SubagentStarted,
    ToolFinished,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)
from msgspec.structs import replace

from infinium_codex.codex.event_fields import Where
from infinium_codex.codex.tools import given_more, patch_changes
from infinium_codex.codex.transcript.calls import CALLS, OUTPUTS, call_finished, call_started, poll_finished, spawned
from infinium_codex.codex.transcript.head import SAYS_NOTHING, read_head, total_tokens
from infinium_codex.codex.transcript.items import IGNORED, item_completed, mcp_ended, patch_applied
from infinium_codex.codex.transcript.passing import pass_over
from infinium_codex.codex.transcript.position import Position, session_facts, session_started
from infinium_codex.codex.transcript.tokens import count_tokens
from infinium_codex.support.json_fields import content, epoch_ms, integer, mapping, parse_object, text

__all__ = ["Position", "Transcript", "session_started"]

MAX_LINE_BYTES = 32 << 20
"""A longer line is passed over: no record we need comes near it."""


class Transcript:
    """Reads one transcript forward. After every event `position` is where a later reading can take up again."""

    def __init__(
        self,
        path: Path,
        position: Position | None = None,
        *,
        subagent_id: str | None = None,
        wanted: frozenset[str] | None = None,
    ) -> None:
        """Read `path` from `position` on. Of turns that are not `wanted` nothing is told, and little is parsed."""
        self.path = path
        self.position = position.copy() if position else Position()
        self.turn_starts: dict[str, Position] = {}
        """For every turn that began in what was read, the position before its first record."""
        self._subagent_id = subagent_id
        self._wanted = wanted

    def read(self) -> Iterator[Event]:
        """Events of the records since the last reading. A transcript that is not there has none.

        A last line without its newline is left for the next reading.
        """
        file = _open_regular(self.path)
        if file is None:
            return
        with file:
            if os.fstat(file.fileno()).st_size < self.position.offset:
                self.position = Position()  # replaced by a shorter file: begin again, traces are known by their keys
            file.seek(self.position.offset)
            yield from self._read(file)

    def _read(self, file: BinaryIO) -> Iterator[Event]:
        while True:
            if self._wanted is not None and self._is_in_unwanted_turn(self._wanted):
                self._pass_over_turns(file, self._wanted)
            line = file.readline(MAX_LINE_BYTES)
            size, whole = len(line), line.endswith(b"\n")
            if not whole:
                if size < MAX_LINE_BYTES:
                    return
                size += _skip_line(file)
            start = self.position.offset
            self.position.offset = start + size
            if not self._passes_over(line):
                yield from self._translate(line if whole else b"", start)

    def _passes_over(self, line: bytes) -> bool:
        """Whether all there is to know of a record stands in its head."""
        head = read_head(line)
        if head is None:
            return False
        name, timestamp = head
        if name in SAYS_NOTHING:
            if not self.position.copying:
                self.position.note_time(name, None, epoch_ms(timestamp.decode("ascii", "replace")) or 0)
            return True
        return name == "token_count" and total_tokens(line) == self.position.total.total

    def _is_in_unwanted_turn(self, wanted: frozenset[str]) -> bool:
        """Whether the next records are of turns nobody wants. A command that runs on may be told of in any of them."""
        turn = self.position.turn_id
        return turn is not None and not self.position.running and turn not in wanted

    def _pass_over_turns(self, file: BinaryIO, wanted: frozenset[str]) -> None:
        """Move on to the next record that may matter, knowing how things stood there."""
        start = self.position.offset
        size, state = pass_over(file, map(str.encode, wanted))
        for at, line in state:
            self.position.offset = start + at + len(line)
            self._translate(line, start + at)  # what it tells is of a turn nobody wants
        self.position.offset = start + size

    def _translate(self, line: bytes, start: int) -> Iterable[Event]:
        record = parse_object(line)
        if record is None:
            return (RecordSkipped(at_ms=0, source=EventSource.TRANSCRIPT, what="transcript:unreadable"),)
        at_ms = epoch_ms(record.get("timestamp")) or 0
        kind, payload = text(record, "type") or "unnamed", mapping(record, "payload")
        name = text(payload, "type") or kind if kind in ("event_msg", "response_item") else kind
        if name == "session_meta":
            return tuple(self._session(payload, at_ms))
        turn_id = text(payload, "turn_id")
        if name in ("task_started", "turn_context") and turn_id:
            if turn_id not in self.turn_starts:
                self.turn_starts[turn_id] = replace(self.position, offset=start)
            self.position.begin_turn(turn_id, text(payload, "model"))
        at = Where(
            at_ms=at_ms,
            source=EventSource.TRANSCRIPT,
            turn_id=turn_id or self.position.turn_id,
            subagent_id=self._subagent_id,
        )
        if self.position.copying:
            if name == "token_count":
                count_tokens(self.position, at, name, payload)
            return ()  # the history of the session this one was forked from: its own trace tells it
        self.position.note_time(name, text(payload, "role"), at_ms)
        return tuple(self._events(at, name, payload))

    def _session(self, payload: Mapping[str, object], at_ms: int) -> Iterator[Event]:
        """A transcript's first `session_meta` is its own; another one heads the history it was forked with."""
        known = self.position.session.get("id")
        if known is not None and text(payload, "id") not in (None, known):
            self.position.copying = True
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

    def _events(self, at: Where, name: str, payload: Mapping[str, object]) -> Iterator[Event]:
        match name:
            case "task_started" | "turn_context":
                yield from self._turn_started(at, payload)
            case "user_message" if prompt := text(payload, "message"):
                yield TurnStarted(**at, prompt=prompt)
            case "message" if text(payload, "role") == "assistant":
                if said := content(payload.get("content")):
                    yield AssistantSaid(**at, text=said, message_id=text(payload, "id"))
            case _ if name in CALLS:
                yield from self._called(at, payload)
            case _ if name in OUTPUTS:
                if text(payload, "call_id"):  # else something Codex tells the model unasked
                    yield from self._answered(at, payload)
            case "item_completed":
                for event in item_completed(at, mapping(payload, "item"), payload):
                    yield self._nested(event) if isinstance(event, ToolFinished) else event
            case "patch_apply_end":
                call_id = text(payload, "call_id") or "unidentified"
                self.position.take_patch(call_id)
                yield patch_applied(at, call_id, payload)
            case "mcp_tool_call_end":
                yield mcp_ended(at, payload)
            case "token_usage_record" | "token_count":
                yield from count_tokens(self.position, at, name, payload)
            case "task_complete":
                yield self._completed(at, payload)
            case "turn_aborted":
                yield TurnEnded(
                    **at,
                    status=TurnStatus.INTERRUPTED,
                    reason=text(payload, "reason"),
                    duration_ms=integer(payload, "duration_ms"),
                )
            case "error":
                yield TurnEnded(**at, status=TurnStatus.FAILED, reason=text(payload, "message"))
            case "compacted":
                yield Compacted(**at, phase="finished", summary=text(payload, "message"))
            case _ if name not in IGNORED:
                yield RecordSkipped(**at, what=f"transcript:{name[:64]}")

    def _completed(self, at: Where, payload: Mapping[str, object]) -> TurnEnded:
        """Also a turn that failed is complete to Codex; before 0.145 nothing but the missing answer tells of it."""
        error, last = mapping(payload, "error"), text(payload, "last_agent_message")
        unanswered = last is None and self.position.prompted and not self.position.tells_failures
        return TurnEnded(
            **at,
            status=TurnStatus.FAILED if error or unanswered else TurnStatus.COMPLETED,
            guessed=unanswered and not error,
            reason=text(error, "message") or ("the model gave no answer" if unanswered else None),
            last_message=last,
            duration_ms=integer(payload, "duration_ms"),
            first_token_ms=integer(payload, "time_to_first_token_ms"),
        )

    def _nested(self, event: ToolFinished) -> ToolFinished:
        """The event with the program of Code Mode that made the call, if one did."""
        self.position.take_patch(event.call_id)
        return replace(event, parent_call_id=self.position.program) if event.call_id.startswith("exec-") else event

    def _turn_started(self, at: Where, payload: Mapping[str, object]) -> Iterator[Event]:
        yield TurnStarted(
            **at,
            cwd=text(payload, "cwd"),
            model=text(payload, "model"),
            effort=text(payload, "effort") or text(mapping(payload, "collaboration_mode"), "reasoning_effort"),
        )
        root = text(payload, "root_turn_id")
        if at["subagent_id"] is not None and root is not None and root != at["turn_id"]:
            yield SubagentStarted(**at, parent_turn_id=root)

    def _called(self, at: Where, payload: Mapping[str, object]) -> Iterator[Event]:
        started = call_started(at, payload)
        position = self.position
        if started.tool == "apply_patch" and isinstance(started.arguments, str):
            position.patches = {**position.patches, started.call_id: started.arguments}
        elif started.tool == "write_stdin" and isinstance(started.arguments, Mapping):
            process = str(started.arguments.get("session_id"))
            position.polls = {**position.polls, started.call_id: process}
        elif started.tool == "exec":
            position.program = started.call_id
        elif subagent_id := given_more(started.tool, started.arguments):
            position.given = {**position.given, started.call_id: subagent_id}
        yield started
        if text(payload, "type") == "web_search_call":  # it has no output: the model's side ran it
            yield ToolFinished(**at, call_id=started.call_id, failed=text(payload, "status") == "failed" or None)

    def _answered(self, at: Where, payload: Mapping[str, object]) -> Iterator[Event]:
        finished, process = call_finished(at, payload)
        call_id = finished.call_id
        patch = self.position.take_patch(call_id)
        polled = self.position.polls.get(call_id)
        if polled is not None:
            yield from self._polled(at, finished, polled)
            return
        if process is not None:
            self.position.running = {**self.position.running, process: (at["turn_id"] or "", call_id)}
        if self.position.program == call_id:
            self.position.program = None
        applied = finished.exit_code in (0, None) and not finished.failed
        yield replace(finished, changes=patch_changes(patch)) if patch and applied else finished
        yield from spawned(at, finished, self.position.given.get(call_id))
        self.position.given = {call: agent for call, agent in self.position.given.items() if call != call_id}

    def _polled(self, at: Where, finished: ToolFinished, process: str) -> Iterator[Event]:
        """What a look at a command in the background tells is told of that command."""
        position = self.position
        position.polls = {call: of for call, of in position.polls.items() if call != finished.call_id}
        origin = position.running.get(process)
        if origin is not None and not finished.still_running and not finished.error:
            position.running = {of: call for of, call in position.running.items() if of != process}
        yield from poll_finished(at, finished, origin)


def _open_regular(path: Path) -> BinaryIO | None:
    """Open a file of the user's own for reading; a device, a FIFO, another user's file or none at all is None."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        os.close(fd)
        return None
    return os.fdopen(fd, "rb")


def _skip_line(file: BinaryIO) -> int:
    """Pass over the rest of a line; its bytes."""
    size = 0
    while part := file.readline(1 << 20):
        size += len(part)
        if part.endswith(b"\n"):
            break
    return size
