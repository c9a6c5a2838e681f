"""Builds the view of a session from the session itself, as the agent's transcripts tell it."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from infinium_trace import (
    Compaction,
    FileChange,
    Message,
    ModelCall,
    PermissionRequest,
    PriceTable,
    Reasoning,
    Session,
    Step,
    Subagent,
    ToolCall,
    TraceOptions,
    TreeChanges,
    Turn,
    TurnStatus,
    trace_key,
)
from infinium_trace.facts import TurnFacts, read_turn_facts
from infinium_trace.failure_reason import failure_reason
from msgspec.structs import replace

from infinium_codex.view.model import (
    Delivery,
    ModelCallView,
    Outcome,
    SessionView,
    StepKind,
    StepView,
    TurnSummary,
    TurnView,
)
from infinium_codex.view.texts import Texts, first_line

_TURN_OUTCOMES = {
    TurnStatus.COMPLETED: Outcome.OK,
    TurnStatus.FAILED: Outcome.FAILED,
    TurnStatus.INTERRUPTED: Outcome.ABORTED,
    TurnStatus.RUNNING: Outcome.RUNNING,
}


def view_session(
    session: Session,
    session_id: str,
    project: str,
    options: TraceOptions,
    deliveries: Mapping[str, Delivery],
    *,
    transcript: str | None = None,
) -> SessionView:
    """Return the view of a whole session. `deliveries` has the delivery of each trace by its key.

    Raises RedactionPatternError for an invalid pattern in the options.
    """
    client = " ".join(filter(None, (options.program, session.client_version)))
    return SessionView(
        session_id=session_id,
        project=project,
        turns=tuple(view_turn(session, turn, session_id, project, options, deliveries) for turn in session.turns),
        started_at_ms=session.started_at_ms,
        ended_at_ms=session.ended_at_ms,
        client=client,
        originator=session.originator,
        branch=session.git_branch,
        commit=session.git_commit,
        transcript=transcript,
        spawned_by=session.spawned_by,
        skipped=session.skipped,
    )


def view_turn(
    session: Session,
    turn: Turn,
    session_id: str,
    project: str,
    options: TraceOptions,
    deliveries: Mapping[str, Delivery],
    changes: TreeChanges | None = None,
) -> TurnView:
    """Return the view of one turn. `changes` is what it changed in its checkout, if that is known."""
    texts = Texts(options.redactor())
    facts = read_turn_facts(session, turn, options.prices, changes)
    summary = _summary(turn, facts, session_id, project, deliveries)
    steps = _Steps(turn, session, texts, options.prices)
    cwd = turn.cwd or session.cwd
    diff = changes.diff if changes is not None and changes.diff else _patches(turn)
    view = TurnView(
        summary=replace(summary, request=first_line(texts.text(turn.prompt)) or summary.request),
        request=texts.text(turn.prompt),
        answer=texts.text(turn.last_message),
        plan=texts.text(turn.plan) or None,
        reason=texts.text(turn.reason) or None,
        steps=steps.build(turn.steps, None),
        calls=steps.calls(),
        files=tuple(_shown(change, cwd, texts) for change in facts.files),
        diff=texts.text(diff),
        commits=tuple((one.commit, texts.text(one.subject)) for one in (changes.commits if changes else ())),
        time=facts.time,
        conditions={name: texts.text(value) for name, value in _conditions(session, turn).items()},
        unpriced=facts.unpriced,
        warnings=tuple(f"The sources disagree on {texts.text(what)}." for what in turn.disagreements),
    )
    return replace(view, redactions=texts.redactions)


def summarize_turn(
    session: Session,
    turn: Turn,
    session_id: str,
    project: str,
    prices: PriceTable,
    deliveries: Mapping[str, Delivery],
    changes: TreeChanges | None = None,
) -> TurnSummary:
    """Return the figures of one turn. Its request is not redacted: a list redacts the ones that it shows."""
    return _summary(turn, read_turn_facts(session, turn, prices, changes), session_id, project, deliveries)


def _summary(
    turn: Turn, facts: TurnFacts, session_id: str, project: str, deliveries: Mapping[str, Delivery]
) -> TurnSummary:
    key = trace_key(session_id, None, turn.id, "turn")
    return TurnSummary(
        key=key,
        turn_id=turn.id,
        session_id=session_id,
        project=project,
        request=first_line(turn.prompt or "") or _title_without_request(turn),
        status=turn.status,
        started_at_ms=turn.started_at_ms,
        ended_at_ms=turn.ended_at_ms,
        duration_ms=turn.duration_ms,
        tools=facts.tools,
        failures=facts.failures,
        subagents=facts.subagents,
        tests_run=facts.tests_run,
        tests_passed=facts.tests_passed,
        tests=facts.tests,
        tests_stale=facts.tests_stale,
        files=len(facts.files),
        lines_added=facts.lines_added,
        lines_removed=facts.lines_removed,
        model_calls=facts.model_calls,
        usage=facts.usage,
        cost_usd=facts.cost_usd,
        models=turn.models,
        undone=turn.undone,
        delivery=deliveries.get(key, Delivery()),
    )


class _Steps:
    """Numbers and builds the steps of one turn, and gives each model call's tokens to the first step that it began."""

    def __init__(self, turn: Turn, session: Session, texts: Texts, prices: PriceTable) -> None:
        self._turn, self._texts = turn, texts
        self._cwd = turn.cwd or session.cwd
        self._provider, self._prices = session.provider, prices
        self._number = 0
        self._calls: dict[str | None, list[ModelCall]] = {}
        for call in turn.calls:
            self._calls.setdefault(call.subagent_id, []).append(call)
        self._ends = {agent: [call.ended_at_ms for call in calls] for agent, calls in self._calls.items()}
        self._begun: dict[str, list[int]] = {}
        """Numbers of the steps that each model call began, by the call's id."""

    def build(self, steps: Iterable[Step], agent: str | None) -> tuple[StepView, ...]:
        """Return the views of the steps of the turn itself, or of one of its subagents."""
        return tuple(self._step(step, agent) for step in steps)

    def calls(self) -> tuple[ModelCallView, ...]:
        """Return the model calls, each with the steps that it began."""
        return tuple(
            ModelCallView(
                id=call.response_id,
                ended_at_ms=call.ended_at_ms,
                latency_ms=call.latency_ms,
                model=call.model,
                usage=call.usage,
                cost_usd=self._prices.cost(call, self._provider),
                subagent_id=call.subagent_id,
                steps=tuple(self._begun.get(call.response_id, ())),
            )
            for call in self._turn.calls
        )

    def _step(self, step: Step, agent: str | None) -> StepView:
        self._number += 1
        number = self._number
        call = None if isinstance(step, Subagent | PermissionRequest) else self._begin(step, agent, number)
        view = self._view(step, number)
        if call is not None:
            return replace(view, usage=call.usage, cost_usd=self._prices.cost(call, self._provider))
        return view

    def _begin(self, step: Step, agent: str | None, number: int) -> ModelCall | None:
        """Return the model call that began this step, if it is the first step of that call.

        The record of a response's tokens follows the records of what it began.
        """
        at = bisect_left(self._ends.get(agent, ()), step.started_at_ms)
        calls = self._calls.get(agent, ())
        if at >= len(calls):
            return None
        begun = self._begun.setdefault(calls[at].response_id, [])
        begun.append(number)
        return calls[at] if len(begun) == 1 else None

    def _view(self, step: Step, number: int) -> StepView:
        match step:
            case ToolCall():
                return self._tool_call(step, number)
            case Subagent():
                return self._subagent(step, number)
            case PermissionRequest():
                return self._permission(step, number)
            case Compaction():
                title = f"Conversation compacted ({step.trigger})" if step.trigger else "Conversation compacted"
                summary = self._texts.text(step.summary) or None
                return self._plain(step, number, StepKind.COMPACTION, title, summary, step.duration_ms)
            case Reasoning() | Message():
                text = self._texts.text(step.text)
                kind = StepKind.MESSAGE if isinstance(step, Message) else StepKind.REASONING
                return self._plain(step, number, kind, first_line(text), text, None)

    def _plain(
        self, step: Step, number: int, kind: StepKind, title: str, text: str | None, duration: float | None
    ) -> StepView:
        return StepView(
            id=f"{self._turn.id}:{number}",
            number=number,
            kind=kind,
            name=kind.value,
            title=title,
            started_at_ms=step.started_at_ms,
            duration_ms=duration,
            output=text,
        )

    def _tool_call(self, call: ToolCall, number: int) -> StepView:
        shown = self._texts.arguments(call.arguments)
        output = self._texts.text(call.output)
        files = tuple(_shown(change, self._cwd, self._texts) for change in call.changes)
        is_patch = bool(files) and isinstance(call.arguments, str)
        command = call.arguments.get("command") if isinstance(call.arguments, Mapping) else None
        if isinstance(command, str):
            title = first_line(self._texts.text(command))
        elif files:
            title = ", ".join(change.moved_to or change.path for change in files)
        else:
            title = " ".join((shown or "").split())
        return StepView(
            id=call.call_id,
            number=number,
            kind=StepKind.TOOL,
            name=self._texts.text(call.tool),
            title=title or call.tool,
            started_at_ms=call.started_at_ms,
            duration_ms=call.duration_ms,
            outcome=_outcome(call),
            exit_code=call.exit_code,
            reason=(self._texts.text(call.error) or failure_reason(output) or None) if call.failed else None,
            input=shown,
            output=output or None,
            files=files,
            patch=shown if is_patch else None,
            background=call.background,
        )

    def _subagent(self, agent: Subagent, number: int) -> StepView:
        costs = [self._prices.cost(call, self._provider) for call in self._calls.get(agent.subagent_id, ())]
        known = [cost for cost in costs if cost is not None]
        task = self._texts.text(agent.prompt)
        return StepView(
            id=agent.subagent_id,
            number=number,
            kind=StepKind.SUBAGENT,
            name=self._texts.text(agent.agent_type) or "subagent",
            title=first_line(task) or f"Subagent {agent.subagent_id}",
            started_at_ms=agent.started_at_ms,
            duration_ms=agent.duration_ms,
            outcome=_TURN_OUTCOMES[agent.status],
            reason=self._texts.text(agent.reason) or None,
            input=task or None,
            output=self._texts.text(agent.last_message) or None,
            usage=agent.usage if agent.calls else None,
            cost_usd=sum(known) if costs and len(known) == len(costs) else None,
            steps=self.build(agent.steps, agent.subagent_id),
        )

    def _permission(self, request: PermissionRequest, number: int) -> StepView:
        answer = request.answer.value if request.answer else "no answer recorded"
        reason = ", ".join(filter(None, (self._texts.text(request.reason), request.risk and f"risk: {request.risk}")))
        return StepView(
            id=f"{self._turn.id}:{number}",
            number=number,
            kind=StepKind.PERMISSION,
            name="permission",
            title=f"{self._texts.text(request.tool)}: {answer}{' by an automatic review' if request.reviewed else ''}",
            started_at_ms=request.started_at_ms,
            duration_ms=request.waited_ms,
            outcome=Outcome.REFUSED if answer == "refused" else Outcome.OK,
            reason=reason or None,
            input=self._texts.arguments(request.arguments),
        )


