"""A turn, or a session, as the Infinium API's trace payload. Absent values are left out, never null."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath

from infinium_trace.context import Limits, TraceContext
from infinium_trace.events import EventSource, FileChange, TokenUsage, TurnStatus
from infinium_trace.identity import trace_key
from infinium_trace.languages import languages_of
from infinium_trace.preview import clean, preview
from infinium_trace.redact import Redactor
from infinium_trace.session import (
    Compaction,
    Message,
    ModelCall,
    PermissionRequest,
    Session,
    Step,
    Subagent,
    ToolCall,
    Turn,
)

MAX_NAME = 500
MAX_DESCRIPTION = 10_000
MAX_DURATION_SECONDS = 86_400.0
_NAME = 80
_MARK = 40
"""Room for a preview's mark."""
_LAST_MS = 253_402_300_799_000
"""The last second of the year 9999."""
_ERROR_LINE = 300

Payload = dict[str, object]


def turn_payload(session: Session, turn: Turn, context: TraceContext, limits: Limits, redactor: Redactor) -> Payload:
    """The trace of one turn."""
    writer = _Writer(session, context, limits, redactor)
    key = trace_key(context.session_id, None, turn.id, "turn")
    tags = {"turn": turn.id, "trace_key": key, "kind": "turn"}
    return writer.payload((turn,), writer.title(turn), _says(turn), tags)


def session_payload(
    session: Session, turns: Sequence[Turn], context: TraceContext, limits: Limits, redactor: Redactor, *, part: int
) -> Payload:
    """The summary of `turns`, the session's `part`: 1, or more where the user came back after a summary."""
    writer = _Writer(session, context, limits, redactor)
    key = trace_key(context.session_id, None, str(part), "session")
    tags = {"trace_key": key, "kind": "session", "part": str(part), "turns": str(len(turns))}
    title = f"Session of {_count(len(turns), 'turn')}" + (f", part {part}" if part > 1 else "")
    if turns:
        title += f": {writer.title(turns[0])}"
    return writer.payload(tuple(turns), title, "; ".join(map(_says, turns)), tags)


