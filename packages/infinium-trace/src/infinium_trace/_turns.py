"""Turns and subagents in the making."""

from infinium_trace._work import WorkBuilder, in_time
from infinium_trace.events import (
    Event,
    EventSource,
    ModelResponded,
    SourcesDisagreed,
    SubagentEnded,
    SubagentStarted,
    TokenUsage,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)
from infinium_trace.session import ModelCall, Subagent, Turn


class SubagentBuilder(WorkBuilder):
    """What one subagent did for one turn."""

    def __init__(self, subagent_id: str, started_at_ms: int) -> None:
        super().__init__(started_at_ms)
        self.subagent_id = subagent_id
        self._turns: set[str] = set()

    def add(self, event: Event) -> None:
        """Take in one event of the subagent's."""
        if event.turn_id is not None:
            self._turns.add(event.turn_id)
        match event:
            case SubagentStarted():
                self.facts.tell(event, agent_type=event.agent_type)
            case TurnStarted():
                self.facts.tell(event, first=True, prompt=event.prompt)
            case SubagentEnded():
                self.ended_at_ms = max(self.ended_at_ms or 0, event.at_ms)
                self.facts.tell(event, agent_type=event.agent_type, last_message=event.last_message)
                self.facts.tell(event, first=True, status=TurnStatus.COMPLETED)
            case TurnEnded():
                self.ended_at_ms = max(self.ended_at_ms or 0, event.at_ms)
                self.facts.tell(event, status=event.status, reason=event.reason, last_message=event.last_message)
            case _:
                super().add(event)

    def build(self, calls: list[ModelCall]) -> Subagent:
        """The subagent, with its own among these responses of the model."""
        last = self.facts.get("last_message", str)
        own = [call.usage for call in calls if call.subagent_id == self.subagent_id]
        return Subagent(
            subagent_id=self.subagent_id,
            started_at_ms=self.started_at_ms,
            ended_at_ms=self.ended_at_ms,
            agent_type=self.facts.get("agent_type", str),
            turns=frozenset(self._turns),
            prompt=self.facts.get("prompt", str),
            status=self.facts.get("status", TurnStatus) or TurnStatus.RUNNING,
            reason=self.facts.get("reason", str),
            last_message=last,
            steps=in_time(self.steps(last)),
            calls=len(own),
            usage=sum(own, TokenUsage()),
        )


class TurnBuilder(WorkBuilder):
    """One turn of the user's."""

    def __init__(self, turn_id: str, started_at_ms: int) -> None:
        super().__init__(started_at_ms)
        self.id = turn_id
        self.sources: set[EventSource] = set()
        self.subagents: dict[str, SubagentBuilder] = {}
        self._calls: dict[tuple[str | None, str], ModelCall] = {}
        self._models: dict[str, None] = {}
        self._continued: set[int] = set()
        self._disagreements: dict[str, None] = {}

    def add(self, event: Event) -> None:
        """Take in one event of the turn's own."""
        self.sources.add(event.source)
        match event:
            case TurnStarted():
                self.facts.tell(event, first=True, prompt=event.prompt)
                self.facts.tell(event, cwd=event.cwd, permission_mode=event.permission_mode, effort=event.effort)
                if event.model:
                    self._models.setdefault(event.model)
            case TurnEnded():
                self._end(event)
            case ModelResponded() | SourcesDisagreed():
                self.account(event)
            case _:
                super().add(event)

    def add_of_subagent(self, event: Event, subagent_id: str) -> None:
        """Take in one event of a subagent that works for this turn."""
        subagent = self.subagents.setdefault(subagent_id, SubagentBuilder(subagent_id, event.at_ms))
        if isinstance(event, ModelResponded | SourcesDisagreed):
            self.account(event)
        else:
            subagent.add(event)

    def account(self, event: ModelResponded | SourcesDisagreed) -> None:
        """Note a response of the model, once, whichever agent it answered."""
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
            self._continued.add(event.at_ms)
        known = self.facts.get("status", TurnStatus)
        status = known if event.guessed and known is not None else event.status
        if known in (TurnStatus.FAILED, TurnStatus.INTERRUPTED) and status is TurnStatus.COMPLETED:
            status = known  # a turn that failed or was interrupted is "complete" to Codex all the same
        self.facts.tell(
            event,
            status=status,
            reason=event.reason,
            last_message=event.last_message,
            duration_ms=event.duration_ms,
            first_token_ms=event.first_token_ms,
        )
        if event.source is EventSource.TRANSCRIPT:
            self.facts.tell(event, transcript_end_ms=event.at_ms)

    def build(self) -> Turn | None:
        """The turn; None when nothing but an interruption is known of it: it was over before it began."""
        calls = sorted(self._calls.values(), key=lambda call: call.ended_at_ms)
        status = self.facts.get("status", TurnStatus) or TurnStatus.RUNNING
        ended = self.facts.get("transcript_end_ms", int) or self.ended_at_ms
        duration = self.facts.get("duration_ms", int)
        last = self.facts.get("last_message", str)
        prompt = self.facts.get("prompt", str)
        if duration is None and ended is not None:
            duration = max(ended - self.started_at_ms, 0)
        steps = in_time([*self.steps(last), *(subagent.build(calls) for subagent in self.subagents.values())])
        if status is TurnStatus.INTERRUPTED and not (prompt or last or steps or calls or self._models):
            return None
        return Turn(
            id=self.id,
            started_at_ms=self.started_at_ms,
            ended_at_ms=ended,
            duration_ms=None if duration is None else float(duration),
            first_token_ms=self.facts.get("first_token_ms", int),
            status=status,
            reason=self.facts.get("reason", str),
            prompt=prompt,
            last_message=last,
            models=tuple(self._models),
            permission_mode=self.facts.get("permission_mode", str),
            effort=self.facts.get("effort", str),
            cwd=self.facts.get("cwd", str),
            steps=steps,
            calls=tuple(calls),
            continuations=len(self._continued),
            disagreements=tuple(self._disagreements),
            sources=frozenset(self.sources),
        )
