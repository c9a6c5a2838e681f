"""Builds the view of a turn from the trace that was sent, for turns whose transcript is gone.

The trace has previews in place of whole texts. What it does not have stays empty.
"""

from collections.abc import Iterator, Mapping, Sequence

from infinium_trace.events import ChangeKind, FileChange, TokenUsage, TurnStatus
from infinium_trace.facts import TimeSplit
from msgspec.structs import replace

from infinium_codex.support.json_fields import epoch_ms, integer, mapping, text, texts
from infinium_codex.view.model import Delivery, ModelCallView, Outcome, StepKind, StepView, TurnSummary, TurnView
from infinium_codex.view.texts import first_line

Json = Mapping[str, object]

_KINDS = {
    "tool_call": StepKind.TOOL,
    "message": StepKind.MESSAGE,
    "reasoning": StepKind.REASONING,
    "compaction": StepKind.COMPACTION,
    "permission_request": StepKind.PERMISSION,
    "subagent": StepKind.SUBAGENT,
    "context": StepKind.CONTEXT,
}
_CHANGES = "file_changes"
"""The action of the step with the changes in the checkout."""
_OUTCOMES = {"refused": Outcome.REFUSED, "interrupted by the user": Outcome.ABORTED}
_CONDITIONS = {
    "directory": "cwd",
    "branch": "git_branch",
    "permissions": "permission_mode",
    "effort": "effort",
    "sandbox": "sandbox",
    "approval": "approval",
    "usage limits": "rate_limits",
    "model before": "previous_model",
}


def view_of_trace(payload: Json, project: str, delivery: Delivery) -> TurnView:
    """Return the view of the turn whose trace has this payload."""
    tags = _tags(payload)
    steps = _objects(payload.get("steps"))
    changes = next((step for step in steps if step.get("action") == _CHANGES), {})
    metadata = mapping(changes, "metadata")
    split = {name: _number(tags.get(f"time_{name}_ms")) for name in ("model", "tools", "permission", "other")}
    return TurnView(
        summary=summary_of_trace(payload, project, delivery),
        request=text(payload, "input_summary") or "",
        answer=text(payload, "output_summary") or "",
        reason=next((text(e, "message") for e in _objects(payload.get("errors")) if "error_code" not in e), None),
        steps=_nested(_step(step) for step in steps if text(step, "action") != _CHANGES),
        calls=tuple(_calls(payload)),
        files=tuple(_files(metadata)),
        diff=text(changes, "output_preview") or "",
        commits=tuple(
            (text(one, "commit") or "", text(one, "subject") or "") for one in _objects(metadata.get("commits"))
        ),
        time=TimeSplit(**{name: value or 0.0 for name, value in split.items()}) if any(split.values()) else None,
        conditions={name: value for name, tag in _CONDITIONS.items() if (value := text(tags, tag))},
        unpriced=tuple(filter(None, (text(tags, "cost_unknown_for") or "").split(", "))),
        redactions=_redactions(text(tags, "redacted") or ""),
        warnings=tuple(texts(mapping(mapping(payload, "sections"), "general"), "warnings")),
        complete=False,
    )


def with_changes(turn: TurnView, sent: TurnView) -> TurnView:
    """Add to a turn what only its trace tells: the changes in the checkout, which include those of shell commands."""
    if not sent.files and not sent.commits:
        return turn
    figures = sent.summary
    summary = replace(
        turn.summary,
        files=figures.files,
        lines_added=figures.lines_added,
        lines_removed=figures.lines_removed,
        tests_stale=figures.tests_stale,
    )
    return replace(turn, summary=summary, files=sent.files, commits=sent.commits, diff=sent.diff or turn.diff)


def summary_of_trace(payload: Json, project: str, delivery: Delivery) -> TurnSummary:
    """Return the figures of the turn whose trace has this payload."""
    tags, usage = _tags(payload), mapping(payload, "llm_usage")
    development = mapping(mapping(payload, "sections"), "development")
    times = mapping(mapping(payload, "sections"), "time_tracking")
    steps = _objects(payload.get("steps"))
    calls = [step for step in steps if text(step, "action") == "tool_call"]
    callers = {text(mapping(step, "metadata"), "called_by") for step in calls}
    working = [step for step in calls if text(mapping(step, "metadata"), "call_id") not in callers]
    started, ended = epoch_ms(times.get("start_time")), epoch_ms(payload.get("current_datetime"))
    seconds = _number(payload.get("duration"))
    return TurnSummary(
        key=text(tags, "trace_key") or "",
        turn_id=text(tags, "turn") or "",
        session_id=text(tags, "session") or "",
        project=project,
        request=text(payload, "name") or "Trace",
        status=_status(text(tags, "status")),
        started_at_ms=started or ended or 0,
        ended_at_ms=ended,
        duration_ms=None if seconds is None else seconds * 1000,
        tools=len(working),
        failures=sum("error" in step for step in working),
        subagents=sum(text(step, "action") == "subagent" for step in steps),
        tests_run=integer(development, "tests_run"),
        tests_passed=integer(development, "tests_passed"),
        tests=text(tags, "tests_last"),
        tests_stale=text(tags, "tests_stale") == "true",
        files=len(texts(development, "files_modified")),
        lines_added=_whole(tags.get("lines_added")),
        lines_removed=_whole(tags.get("lines_removed")),
        model_calls=integer(usage, "api_calls_count") or 0,
        usage=TokenUsage(
            prompt=integer(usage, "prompt_tokens") or 0,
            completion=integer(usage, "completion_tokens") or 0,
            cached=_whole(tags.get("cached_tokens")),
            reasoning=_whole(tags.get("reasoning_tokens")),
        ),
        cost_usd=_number(usage.get("estimated_cost_usd")),
        models=tuple(filter(None, (text(tags, "models") or "").split(", "))),
        delivery=delivery,
    )