class _Writer:
    """Writes one payload: every text is cleaned and goes through the redactor before it is cut."""

    def __init__(self, session: Session, context: TraceContext, limits: Limits, redactor: Redactor) -> None:
        self.session, self.context, self.limits, self.redactor = session, context, limits, redactor
        self.errors: list[Payload] = []
        self._texts: dict[str, str] = {}
        """Texts as they may be shown: each is gone through once, so that what was taken out is counted once."""
        self.cwd: str | None = None
        """The directory of the turn being written: paths below it are told without it."""
        self.cut = 0

    def title(self, turn: Turn) -> str:
        line = next(iter(self.text(turn.prompt).strip().splitlines()), "")
        return preview(line, _NAME) if line else f"Turn {turn.id}"

    def text(self, value: str | None) -> str:
        if value is None or self.context.metadata_only:
            return ""
        if value not in self._texts:
            # Cleaned first: a secret with terminal escapes in it would not be known for one.
            self._texts[value] = self.redactor.text(clean(value))
        return self._texts[value]

    def redacted(self, arguments: Mapping[str, object] | str | None) -> Mapping[str, object] | str | None:
        """A call's arguments; what stands under the name of a secret is one, whatever it looks like."""
        if not isinstance(arguments, Mapping):
            return arguments
        found = self.redactor.value(dict(arguments))
        return found if isinstance(found, dict) else {}

    def short(self, value: str | None, limit: int) -> str | None:
        text = self.text(value)
        shown = preview(text, limit)
        self.cut += shown != text
        return shown or None

    def payload(self, turns: tuple[Turn, ...], title: str, description: str, tags: Mapping[str, str]) -> Payload:
        steps = self._steps(turns)
        for turn in turns:
            if turn.status in (TurnStatus.FAILED, TurnStatus.INTERRUPTED):
                self.errors.append(_turn_error(turn, self.text(turn.reason) or turn.status.value))
        started = min((turn.started_at_ms for turn in turns), default=0)
        ended = max((turn.ended_at_ms or turn.started_at_ms for turn in turns), default=started)
        prompts = [turn.prompt for turn in turns if turn.prompt]
        prompt = self.short("\n\n".join(prompts), self.limits.input_summary) if prompts else None
        words = [turn.last_message for turn in turns if turn.last_message]
        body: Payload = _present(
            name=title[:MAX_NAME],
            description=_within(description, MAX_DESCRIPTION),
            current_datetime=_iso(ended),
            duration=min(max(sum(turn.duration_ms or 0.0 for turn in turns) / 1000, 0.0), MAX_DURATION_SECONDS),
            input_summary=prompt,
            output_summary=self.short("\n\n".join(words), self.limits.output_summary) if words else None,
            expected_outcome={"task_objective": prompt} if prompt else None,
            steps=steps,
            errors=self.errors,
            llm_usage=self._usage(turns),
            sections=self._sections(turns, started, ended),
        )
        return self._finished(body | {"environment": self._environment(turns, tags)})

    def _finished(self, body: Payload) -> Payload:
        """The payload with what a path, a branch or a name may hold taken out too, and with what was taken out told."""
        found = self.redactor.value(body)
        assert isinstance(found, dict)
        if self.redactor.counts:
            told = ", ".join(f"{kind}: {number}" for kind, number in sorted(self.redactor.counts.items()))
            found["environment"]["custom_tags"]["redacted"] = told
        return found

    def _steps(self, turns: Iterable[Turn]) -> list[Payload]:
        written: list[Payload] = []
        for turn in turns:
            self.cwd = turn.cwd or self.session.cwd
            for step in turn.steps:
                self._step(step, written, {})
        return written

    def _step(self, step: Step, written: list[Payload], metadata: dict[str, object]) -> None:
        number = len(written) + 1
        match step:
            case ToolCall():
                written.append(self._tool_step(number, step, metadata))
            case Message():
                said = self.short(step.text, self.limits.output_preview)
                written.append(
                    _present(
                        step_number=number, action="message", description="Said", output_preview=said, metadata=metadata
                    )
                )
            case Compaction():
                what = f"Compacted the conversation ({step.trigger})" if step.trigger else "Compacted the conversation"
                written.append(
                    _present(
                        step_number=number, action="compaction", description=what, duration_ms=_ms(step.duration_ms)
                    )
                )
            case PermissionRequest():
                asked = self.short(_argument_text(self.redacted(step.arguments)), self.limits.input_preview)
                what = f"Asked for leave to run {step.tool}"
                written.append(
                    _present(step_number=number, action="permission_request", description=what, input_preview=asked)
                )
            case Subagent():
                written.append(
                    _present(
                        step_number=number,
                        action="subagent",
                        description=f"Subagent {step.agent_type or step.agent_id}",
                        duration_ms=_ms(step.duration_ms),
                        output_preview=self.short(step.last_message, self.limits.output_preview),
                        metadata={"agent_id": step.agent_id, **_tokens(step.usage)},
                    )
                )
                for inner in step.steps:
                    self._step(inner, written, {"agent_id": step.agent_id})

    def _tool_step(self, number: int, call: ToolCall, metadata: dict[str, object]) -> Payload:
        arguments = self.redacted(call.arguments)
        asked = self.short(_argument_text(arguments), self.limits.input_preview)
        answered = self.short(call.output, self.limits.output_preview)
        error = self._tool_error(call) if call.failed else None
        duration = _ms(call.duration_ms)
        return _present(
            step_number=number,
            action="tool_call",
            description=self._tool_description(call, arguments),
            duration_ms=duration,
            input_preview=asked,
            output_preview=answered,
            error=error,
            tool_call=_present(
                tool_name=call.tool,
                duration_ms=duration,
                input_summary=asked,
                output_summary=answered,
                error=error["message"] if error else None,
            ),
            metadata=_present(
                call_id=call.call_id,
                exit_code=call.exit_code,
                cwd=call.cwd,
                finished=None if call.finished else False,
                files=[_change(change, self.cwd) for change in call.changes],
            )
            | metadata,
        )

    def _tool_description(self, call: ToolCall, arguments: Mapping[str, object] | str | None) -> str:
        command = arguments.get("command") if isinstance(arguments, Mapping) else None
        if isinstance(command, str) and not self.context.metadata_only:
            lines = self.text(command).strip().splitlines()
            return preview(lines[0], _NAME) if lines else call.tool
        if call.changes:
            return f"{call.tool}: {', '.join(_relative(change.path, self.cwd) for change in call.changes)}"[:MAX_NAME]
        return call.tool

    def _tool_error(self, call: ToolCall) -> Payload:
        line = next((line for line in self.text(call.output).splitlines() if line.strip()), "")
        if call.exit_code is not None:
            kind, message, code = (
                "CommandFailed",
                f"{call.tool} ended with exit code {call.exit_code}",
                str(call.exit_code),
            )
            message += f": {preview(line, _ERROR_LINE)}" if line else ""
        else:
            kind, code = "ToolFailed", None
            message = preview(self.text(call.error) or line or f"{call.tool} failed", _ERROR_LINE)
        error = _present(error_type=kind, message=message, recoverable=True, error_code=code)
        self.errors.append(error)
        return error

    def _usage(self, turns: tuple[Turn, ...]) -> Payload | None:
        calls = [call for turn in turns for call in turn.calls]
        models = _models(turns)
        if not calls and not models:
            return None
        usage = sum((call.usage for call in calls), TokenUsage())
        latencies = [call.latency_ms for call in calls if call.latency_ms is not None]
        return _present(
            model=models[0] if models else None,
            provider=self.session.provider,
            prompt_tokens=usage.prompt if calls else None,
            completion_tokens=usage.completion if calls else None,
            total_tokens=usage.total if calls else None,
            api_calls_count=len(calls) if calls else None,
            total_latency_ms=sum(latencies) if latencies else None,
            calls=[self._model_call(call) for call in calls],
        )

    def _model_call(self, call: ModelCall) -> Payload:
        return _present(
            model=call.model,
            provider=self.session.provider,
            prompt_tokens=call.usage.prompt,
            completion_tokens=call.usage.completion,
            latency_ms=call.latency_ms,
            purpose=f"subagent {call.agent_id}" if call.agent_id else None,
        )

    def _sections(self, turns: tuple[Turn, ...], started: int, ended: int) -> Payload:
        files = _files(turns, self.session.cwd)
        languages = languages_of(files)
        tools = Counter(call.tool for turn in turns for call in turn.tool_calls)
        warnings = [
            f"{_count(number, 'record')} not understood: {kind}" for kind, number in self.session.skipped.items()
        ]
        if EventSource.TRANSCRIPT not in self.session.sources:
            warnings.append("No transcript: tokens, exit codes and exact durations are not known.")
        return _present(
            development=_present(
                programming_language=", ".join(languages) or None,
                files_modified=files,
            ),
            general=_present(tools_used=sorted(tools), warnings=warnings, tags=["codex"]),
            time_tracking=_present(start_time=_iso(started), end_time=_iso(ended)),
            project=_present(project_name=self.context.project_name),
        )

    def _environment(self, turns: tuple[Turn, ...], tags: Mapping[str, str]) -> Payload:
        session, context = self.session, self.context
        usage = sum((turn.usage for turn in turns), TokenUsage())
        told = any(turn.calls for turn in turns)
        last = turns[-1] if turns else None
        custom = _present(
            session=context.session_id,
            status=", ".join(dict.fromkeys(turn.status.value for turn in turns)),
            cwd=(last.cwd if last else None) or session.cwd,
            git_branch=session.git_branch or context.git_branch,
            git_commit=session.git_commit or context.git_commit,
            permission_mode=(last.permission_mode if last else None) or session.permission_mode,
            models=", ".join(_models(turns)),
            originator=session.originator,
            cached_tokens=str(usage.cached) if told else None,
            reasoning_tokens=str(usage.reasoning) if told else None,
            first_token_ms=str(last.first_token_ms) if last and last.first_token_ms is not None else None,
            sources=", ".join(sorted(session.sources)),
            os=context.os,
            redaction=context.redaction,
            previews_cut=str(self.cut) if self.cut else None,
        )
        return _present(
            framework=context.agent_program,
            framework_version=session.client_version,
            sdk_version=context.connector_version,
            python_version=context.runtime.rpartition(" ")[2] if context.runtime else None,
            runtime=context.runtime,
            custom_tags={**custom, **tags, **context.extra_tags},
        )


