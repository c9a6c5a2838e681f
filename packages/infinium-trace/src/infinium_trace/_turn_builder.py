"""Builds turns and subagents from their events."""

from infinium_trace._step_builder import StepBuilder, in_order_of_time, within
from infinium_trace.events import (
    ContextItem,
    Event,
    EventSource,
    LimitsReported,
    ModelResponded,
    PlanProposed,
    SourcesDisagreed,
    SubagentEnded,
    SubagentStarted,
    TokenUsage,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)
from infinium_trace.session import ModelCall, Subagent, Turn


class SubagentBuilder(StepBuilder):
    """The work of one subagent for one turn."""

    def __init__(self, subagent_id: str, started_at_ms: int) -> None:
        super().__init__(started_at_ms)
        self.subagent_id = subagent_id
        self._turns: set[str] = set()

    def add(self, event: Event) -> None:
        """Add an event of the subagent."""
        if event.turn_id is not None:
            self._turns.add(event.turn_id)
        match event:
            case SubagentStarted():
                self.values.merge(event, agent_type=event.agent_type)
            case TurnStarted():
                self.values.merge(event, first=True, prompt=event.prompt)
            case SubagentEnded():
                self.ended_at_ms = max(self.ended_at_ms or 0, event.at_ms)
                self.values.merge(event, agent_type=event.agent_type, last_message=event.last_message)
                self.values.merge(event, first=True, status=TurnStatus.COMPLETED)
            case TurnEnded():
                self.ended_at_ms = max(self.ended_at_ms or 0, event.at_ms)
                self.values.merge(event, status=event.status, reason=event.reason, last_message=event.last_message)
            case _:
                super().add(event)

    def build(self, calls: list[ModelCall]) -> Subagent:
        """Return the subagent. Of these model calls, its own are counted."""
        last = self.values.get("last_message", str)
        own = [call.usage for call in calls if call.subagent_id == self.subagent_id]
        return Subagent(
            subagent_id=self.subagent_id,
            started_at_ms=self.started_at_ms,
            ended_at_ms=self.ended_at_ms,
            agent_type=self.values.get("agent_type", str),
            turns=frozenset(self._turns),
            prompt=self.values.get("prompt", str),
            status=self.values.get("status", TurnStatus) or TurnStatus.RUNNING,
            reason=self.values.get("reason", str),
            last_message=last,
            steps=in_order_of_time(within(self.steps(last), self.ended_at_ms)),
            calls=len(own),
            usage=sum(own, TokenUsage()),
        )


