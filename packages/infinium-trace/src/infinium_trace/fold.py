"""Folds events into a session. The result does not depend on the order of arrival."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from infinium_trace._merged_values import PRIORITY, MergedValues
from infinium_trace._turn_builder import TurnBuilder
from infinium_trace.events import (
    AssistantMessage,
    Compacted,
    Event,
    EventSource,
    LimitsReported,
    ModelResponded,
    PermissionAsked,
    PermissionReviewed,
    PlanProposed,
    Reasoned,
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
    TurnsUndone,
)
from infinium_trace.session import Session

_ORDER: dict[type, int] = {kind: rank for rank, kind in enumerate((
    SessionStarted, TurnStarted, SubagentStarted, ToolStarted, PermissionAsked, PermissionReviewed, Compacted,
    ModelResponded, LimitsReported, Reasoned, ToolFinished, AssistantMessage, PlanProposed, SubagentEnded,
    SourcesDisagreed, RecordSkipped, TurnEnded, TurnsUndone, SessionEnded,
))}  # fmt: skip
"""Order of events of the same millisecond."""


def fold(events: Iterable[Event]) -> Session:
    """Return the session that these events report."""
    builder = _SessionBuilder()
    for event in _in_order(events):
        builder.add(event)
    return builder.build()


def _in_order(events: Iterable[Event]) -> Iterator[Event]:
    """Sort by time, kind and source, then by content, so that the order of arrival has no influence."""
    for _, group in groupby(sorted(events, key=_sort_key), key=_sort_key):
        equal = list(group)
        yield from equal if len(equal) == 1 else sorted(equal, key=repr)


def _sort_key(event: Event) -> tuple[int, int, int]:
    return event.at_ms, _ORDER[type(event)], PRIORITY[event.source]


class _SessionBuilder:
    def __init__(self) -> None:
        self.values = MergedValues()
        self.turns: dict[str, TurnBuilder] = {}
        self.current: str | None = None
        self.subagent_events: list[tuple[str, Event, str | None]] = []
        """Subagent, event, and the turn that ran then. The parent turns are known only after the last event."""
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
            self.subagent_events.append((event.subagent_id, event, self.current))
        elif isinstance(event, SessionStarted):
            self._start(event)
        elif isinstance(event, TurnsUndone):
            self._undo(event.count)
        elif isinstance(event, SessionEnded):
            self.ended_at_ms = event.at_ms
            self.values.merge(event, end_reason=event.reason)
        else:
            turn = self._turn(event)
            if turn is not None:
                turn.add(event)

    def _start(self, event: SessionStarted) -> None:
        if self.started_at_ms is None or 0 < event.at_ms < self.started_at_ms:
            self.started_at_ms = event.at_ms
        self.values.merge(
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

    def _undo(self, count: int) -> None:
        """Mark the last turns with a prompt that are not undone yet."""
        turns = [turn for turn in self.turns.values() if turn.has_prompt and not turn.undone]
        for turn in turns[len(turns) - min(count, len(turns)) :]:
            turn.undone = True

    def _turn(self, event: Event) -> TurnBuilder | None:
        turn_id = event.turn_id or self.current
        if turn_id is None:
            return None
        if turn_id not in self.turns:
            self.turns[turn_id] = TurnBuilder(turn_id, event.at_ms)
        elif self.turns[turn_id].started_at_ms == 0:
            self.turns[turn_id].started_at_ms = event.at_ms  # earlier records of this turn had no time
        if isinstance(event, TurnStarted):
            self.current = turn_id
        return self.turns[turn_id]

    def _add_subagent_events(self) -> None:
        """Add each event of a subagent to its parent turn. Events for a turn outside this session are ignored."""
        parents = _ParentTurns(event for _, event, _ in self.subagent_events)
        for subagent_id, event, running in self.subagent_events:
            guess = event.turn_id if event.turn_id in self.turns else running
            parent = parents.find(subagent_id, event.turn_id, guess)
            if parent in self.turns:
                parents.set_current(subagent_id, parent)
                self.turns[parent].add_of_subagent(event, subagent_id)

    def build(self) -> Session:
        self._add_subagent_events()
        turns = (turn.build() for turn in self.turns.values())
        get = self.values.get
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


class _ParentTurns:
    """Finds the turn that a subagent works for."""

    def __init__(self, events: Iterable[Event]) -> None:
        started = [event for event in events if isinstance(event, SubagentStarted)]
        self._named = {
            (event.subagent_id, event.turn_id): event.parent_turn_id for event in started if event.parent_turn_id
        }
        """By subagent and its own turn; with None in place of the turn, for all of the subagent's turns."""
        self._first: dict[str, str | None] = {}
        self._current: dict[str, str] = {}

    def find(self, subagent_id: str, own_turn_id: str | None, guess: str | None) -> str | None:
        """Return the turn that is named for the subagent's own turn, else for the subagent, else its first guess.

        An event without a turn of its own comes from outside and concerns the subagent's current work.
        """
        first = self._first[subagent_id] = self._first.get(subagent_id) or guess
        if own_turn_id is None and subagent_id in self._current:
            return self._current[subagent_id]
        return self._named.get((subagent_id, own_turn_id)) or self._named.get((subagent_id, None)) or first

    def set_current(self, subagent_id: str, parent: str) -> None:
        """Store the turn that the subagent works for from now on."""
        self._current[subagent_id] = parent