def _says(turn: Turn) -> str:
    """What a reader of the list wants to know of a turn, in a line."""
    calls = turn.tool_calls
    failed = sum(call.failed for call in calls)
    parts = [f"{turn.status.value} turn", _count(len(calls), "tool call") + (f" ({failed} failed)" if failed else "")]
    if turn.changes:
        parts.append(f"{_count(len(turn.changes), 'file')} changed")
    if turn.calls:
        usage = turn.usage
        parts.append(
            f"{usage.prompt:,} prompt ({usage.cached:,} cached) and {usage.completion:,} completion"
            f" ({usage.reasoning:,} reasoning) tokens in {_count(len(turn.calls), 'model call')}"
        )
    return ", ".join(parts)


def _turn_error(turn: Turn, reason: str) -> Payload:
    kind = "TurnFailed" if turn.status is TurnStatus.FAILED else "TurnInterrupted"
    return {"error_type": kind, "message": preview(reason, _ERROR_LINE), "recoverable": True}


def _files(turns: tuple[Turn, ...], cwd: str | None) -> list[str]:
    """Paths of the changed files, below their turn's directory (or the session's `cwd`) without it."""
    found: dict[str, None] = {}
    for turn in turns:
        for change in turn.changes:
            found.setdefault(_relative(change.moved_to or change.path, turn.cwd or cwd))
    return sorted(found)