def _outcome(call: ToolCall) -> Outcome:
    if call.refused:
        return Outcome.REFUSED
    if call.aborted:
        return Outcome.ABORTED
    if call.failed:
        return Outcome.FAILED
    return Outcome.OK if call.finished else Outcome.RUNNING


def _title_without_request(turn: Turn) -> str:
    if turn.prompt is None and any(isinstance(step, Compaction) for step in turn.steps):
        return "Conversation compacted"
    return f"Turn {turn.id}"


def _patches(turn: Turn) -> str:
    """Return the patches of the turn as the agent wrote them."""
    return "\n".join(call.arguments for call in turn.tool_calls if call.changes and isinstance(call.arguments, str))


def _shown(change: FileChange, cwd: str | None, texts: Texts) -> FileChange:
    """Return the change with redacted paths, relative to `cwd`."""
    return replace(
        change,
        path=texts.text(_relative_path(change.path, cwd)),
        moved_to=texts.text(_relative_path(change.moved_to, cwd)) if change.moved_to else None,
    )


def _relative_path(path: str, cwd: str | None) -> str:
    if cwd and PurePath(path).is_relative_to(cwd):
        return PurePath(path).relative_to(cwd).as_posix()
    return path


def _conditions(session: Session, turn: Turn) -> dict[str, str]:
    used, window = turn.context_used, turn.context_window
    context = f"{used:,} of {window:,} tokens" if used is not None and window else None
    found: Sequence[tuple[str, str | None]] = (
        ("directory", turn.cwd or session.cwd),
        ("branch", session.git_branch),
        ("permissions", turn.permission_mode or session.permission_mode),
        ("effort", turn.effort),
        ("sandbox", turn.sandbox),
        ("approval", turn.approval),
        ("context used", context),
        ("usage limits", turn.limits),
        ("model before", turn.previous_model),
    )
    return {name: value for name, value in found if value}