class TurnBuilder(StepBuilder):
    """One turn of the user."""

    def __init__(self, turn_id: str, started_at_ms: int) -> None:
        super().__init__(started_at_ms)
        self.id = turn_id
        self.sources: set[EventSource] = set()
        self.undone = False
        self.subagents: dict[str, SubagentBuilder] = {}
        self._calls: dict[tuple[str | None, str], ModelCall] = {}
        self._models: dict[str, None] = {}
        self._context: dict[ContextItem, None] = {}
        self._continued_at_ms: set[int] = set()
        self._disagreements: dict[str, None] = {}

    def add(self, event: Event) -> None:
        """Add an event of the turn itself."""
        self.sources.add(event.source)
        match event:
            case TurnStarted():
                self.values.merge(event, first=True, prompt=event.prompt)
                self.values.merge(
                    event,
                    cwd=event.cwd,
                    permission_mode=event.permission_mode,
                    effort=event.effort,
                    sandbox=event.sandbox,
                    approval=event.approval,
                    context_window=event.context_window,
                    previous_model=event.previous_model,
                )
                self._context |= dict.fromkeys(event.context)
                if event.model:
                    self._models.setdefault(event.model)
            case TurnEnded():
                self._end(event)
            case LimitsReported():
                self.values.merge(event, limits=event.text)
            case PlanProposed():
                self.values.merge(event, plan=event.text)
            case ModelResponded() | SourcesDisagreed():
                self._add_call_or_disagreement(event)
            case _:
                super().add(event)

    def add_of_subagent(self, event: Event, subagent_id: str) -> None:
        """Add an event of a subagent that works for this turn."""
        subagent = self.subagents.setdefault(subagent_id, SubagentBuilder(subagent_id, event.at_ms))
        if isinstance(event, ModelResponded | SourcesDisagreed):
            self._add_call_or_disagreement(event)
        else:
            subagent.add(event)

    @property
    def has_prompt(self) -> bool:
        """Whether the user began the turn with a prompt."""
        return self.values.get("prompt", str) is not None

    def _add_call_or_disagreement(self, event: ModelResponded | SourcesDisagreed) -> None:
        """Add a model call or a disagreement, once, of the turn or of one of its subagents."""
        if isinstance(event, SourcesDisagreed):
            self._disagreements.setdefault(event.what)
            return
        call = ModelCall(
            response_id=event.response_id,
            ended_at_ms=event.at_ms,
            usage=event.usage,
            model=event.model,
            latency_ms=event.latency_ms,
            subagent_id=event.subagent_id,
        )
        self._calls.setdefault((event.subagent_id, event.response_id), call)
        if event.model:
            self._models.setdefault(event.model)

    def _end(self, event: TurnEnded) -> None:
        self.ended_at_ms = max(self.ended_at_ms or 0, event.at_ms)
        if event.continued_by_hook:
            self._continued_at_ms.add(event.at_ms)
        known = self.values.get("status", TurnStatus)
        status = known if event.guessed and known is not None else event.status
        if known in (TurnStatus.FAILED, TurnStatus.INTERRUPTED) and status is TurnStatus.COMPLETED:
            status = known  # a transcript may also report a failed or interrupted turn as completed
        self.values.merge(
            event,
            status=status,
            reason=event.reason,
            last_message=event.last_message,
            duration_ms=event.duration_ms,
            first_token_ms=event.first_token_ms,
        )
        if event.source is EventSource.TRANSCRIPT:
            self.values.merge(event, transcript_end_ms=event.at_ms)

    def build(self) -> Turn | None:
        """Return the turn; None if it has no content but an interruption: it ended before it began."""
        calls = sorted(self._calls.values(), key=lambda call: call.ended_at_ms)
        get = self.values.get
        plan = get("plan", str)
        last_message = get("last_message", str) or plan
        ended = get("transcript_end_ms", int) or self.ended_at_ms
        subagents = [subagent.build(calls) for subagent in self.subagents.values()]
        turn = Turn(
            id=self.id,
            started_at_ms=self.started_at_ms,
            ended_at_ms=ended,
            duration_ms=self._duration(ended),
            first_token_ms=get("first_token_ms", int),
            status=get("status", TurnStatus) or TurnStatus.RUNNING,
            reason=get("reason", str),
            prompt=get("prompt", str),
            context=tuple(self._context),
            last_message=last_message,
            plan=plan,
            undone=self.undone,
            models=tuple(self._models),
            permission_mode=get("permission_mode", str),
            effort=get("effort", str),
            sandbox=get("sandbox", str),
            approval=get("approval", str),
            context_window=get("context_window", int),
            previous_model=get("previous_model", str),
            limits=get("limits", str),
            cwd=get("cwd", str),
            steps=in_order_of_time([*within(self.steps(last_message), ended), *subagents]),
            calls=tuple(calls),
            continuations=len(self._continued_at_ms),
            disagreements=tuple(self._disagreements),
            sources=frozenset(self.sources),
        )
        has_content = turn.prompt or turn.last_message or turn.steps or turn.calls or turn.models
        return turn if has_content or turn.status is not TurnStatus.INTERRUPTED else None

    def _duration(self, ended_at_ms: int | None) -> float | None:
        """Return the measured duration, else the time from start to end, in milliseconds."""
        measured = self.values.get("duration_ms", int)
        if measured is not None:
            return float(measured)
        return None if ended_at_ms is None else float(max(ended_at_ms - self.started_at_ms, 0))