def _relative(path: str, cwd: str | None) -> str:
    if cwd and PurePosixPath(path).is_relative_to(cwd):
        return str(PurePosixPath(path).relative_to(cwd))
    return path


def _models(turns: tuple[Turn, ...]) -> list[str]:
    return list(dict.fromkeys(model for turn in turns for model in turn.models))


def _tokens(usage: TokenUsage) -> Payload:
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion} if usage.total else {}


def _change(change: FileChange, cwd: str | None) -> Payload:
    return _present(
        path=_relative(change.path, cwd),
        kind=change.kind.value,
        moved_to=_relative(change.moved_to, cwd) if change.moved_to else None,
        lines_added=change.lines_added,
        lines_removed=change.lines_removed,
    )


def _argument_text(arguments: Mapping[str, object] | str | None) -> str | None:
    if arguments is None or isinstance(arguments, str):
        return arguments
    command = arguments.get("command")
    if len(arguments) == 1 and isinstance(command, str):
        return command
    return json.dumps(arguments, ensure_ascii=False, default=str)


def _ms(duration: float | None) -> float | int | None:
    """Milliseconds, to the microsecond; a whole number where there is no fraction."""
    if duration is None:
        return None
    rounded = round(duration, 3)
    return int(rounded) if rounded.is_integer() else rounded


def _within(text: str, limit: int) -> str:
    """The text, or its beginning with a mark, in `limit` characters."""
    return text if len(text) <= limit else preview(text, limit - _MARK)


def _iso(epoch_ms: int) -> str:
    epoch_ms = min(max(epoch_ms, 0), _LAST_MS)  # a record may date itself anywhere
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _present(**fields: object) -> Payload:
    """The fields that have something to say."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}
