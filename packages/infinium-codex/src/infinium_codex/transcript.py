"""Codex's transcript (rollout JSONL) as neutral events, read from where the last reading stopped."""

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Self

from infinium_trace.events import (
    AssistantSaid,
    Compacted,
    Event,
    EventSource,
    ModelResponded,
    RecordSkipped,
    SessionStarted,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)

from infinium_codex.codex_tools import (
    UNIFIED_EXEC_HEAD_MS,
    ToolResult,
    patch_changes,
    read_output,
    recorded_changes,
    tool_arguments,
    tool_name,
)
from infinium_codex.fields import epoch_ms, integer, mapping, parse_object, text
from infinium_codex.where import Where

MAX_LINE_BYTES = 32 << 20
"""A longer line is passed over: no record we need comes near it."""

_IGNORED = frozenset({
    "world_state", "thread_settings_applied", "thread_goal_updated", "user_message", "agent_message", "agent_reasoning",
    "reasoning", "message", "AgentMessage", "Reasoning", "HookPrompt", "ContextCompaction",
    "patch_apply_begin", "turn_diff", "exec_command_begin", "session_configured", "thread_name_updated",
})  # fmt: skip
"""Records that say nothing a trace wants, or say again what another record says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """How far a transcript was read, and what the records before there said that later ones leave out."""

    offset: int = 0
    turn_id: str | None = None
    model: str | None = None
    responses: int = 0
    """Responses counted from running totals, to name them apart."""
    total: TokenUsage = field(default_factory=TokenUsage)
    """The thread's tokens so far: a repeated `token_count` adds nothing to it."""
    session: Mapping[str, str] = field(default_factory=dict)
    """The session's facts from `session_meta`, kept because only the transcript's first line has them."""

    def to_dict(self) -> dict[str, object]:
        return {**asdict(self), "session": dict(self.session)}

    @classmethod
    def from_dict(cls, record: Mapping[str, object]) -> Self:
        """A position as `to_dict` wrote it; whatever does not fit reads as the start."""
        total = mapping(record, "total")
        return cls(
            offset=max(integer(record, "offset") or 0, 0),
            turn_id=text(record, "turn_id"),
            model=text(record, "model"),
            responses=integer(record, "responses") or 0,
            total=TokenUsage(**{name: integer(total, name) or 0 for name in _USAGE}),
            session={key: value for key, value in mapping(record, "session").items() if isinstance(value, str)},
        )


_USAGE = {
    "prompt": "input_tokens",
    "completion": "output_tokens",
    "cached": "cached_input_tokens",
    "reasoning": "reasoning_output_tokens",
}


