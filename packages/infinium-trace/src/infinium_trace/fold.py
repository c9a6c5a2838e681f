"""Events to a session: a pure fold; the same session whichever source, and in whichever order, told a fact."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeVar

from infinium_trace.events import (
    AssistantSaid,
    Compacted,
    Event,
    EventSource,
    ModelResponded,
    PermissionAsked,
    RecordSkipped,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)
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

T = TypeVar("T")

_RANK = {kind: rank for rank, kind in enumerate((
    SessionStarted, TurnStarted, SubagentStarted, ToolStarted, PermissionAsked, Compacted, ModelResponded,
    ToolFinished, AssistantSaid, SubagentEnded, RecordSkipped, TurnEnded, SessionEnded,
))}  # fmt: skip
"""Events of the same millisecond are taken in this order."""

_SOURCE = {EventSource.HOOK: 0, EventSource.TRANSCRIPT: 1}
"""The later source wins where both speak: the transcript is what Codex itself remembers."""


def fold(events: Iterable[Event]) -> Session:
    """The session these events tell of."""
    builder = _SessionBuilder()
    for event in sorted(
        events, key=lambda event: (event.at_ms, _RANK[type(event)], _SOURCE[event.source], repr(event))
    ):
        builder.add(event)
    return builder.build()


class _Facts:
    """Single facts, each with the rank of the source that told it: a better source's word is never overwritten."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, object]] = {}

    def tell(self, event: Event, *, first: bool = False, **facts: object) -> None:
        """Note facts that are not None. Of two equal sources the later one wins, or with `first` the earlier one."""
        rank = _SOURCE[event.source]
        for name, value in facts.items():
            known = self._known.get(name)
            if value is not None and (known is None or rank > known[0] or (rank == known[0] and not first)):
                self._known[name] = (rank, value)

    def get(self, name: str, kind: type[T]) -> T | None:
        value = self._known.get(name, (0, None))[1]
        return value if isinstance(value, kind) else None


@dataclass(slots=True)
class _ToolBuilder:
    call_id: str
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    still_running: bool = False
    facts: _Facts = field(default_factory=_Facts)

    def end(self, event: ToolFinished) -> None:
        """The first record of an end dates it: hooks, and what the model is told, come later."""
        if self.still_running and event.source is EventSource.HOOK:
            return  # the hook of a command in the background runs when the agent goes on without it
        if self.ended_at_ms is None or self.still_running or event.still_running:
            self.ended_at_ms = event.at_ms
        self.still_running = event.still_running

    def build(self) -> ToolCall:
        started = self.started_at_ms if self.started_at_ms is not None else self.ended_at_ms or 0
        exit_code, error = self.facts.get("exit_code", int), self.facts.get("error", str)
        failed = exit_code != 0 if exit_code is not None else bool(self.facts.get("failed", bool) or error)
        duration = self.facts.get("duration_ms", float)
        if self.ended_at_ms is not None:
            elapsed = float(max(self.ended_at_ms - started, 0))
            duration = elapsed if duration is None else min(duration, elapsed)
        arguments = self.facts.get("arguments", dict) or self.facts.get("arguments", str)
        return ToolCall(
            call_id=self.call_id,
            tool=self.facts.get("tool", str) or "unknown",
            started_at_ms=started,
            ended_at_ms=self.ended_at_ms,
            duration_ms=duration,
            arguments=arguments,
            output=self.facts.get("output", str),
            exit_code=exit_code,
            failed=failed,
            error=error,
            cwd=self.facts.get("cwd", str),
            changes=self.facts.get("changes", tuple) or (),
            finished=self.ended_at_ms is not None and not self.still_running,
        )


