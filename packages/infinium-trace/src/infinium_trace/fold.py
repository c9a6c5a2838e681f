"""Events to a session: a pure fold; the same session whichever source, and in whichever order, told a fact."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from infinium_trace._facts import RANK, Facts
from infinium_trace._turns import TurnBuilder
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
    SourcesDisagreed,
    SubagentEnded,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
)
from infinium_trace.session import Session

_ORDER: dict[type, int] = {kind: rank for rank, kind in enumerate((
    SessionStarted, TurnStarted, SubagentStarted, ToolStarted, PermissionAsked, Compacted, ModelResponded,
    ToolFinished, AssistantSaid, SubagentEnded, SourcesDisagreed, RecordSkipped, TurnEnded, SessionEnded,
))}  # fmt: skip
"""Events of the same millisecond are taken in this order."""


def fold(events: Iterable[Event]) -> Session:
    """The session these events tell of."""
    builder = _SessionBuilder()
    for event in _in_order(events):
        builder.add(event)
    return builder.build()


def _in_order(events: Iterable[Event]) -> Iterator[Event]:
    """By time, kind and source; what is alike in all of them by what it says: the order of arrival decides nothing."""
    for _, alike in groupby(sorted(events, key=_rank), key=_rank):
        same = list(alike)
        yield from same if len(same) == 1 else sorted(same, key=repr)


def _rank(event: Event) -> tuple[int, int, int]:
    return event.at_ms, _ORDER[type(event)], RANK[event.source]


class _SessionBuilder:
    def __init__(self) -> None:
        self.facts = Facts()
        self.turns: dict[str, TurnBuilder] = {}
        self.current: str | None = None
        self.of_subagents: list[tuple[str, Event, str | None]] = []
        """Events of subagents, with the turn that was running then: whose they are is known when all were heard."""
        self.sources: set[EventSource] = set()
        self.skipped: dict[str, int] = {}
        self.started_at_ms: int | None = None
        self.ended_at_ms: int | None = None

    def add(self, event: Event) -> None:
        if isinstance(event, RecordSkipped):
            self.skipped[event.what] = self.skipped.get(event.what, 0) + 1
            return
        self.sources.add(event.source)
        if event.subagent_id is not None:
            self.of_subagents.append((event.subagent_id, event, self.current))
        elif isinstance(event, SessionStarted):
            self._start(event)
        elif isinstance(event, SessionEnded):
            self.ended_at_ms = event.at_ms
            self.facts.tell(event, end_reason=event.reason)
        else:
            turn = self._turn(event)
            if turn is not None:
                turn.add(event)

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
            spawned_by=event.spawned_by,
        )

    def _turn(self, event: Event) -> TurnBuilder | None:
        turn_id = event.turn_id or self.current
        if turn_id is None:
            return None
        if turn_id not in self.turns:
            self.turns[turn_id] = TurnBuilder(turn_id, event.at_ms)
        elif self.turns[turn_id].started_at_ms == 0:
            self.turns[turn_id].started_at_ms = event.at_ms  # the records before this one bore no time
        if isinstance(event, TurnStarted):
            self.current = turn_id
        return self.turns[turn_id]

    def _add_to_subagents(self) -> None:
        """Give each event of a subagent to the turn its agent works for.

        That is the turn named for the agent's own turn, else for the agent, else the one that ran when it was first
        heard of. What was done for a turn that is not told of here is counted where that turn is.
        """
        told = [event for _, event, _ in self.of_subagents if isinstance(event, SubagentStarted)]
        named = {(event.subagent_id, event.turn_id): event.parent_turn_id for event in told if event.parent_turn_id}
        first_heard: dict[str, str | None] = {}
        at_work_for: dict[str, str] = {}
        for subagent_id, event, running in self.of_subagents:
            guess = event.turn_id if event.turn_id in self.turns else running
            first_heard[subagent_id] = first_heard.get(subagent_id) or guess
            parent = (
                named.get((subagent_id, event.turn_id)) or named.get((subagent_id, None)) or first_heard[subagent_id]
            )
            if event.turn_id is None:  # told from outside, of whatever it is doing
                parent = at_work_for.get(subagent_id, parent)
            if parent is not None and parent in self.turns:
                at_work_for[subagent_id] = parent
                self.turns[parent].add_of_subagent(event, subagent_id)

    def build(self) -> Session:
        self._add_to_subagents()
        turns = (turn.build() for turn in self.turns.values())
        get = self.facts.get
        return Session(
            turns=tuple(turn for turn in turns if turn is not None),
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
            spawned_by=get("spawned_by", str),
            sources=frozenset(self.sources),
            skipped=dict(sorted(self.skipped.items())),
        )