class Transcript:
    """Reads one transcript forward. After every event `position` is where a later reading can take up again."""

    def __init__(self, path: Path, position: Position | None = None, *, agent_id: str | None = None) -> None:
        self.path = path
        self.position = position or Position()
        self.turn_starts: dict[str, Position] = {}
        """For every turn that began in what was read, the position before its first record."""
        self._agent_id = agent_id
        self._patches: dict[str, str] = {}
        """Patches whose changes no record has told yet: up to 0.128 only the call itself names the files."""

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
            while line := file.readline(MAX_LINE_BYTES):
                before = self.position
                whole = line.endswith(b"\n")
                if not whole:
                    if len(line) < MAX_LINE_BYTES:
                        return
                    _skip_line(file)
                self.position = replace(before, offset=file.tell())
                yield from self._translate(line if whole else b"", before)

    def _translate(self, line: bytes, before: Position) -> Iterator[Event]:
        record = parse_object(line)
        if record is None:
            yield RecordSkipped(at_ms=0, source=EventSource.TRANSCRIPT, what="transcript:unreadable")
            return
        at_ms = epoch_ms(record.get("timestamp")) or 0
        kind, payload = text(record, "type") or "unnamed", mapping(record, "payload")
        name = text(payload, "type") or kind if kind in ("event_msg", "response_item") else kind
        turn_id = text(payload, "turn_id")
        if name in ("task_started", "turn_context") and turn_id:
            self.turn_starts.setdefault(turn_id, before)
            self.position = replace(self.position, turn_id=turn_id, model=text(payload, "model") or self.position.model)
        at = Where(
            at_ms=at_ms,
            source=EventSource.TRANSCRIPT,
            turn_id=turn_id or self.position.turn_id,
            agent_id=self._agent_id,
        )
        yield from self._events(at, name, payload)

    def _events(self, at: Where, name: str, payload: Mapping[str, object]) -> Iterator[Event]:
        match name:
            case "session_meta":
                self.position = replace(self.position, session=_session_facts(payload, at["at_ms"]))
                yield session_started(self.position.session, self._agent_id)
            case "task_started" | "turn_context":
                yield TurnStarted(
                    **at,
                    cwd=text(payload, "cwd"),
                    model=text(payload, "model"),
                    effort=text(payload, "effort") or text(mapping(payload, "collaboration_mode"), "reasoning_effort"),
                )
            case "user_message" if prompt := text(payload, "message"):
                yield TurnStarted(**at, prompt=prompt)
            case "message" if text(payload, "role") == "assistant":
                if said := _content(payload.get("content")):
                    yield AssistantSaid(**at, text=said, message_id=text(payload, "id"))
            case "function_call" | "custom_tool_call" | "local_shell_call":
                started = _tool_started(at, payload)
                if started.tool == "apply_patch" and isinstance(started.arguments, str):
                    self._patches[started.call_id] = started.arguments
                yield started
            case "function_call_output" | "custom_tool_call_output":
                finished = _tool_output(at, payload)
                patch = self._patches.pop(finished.call_id, "")
                applied = finished.exit_code in (0, None) and not finished.failed
                yield replace(finished, changes=patch_changes(patch) if applied else ())
            case "item_completed":
                for event in _item(at, mapping(payload, "item"), payload):
                    if isinstance(event, ToolFinished):
                        self._patches.pop(event.call_id, None)
                    yield event
            case "patch_apply_end":
                self._patches.pop(text(payload, "call_id") or "", None)
                failed = payload.get("success") is False
                yield ToolFinished(
                    **at,
                    call_id=text(payload, "call_id") or "unidentified",
                    failed=failed or None,
                    changes=() if failed else recorded_changes(mapping(payload, "changes")),
                )
            case "token_usage_record" | "token_count":
                yield from self._tokens(at, name, payload)
            case "task_complete":
                error = mapping(payload, "error")
                yield TurnEnded(
                    **at,
                    status=TurnStatus.FAILED if error else TurnStatus.COMPLETED,
                    reason=text(error, "message"),
                    last_message=text(payload, "last_agent_message"),
                    duration_ms=integer(payload, "duration_ms"),
                    first_token_ms=integer(payload, "time_to_first_token_ms"),
                )
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
                yield Compacted(**at, phase="finished")
            case _ if name not in _IGNORED:
                yield RecordSkipped(**at, what=f"transcript:{name[:64]}")

    def _tokens(self, at: Where, name: str, payload: Mapping[str, object]) -> Iterator[Event]:
        """One event a response. Both records carry the thread's running total, which tells what is new."""
        known = self.position.total
        if name == "token_usage_record":
            total, usage = _usage(mapping(payload, "thread_token_usage")), _usage(mapping(payload, "usage"))
            response_id = text(payload, "response_id")
        else:
            total = _usage(mapping(mapping(payload, "info"), "total_token_usage"))
            usage = TokenUsage(**{part: max(getattr(total, part) - getattr(known, part), 0) for part in _USAGE})
            response_id = None
        if total.total <= known.total:
            return
        number = self.position.responses + 1
        self.position = replace(self.position, total=total, responses=number)
        yield ModelResponded(
            **at,
            response_id=response_id or f"response-{number}",
            usage=usage,
            model=self.position.model,
        )