class _WorkBuilder:
    """What a turn and a subagent have in common: steps."""

    def __init__(self, started_at_ms: int) -> None:
        self.started_at_ms = started_at_ms
        self.ended_at_ms: int | None = None
        self.facts = _Facts()
        self.tools: dict[str, _ToolBuilder] = {}
        self.messages: dict[str, Message] = {}
        self.compacted: dict[tuple[str, EventSource], list[Compacted]] = {}
        self.permissions: list[PermissionRequest] = []

    def tool(self, call_id: str) -> _ToolBuilder:
        return self.tools.setdefault(call_id, _ToolBuilder(call_id))

    def add(self, event: Event) -> None:
        match event:
            case ToolStarted():
                tool = self.tool(event.call_id)
                if tool.started_at_ms is None:
                    tool.started_at_ms = event.at_ms
                tool.facts.tell(event, tool=event.tool, arguments=_plain(event.arguments))
            case ToolFinished():
                tool = self.tool(event.call_id)
                tool.end(event)
                duration = None if event.duration_ms is None else float(event.duration_ms)
                # The first record of an ended command is the agent's own measurement; its text repeats it rounded.
                tool.facts.tell(event, first=True, duration_ms=duration)
                tool.facts.tell(
                    event,
                    tool=event.tool,
                    output=event.output,
                    exit_code=event.exit_code,
                    failed=event.failed,
                    error=event.error,
                    cwd=event.cwd,
                    changes=tuple(event.changes) or None,
                )
            case AssistantSaid():
                self.messages.setdefault(
                    event.message_id or event.text, Message(started_at_ms=event.at_ms, text=event.text)
                )
            case Compacted():
                self.compacted.setdefault((event.phase, event.source), []).append(event)
            case PermissionAsked():
                self.permissions.append(
                    PermissionRequest(started_at_ms=event.at_ms, tool=event.tool, arguments=event.arguments)
                )
            case _:
                pass

    def _compactions(self) -> list[Compaction]:
        """The first start, and each source's first end, are one compaction's, the second ones the next one's."""
        starts = self.compacted.get(("started", EventSource.HOOK), [])
        ends = [self.compacted.get(("finished", source), []) for source in (EventSource.TRANSCRIPT, EventSource.HOOK)]
        found = []
        for start, *seen in zip_longest(starts, *ends):
            known = [event for event in (start, *seen) if event is not None]
            ended = next((event.at_ms for event in seen if event is not None), None)
            duration = None if start is None or ended is None else float(max(ended - start.at_ms, 0))
            trigger = next((event.trigger for event in known if event.trigger), None)
            found.append(Compaction(started_at_ms=known[0].at_ms, duration_ms=duration, trigger=trigger))
        return found

    def steps(self, last_message: str | None) -> list[Step]:
        found: list[Step] = [tool.build() for tool in self.tools.values()]
        found += [message for message in self.messages.values() if message.text != last_message]
        found += self._compactions()
        found += self.permissions
        return found


class _SubagentBuilder(_WorkBuilder):
    def __init__(self, agent_id: str, turn_id: str, started_at_ms: int) -> None:
        super().__init__(started_at_ms)
        self.agent_id, self.turn_id = agent_id, turn_id

    def build(self, calls: list[ModelCall]) -> Subagent:
        last = self.facts.get("last_message", str)
        own = [call.usage for call in calls if call.agent_id == self.agent_id]
        return Subagent(
            agent_id=self.agent_id,
            started_at_ms=self.started_at_ms,
            ended_at_ms=self.ended_at_ms,
            agent_type=self.facts.get("agent_type", str),
            last_message=last,
            steps=_in_time(self.steps(last)),
            usage=sum(own, TokenUsage()),
        )


class _TurnBuilder(_WorkBuilder):
    def __init__(self, turn_id: str, started_at_ms: int) -> None:
        super().__init__(started_at_ms)
        self.id = turn_id
        self.calls: dict[str, ModelCall] = {}
        self.models: dict[str, None] = {}
        self.sources: set[EventSource] = set()

    def note(self, event: TurnStarted | TurnEnded) -> None:
        if isinstance(event, TurnStarted):
            self.facts.tell(event, first=True, prompt=event.prompt)
            self.facts.tell(event, cwd=event.cwd, permission_mode=event.permission_mode, effort=event.effort)
            if event.model:
                self.models.setdefault(event.model)
            return
        self.ended_at_ms = max(self.ended_at_ms or 0, event.at_ms)
        known = self.facts.get("status", TurnStatus)
        status = event.status
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

    def build(self, subagents: list[_SubagentBuilder]) -> Turn:
        calls = list(self.calls.values())
        status = self.facts.get("status", TurnStatus) or TurnStatus.RUNNING
        ended = self.facts.get("transcript_end_ms", int) or self.ended_at_ms
        duration = self.facts.get("duration_ms", int)
        last = self.facts.get("last_message", str)
        if duration is None and ended is not None:
            duration = max(ended - self.started_at_ms, 0)
        return Turn(
            id=self.id,
            started_at_ms=self.started_at_ms,
            ended_at_ms=ended,
            duration_ms=None if duration is None else float(duration),
            first_token_ms=self.facts.get("first_token_ms", int),
            status=status,
            reason=self.facts.get("reason", str),
            prompt=self.facts.get("prompt", str),
            last_message=last,
            models=tuple(self.models),
            permission_mode=self.facts.get("permission_mode", str),
            effort=self.facts.get("effort", str),
            cwd=self.facts.get("cwd", str),
            steps=_in_time([*self.steps(last), *(subagent.build(calls) for subagent in subagents)]),
            calls=tuple(calls),
            sources=frozenset(self.sources),
        )