def _step(step: Json) -> tuple[str | None, StepView]:
    """Return a step, and the subagent whose step it is."""
    metadata, error = mapping(step, "metadata"), mapping(step, "error")
    kind = _KINDS.get(text(step, "action") or "", StepKind.TOOL)
    number = integer(step, "step_number") or 0
    outcome = _OUTCOMES.get(text(metadata, "outcome") or "", Outcome.FAILED if error else Outcome.OK)
    tool = text(mapping(step, "tool_call"), "tool_name") or text(step, "action")
    name = (tool if kind is StepKind.TOOL else text(metadata, "agent_type")) or kind.value
    shown = text(step, "input_preview")
    title = text(step, "description") or ""
    agent = text(metadata, "agent_id")
    return None if kind is StepKind.SUBAGENT else agent, StepView(
        id=agent if kind is StepKind.SUBAGENT and agent else text(metadata, "call_id") or f"step:{number}",
        number=number,
        kind=kind,
        name=name,
        title=first_line(text(step, "output_preview") or "") if kind is StepKind.MESSAGE else title,
        duration_ms=_number(step.get("duration_ms")),
        outcome=Outcome.RUNNING if metadata.get("finished") is False and outcome is Outcome.OK else outcome,
        exit_code=integer(metadata, "exit_code"),
        reason=text(error, "message"),
        input=shown or (title if kind is StepKind.TOOL else None),
        output=text(step, "output_preview"),
        files=tuple(_files(metadata)),
        background=metadata.get("background") is True,
        usage=_usage_of_subagent(metadata) if kind is StepKind.SUBAGENT else None,
    )


def _nested(steps: Iterator[tuple[str | None, StepView]]) -> tuple[StepView, ...]:
    """Put the steps of each subagent into the step of the subagent."""
    found: list[StepView] = []
    inner: dict[str, list[StepView]] = {}
    for agent, step in steps:
        if agent is not None and agent in inner:
            inner[agent].append(step)
            continue
        if step.kind is StepKind.SUBAGENT:
            inner[step.id] = []
        found.append(step)
    return tuple(replace(step, steps=tuple(inner[step.id])) if step.id in inner else step for step in found)


def _usage_of_subagent(metadata: Json) -> TokenUsage | None:
    if "prompt_tokens" not in metadata:
        return None
    return TokenUsage(
        prompt=integer(metadata, "prompt_tokens") or 0,
        completion=integer(metadata, "completion_tokens") or 0,
        cached=integer(metadata, "cached_tokens") or 0,
        reasoning=integer(metadata, "reasoning_tokens") or 0,
    )


def _calls(payload: Json) -> Iterator[ModelCallView]:
    ended = epoch_ms(payload.get("current_datetime")) or 0
    for number, call in enumerate(_objects(mapping(payload, "llm_usage").get("calls")), 1):
        purpose = text(call, "purpose") or ""
        yield ModelCallView(
            id=f"call:{number}",
            ended_at_ms=ended,
            latency_ms=integer(call, "latency_ms"),
            model=text(call, "model"),
            usage=TokenUsage(
                prompt=integer(call, "prompt_tokens") or 0, completion=integer(call, "completion_tokens") or 0
            ),
            subagent_id=purpose.removeprefix("subagent ") if purpose.startswith("subagent ") else None,
        )


def _files(metadata: Json) -> Iterator[FileChange]:
    for change in _objects(metadata.get("files")):
        kind = text(change, "kind") or ""
        yield FileChange(
            path=text(change, "path") or "?",
            kind=ChangeKind(kind) if kind in set(ChangeKind) else ChangeKind.MODIFIED,
            moved_to=text(change, "moved_to"),
            lines_added=integer(change, "lines_added"),
            lines_removed=integer(change, "lines_removed"),
        )


def _tags(payload: Json) -> Json:
    return mapping(mapping(payload, "environment"), "custom_tags")


def _redactions(tag: str) -> dict[str, int]:
    parts = (part.rpartition(": ") for part in tag.split(", ") if ": " in part)
    return {kind: int(number) for kind, _, number in parts if number.isdigit()}


def _status(tag: str | None) -> TurnStatus:
    return TurnStatus(tag) if tag in set(TurnStatus) else TurnStatus.COMPLETED


def _objects(values: object) -> Sequence[Json]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _number(value: object) -> float | None:
    if isinstance(value, str) and value.isdigit():
        return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int:
    return int(value) if isinstance(value, str) and value.isdigit() else 0