def session_started(facts: Mapping[str, str], agent_id: str | None = None) -> SessionStarted:
    """The session's start as its `session_meta` told it, now or in an earlier reading."""
    return SessionStarted(
        at_ms=int(facts.get("started_ms") or 0),
        source=EventSource.TRANSCRIPT,
        agent_id=agent_id,
        cwd=facts.get("cwd"),
        provider=facts.get("provider"),
        client_version=facts.get("client_version"),
        originator=facts.get("originator"),
        git_branch=facts.get("git_branch"),
        git_commit=facts.get("git_commit"),
        forked_from=facts.get("forked_from"),
    )


def _session_facts(payload: Mapping[str, object], at_ms: int) -> dict[str, str]:
    git = mapping(payload, "git")
    found = {
        "started_ms": str(at_ms),
        "cwd": text(payload, "cwd"),
        "provider": text(payload, "model_provider"),
        "client_version": text(payload, "cli_version"),
        "originator": text(payload, "originator"),
        "git_branch": text(git, "branch"),
        "git_commit": text(git, "commit_hash"),
        "forked_from": text(payload, "forked_from_id"),
    }
    return {key: value for key, value in found.items() if value}


def _tool_started(at: Where, payload: Mapping[str, object]) -> ToolStarted:
    name = text(payload, "name") or "unknown"
    raw = payload.get("arguments") if "arguments" in payload else payload.get("input")
    return ToolStarted(
        **at,
        call_id=text(payload, "call_id") or "unidentified",
        tool=tool_name(name),
        arguments=tool_arguments(name, raw),
    )


def _tool_output(at: Where, payload: Mapping[str, object]) -> ToolFinished:
    result: ToolResult = read_output(payload.get("output"))
    return ToolFinished(
        **at,
        call_id=text(payload, "call_id") or "unidentified",
        output=result.output,
        exit_code=result.exit_code,
        duration_ms=result.duration_ms,
        failed=True if result.error else None,
        error=result.error,
        still_running=result.still_running,
    )


def _item(at: Where, item: Mapping[str, object], payload: Mapping[str, object]) -> Iterator[Event]:
    """`item_completed`, from 0.150 on: the whole of one thing that happened."""
    kind, call_id = text(item, "type") or "unnamed", text(item, "id") or "unidentified"
    started, ended = integer(payload, "started_at_ms"), integer(payload, "completed_at_ms")
    if ended is not None:
        at = Where(**{**at, "at_ms": ended})
    if kind == "CommandExecution":
        yield ToolFinished(
            **at,
            call_id=call_id,
            output=text(item, "aggregated_output"),
            exit_code=integer(item, "exit_code"),
            duration_ms=_command_ms(item),
            failed=True if text(item, "status") in ("failed", "declined") else None,
            cwd=(text(item, "cwd") or "").removeprefix("file://") or None,
        )
    elif kind == "FileChange":
        failed = text(item, "status") in ("failed", "declined")
        elapsed = float(ended - started) if started is not None and ended is not None else None
        yield ToolFinished(
            **at,
            call_id=call_id,
            duration_ms=elapsed,
            failed=True if failed else None,
            changes=() if failed else recorded_changes(mapping(item, "changes")),
        )
    elif kind == "UserMessage":
        yield TurnStarted(**at, prompt=_content(item.get("content")) or None)
    elif kind not in _IGNORED:
        yield RecordSkipped(**at, what=f"item:{kind[:64]}")


def _command_ms(item: Mapping[str, object]) -> float | None:
    duration = mapping(item, "duration")
    seconds, nanos = integer(duration, "secs"), integer(duration, "nanos")
    if seconds is None:
        return None
    head = UNIFIED_EXEC_HEAD_MS if (text(item, "source") or "").startswith("unified_exec") else 0.0
    return seconds * 1000.0 + (nanos or 0) / 1_000_000 + head


def _usage(record: Mapping[str, object]) -> TokenUsage:
    return TokenUsage(**{name: max(integer(record, field_) or 0, 0) for name, field_ in _USAGE.items()})


def _content(items: object) -> str:
    if not isinstance(items, list):
        return ""
    return "".join(found for item in items if isinstance(item, dict) and (found := text(item, "text")))


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


def _skip_line(file: BinaryIO) -> None:
    while part := file.readline(1 << 20):
        if part.endswith(b"\n"):
            return