class _SessionBuilder:
    def __init__(self) -> None:
        self.facts = _Facts()
        self.turns: dict[str, _TurnBuilder] = {}
        self.subagents: dict[str, _SubagentBuilder] = {}
        self.current: str | None = None
        self.sources: set[EventSource] = set()
        self.skipped: dict[str, int] = {}
        self.started_at_ms: int | None = None
        self.ended_at_ms: int | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, RecordSkipped):
            self.skipped[event.what] = self.skipped.get(event.what, 0) + 1
            return
        self.sources.add(event.source)
        if event.agent_id is not None:
            self._add_to_subagent(event, event.agent_id)
        elif isinstance(event, SessionStarted):
            self._start(event)
        elif isinstance(event, SessionEnded):
            self.ended_at_ms = event.at_ms
            self.facts.tell(event, end_reason=event.reason)
        else:
            turn = self._turn(event)
            if turn is not None:
                turn.sources.add(event.source)
                self._add_to_turn(turn, event)

    def _start(self, event: SessionStarted) -> None:
        if self.started_at_ms is None or 0 < event.at_ms < self.started_at_ms:
            self.started_at_ms = event.at_ms
        self.facts.tell(
            event,
            cwd=event.cwd,
            provider=event.provider,
            client_version=event.client_version,
            originator=event.originator,
            permission_mode=event.permission_mode,
            git_branch=event.git_branch,
            git_commit=event.git_commit,
            forked_from=event.forked_from,
        )

    def _turn(self, event: Event) -> _TurnBuilder | None:
        turn_id = event.turn_id or self.current
        if turn_id is None:
            return None
        if turn_id not in self.turns:
            self.turns[turn_id] = _TurnBuilder(turn_id, event.at_ms)
        elif self.turns[turn_id].started_at_ms == 0:
            self.turns[turn_id].started_at_ms = event.at_ms  # the records before this one bore no time
        if isinstance(event, TurnStarted):
            self.current = turn_id
        return self.turns[turn_id]

    def _add_to_turn(self, turn: _TurnBuilder, event: Event) -> None:
        match event:
            case TurnStarted() | TurnEnded():
                turn.note(event)
            case ModelResponded():
                _respond(turn, event)
            case _:
                turn.add(event)

    def _add_to_subagent(self, event: Event, agent_id: str) -> None:
        subagent = self.subagents.get(agent_id)
        if subagent is None:
            parent = event.turn_id if event.turn_id in self.turns else self.current
            if parent is None:
                return
            subagent = self.subagents[agent_id] = _SubagentBuilder(agent_id, parent, event.at_ms)
        match event:
            case SubagentStarted():
                subagent.facts.tell(event, agent_type=event.agent_type)
            case SubagentEnded():
                subagent.ended_at_ms = event.at_ms
                subagent.facts.tell(event, agent_type=event.agent_type, last_message=event.last_message)
            case ModelResponded():
                _respond(self.turns[subagent.turn_id], event)
            case TurnEnded():
                subagent.facts.tell(event, last_message=event.last_message)
            case _:
                subagent.add(event)

    def build(self) -> Session:
        by_turn: dict[str, list[_SubagentBuilder]] = {}
        for subagent in self.subagents.values():
            by_turn.setdefault(subagent.turn_id, []).append(subagent)
        get = self.facts.get
        return Session(
            turns=tuple(turn.build(by_turn.get(turn.id, [])) for turn in self.turns.values()),
            started_at_ms=self.started_at_ms,
            ended_at_ms=self.ended_at_ms,
            end_reason=get("end_reason", str),
            cwd=get("cwd", str),
            provider=get("provider", str),
            client_version=get("client_version", str),
            originator=get("originator", str),
            permission_mode=get("permission_mode", str),
            git_branch=get("git_branch", str),
            git_commit=get("git_commit", str),
            forked_from=get("forked_from", str),
            sources=frozenset(self.sources),
            skipped=dict(sorted(self.skipped.items())),
        )


def _respond(turn: _TurnBuilder, event: ModelResponded) -> None:
    call = ModelCall(
        response_id=event.response_id,
        ended_at_ms=event.at_ms,
        usage=event.usage,
        model=event.model,
        latency_ms=event.latency_ms,
        agent_id=event.agent_id,
    )
    turn.calls.setdefault(f"{event.agent_id} {event.response_id}", call)
    if event.model:
        turn.models.setdefault(event.model)


def _plain(arguments: object) -> object:
    return dict(arguments) if isinstance(arguments, Mapping) else arguments


def _in_time(steps: list[Step]) -> tuple[Step, ...]:
    return tuple(sorted(steps, key=lambda step: step.started_at_ms))
