"""A turn, or a session, as the Infinium API's trace payload. Absent values are left out, never null."""

from collections import Counter
from collections.abc import Mapping, Sequence

from infinium_trace._shown import Payload, Shown, count, iso, present, relative, within
from infinium_trace._steps import StepWriter
from infinium_trace.context import Limits, TraceContext
from infinium_trace.events import EventSource, TokenUsage
from infinium_trace.identity import trace_key
from infinium_trace.languages import languages_of
from infinium_trace.redact import Redactor
from infinium_trace.runner_output import last_runs
from infinium_trace.session import Compaction, ModelCall, Session, Turn

MAX_NAME = 500
MAX_DESCRIPTION = 10_000
MAX_DURATION_SECONDS = 86_400.0
_NAME = 80


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
    key = trace_key(context.session_id, None, turns[0].id if turns else str(part), "session")
    tags = {"trace_key": key, "kind": "session", "part": str(part), "turns": str(len(turns))}
    title = f"Session of {count(len(turns), 'turn')}" + (f", part {part}" if part > 1 else "")
    if turns:
        title += f": {writer.title(turns[0])}"
    return writer.payload(tuple(turns), title, "; ".join(map(_says, turns)), tags)


class _Writer:
    """Writes one payload."""

    def __init__(self, session: Session, context: TraceContext, limits: Limits, redactor: Redactor) -> None:
        self.session, self.context, self.limits, self.redactor = session, context, limits, redactor
        self.shown = Shown(context, redactor)

    def title(self, turn: Turn) -> str:
        line = self.shown.first_line(turn.prompt, _NAME)
        if not line and turn.prompt is None and any(isinstance(step, Compaction) for step in turn.steps):
            return "Compacted the conversation"
        return line or f"Turn {turn.id}"

    def payload(self, turns: tuple[Turn, ...], title: str, description: str, tags: Mapping[str, str]) -> Payload:
        steps = StepWriter(self.shown, self.limits)
        started = min((turn.started_at_ms for turn in turns), default=0)
        ended = max((turn.ended_at_ms or turn.started_at_ms for turn in turns), default=started)
        prompts = [turn.prompt for turn in turns if turn.prompt]
        prompt = self.shown.short("\n\n".join(prompts), self.limits.input_summary) if prompts else None
        words = [turn.last_message for turn in turns if turn.last_message]
        body: Payload = present(
            name=title[:MAX_NAME],
            description=within(description, MAX_DESCRIPTION),
            current_datetime=iso(ended),
            duration=min(max(sum(turn.duration_ms or 0.0 for turn in turns) / 1000, 0.0), MAX_DURATION_SECONDS),
            input_summary=prompt,
            output_summary=self.shown.short("\n\n".join(words), self.limits.output_summary) if words else None,
            expected_outcome={"task_objective": prompt} if prompt else None,
            steps=steps.write(turns, self.session.cwd),
            errors=steps.errors,
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

    def _usage(self, turns: tuple[Turn, ...]) -> Payload | None:
        calls = [call for turn in turns for call in turn.calls]
        models = _models(turns)
        if not calls and not models:
            return None
        usage = sum((call.usage for call in calls), TokenUsage())
        latencies = [call.latency_ms for call in calls if call.latency_ms is not None]
        return present(
            model=models[0] if models else None,
            provider=self.session.provider,
            prompt_tokens=usage.prompt if calls else None,
            completion_tokens=usage.completion if calls else None,
            total_tokens=usage.total if calls else None,
            estimated_cost_usd=self._cost(turns),
            api_calls_count=len(calls) if calls else None,
            total_latency_ms=sum(latencies) if latencies else None,
            calls=[self._model_call(call) for call in calls],
        )

    def _model_call(self, call: ModelCall) -> Payload:
        return present(
            model=call.model,
            provider=self.session.provider,
            prompt_tokens=call.usage.prompt,
            completion_tokens=call.usage.completion,
            latency_ms=call.latency_ms,
            purpose=f"subagent {call.agent_id}" if call.agent_id else None,
        )

    def _cost(self, turns: tuple[Turn, ...]) -> float | None:
        calls = [call for turn in turns for call in turn.calls]
        return self.context.prices.estimate(calls, self.session.provider) if calls else None

    def _cost_source(self, turns: tuple[Turn, ...]) -> str | None:
        return None if self._cost(turns) is None else f"list prices of {self.context.prices.as_of}"

    def _sections(self, turns: tuple[Turn, ...], started: int, ended: int) -> Payload:
        files = _files(turns, self.session.cwd)
        languages = languages_of(files)
        runs = last_runs(
            (str(call.arguments), call.output)
            for turn in turns
            for call in turn.tool_calls
            if call.output and call.exit_code is not None
        )
        tools = Counter(call.tool for turn in turns for call in turn.tool_calls)
        warnings = [f"The sources disagree on {what}." for turn in turns for what in turn.disagreements]
        warnings += [
            f"{count(number, 'record')} not understood: {kind}" for kind, number in self.session.skipped.items()
        ]
        if EventSource.TRANSCRIPT not in self.session.sources:
            warnings.append("No transcript: tokens, exit codes and exact durations are not known.")
        return present(
            development=present(
                programming_language=", ".join(languages) or None,
                files_modified=files,
                tests_run=sum(run.run for run in runs) if runs else None,
                tests_passed=sum(run.passed for run in runs) if runs else None,
            ),
            general=present(tools_used=sorted(tools), warnings=warnings, tags=["codex"]),
            time_tracking=present(start_time=iso(started), end_time=iso(ended)),
            project=present(project_name=self.context.project_name),
        )

    def _environment(self, turns: tuple[Turn, ...], tags: Mapping[str, str]) -> Payload:
        session, context = self.session, self.context
        usage = sum((turn.usage for turn in turns), TokenUsage())
        told = any(turn.calls for turn in turns)
        continuations = sum(turn.continuations for turn in turns)
        last = turns[-1] if turns else None
        custom = present(
            session=context.session_id,
            status=", ".join(dict.fromkeys(turn.status.value for turn in turns)),
            cwd=(last.cwd if last else None) or session.cwd,
            git_branch=session.git_branch or context.git_branch,
            git_commit=context.git_commit or session.git_commit,
            git_commit_before=session.git_commit if context.git_commit not in (None, session.git_commit) else None,
            permission_mode=(last.permission_mode if last else None) or session.permission_mode,
            models=", ".join(_models(turns)),
            originator=session.originator,
            stop_hook_continuations=str(continuations) if continuations else None,
            cost_estimated_by=self._cost_source(turns),
            cached_tokens=str(usage.cached) if told else None,
            reasoning_tokens=str(usage.reasoning) if told else None,
            first_token_ms=str(last.first_token_ms) if last and last.first_token_ms is not None else None,
            sources=", ".join(sorted(session.sources)),
            os=context.os,
            redaction=context.redaction,
            previews_cut=str(self.shown.cut) if self.shown.cut else None,
        )
        return present(
            framework=context.agent_program,
            framework_version=session.client_version,
            sdk_version=context.connector_version,
            python_version=context.runtime.rpartition(" ")[2] if context.runtime else None,
            runtime=context.runtime,
            custom_tags={**custom, **tags, **context.extra_tags},
        )


def _says(turn: Turn) -> str:
    """What a reader of the list wants to know of a turn, in a line."""
    callers = {call.parent_call_id for call in turn.tool_calls}
    calls = [call for call in turn.tool_calls if call.call_id not in callers]  # a program's work is its calls'
    failed = sum(call.failed for call in calls)
    parts = [f"{turn.status.value} turn", count(len(calls), "tool call") + (f" ({failed} failed)" if failed else "")]
    if turn.continuations:
        parts.append(f"sent on {count(turn.continuations, 'time')} by a stop hook")
    if turn.subagents:
        parts.append(count(len(turn.subagents), "subagent"))
    if turn.changes:
        parts.append(f"{count(len(turn.changes), 'file')} changed")
    if turn.calls:
        usage = turn.usage
        parts.append(
            f"{usage.prompt:,} prompt ({usage.cached:,} cached) and {usage.completion:,} completion"
            f" ({usage.reasoning:,} reasoning) tokens in {count(len(turn.calls), 'model call')}"
        )
    return ", ".join(parts)


def _files(turns: tuple[Turn, ...], cwd: str | None) -> list[str]:
    """Paths of the changed files, below their turn's directory (or the session's `cwd`) without it."""
    found: dict[str, None] = {}
    for turn in turns:
        for change in turn.changes:
            found.setdefault(relative(change.moved_to or change.path, turn.cwd or cwd))
    return sorted(found)


def _models(turns: tuple[Turn, ...]) -> list[str]:
    return list(dict.fromkeys(model for turn in turns for model in turn.models))
