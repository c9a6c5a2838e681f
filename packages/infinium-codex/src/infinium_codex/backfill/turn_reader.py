"""Reads turns from a transcript alone, one after the other, with the work of their subagents.

A turn is read up to the next turn's start, so that its content depends on no other turn and memory is bounded by the
longest one. Of a subagent that works for several turns, each turn gets the work that began during it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from infinium_trace import Session, Turn, TurnStatus, fold
from infinium_trace.events import Event, EventSource, SessionStarted, SubagentStarted, TurnEnded
from msgspec import Struct

from infinium_codex.agent import Agent, TranscriptPosition
from infinium_codex.codex.transcript.turn_spans import TurnSpan
from infinium_codex.session.plan import SUPERSEDED, TIMED_OUT

_MOST_WANTED = 10
"""Up to so many turns, the reader skips the others without parsing them."""
_NEVER = 1 << 62


class ReadTurn(Struct, frozen=True, kw_only=True):
    """A turn and the session that it belongs to, without the session's other turns."""

    session: Session
    turn: Turn


class TurnReader:
    """Reads the wanted turns of one transcript."""

    def __init__(
        self, agent: Agent, transcript: Path, spans: Sequence[TurnSpan], scratch: Path, reviews: Sequence[Path] = ()
    ) -> None:
        """`spans` are all turns of the transcript; `scratch` is a directory for the copy of a compressed one.

        `reviews` are transcripts of the session's reviews: their records have the turn's id.
        """
        self._agent, self._transcript, self._scratch, self._reviews = agent, transcript, scratch, reviews
        self._spans = {span.turn_id: span for span in spans}
        self._order = {span.turn_id: number for number, span in enumerate(spans)}
        starts = [span.started_ms for span in spans]
        self._next_starts = dict(zip(self._spans, [*starts[1:], _NEVER], strict=True))

    def read(self, wanted: frozenset[str]) -> Iterator[ReadTurn]:
        """Yield the wanted turns in their order. A turn without any content is left out."""
        started: SessionStarted | None = None
        current, events = "", list[Event]()
        only = wanted if len(wanted) <= _MOST_WANTED else None
        opened = self._agent.open_transcript(self._transcript, TranscriptPosition(), scratch=self._scratch, wanted=only)
        with opened as source:
            for event in source.read() if source is not None else ():
                if isinstance(event, SessionStarted) and event.subagent_id is None:
                    started = event
                    continue
                if event.turn_id is not None and event.subagent_id is None and event.turn_id != current:
                    if self._order.get(event.turn_id, -1) < self._order.get(current, -1):
                        continue  # a late event of an earlier turn, or of one that a fork copied
                    yield from self._finish(current, started, events)
                    current, events = event.turn_id, []
                if current in wanted:
                    events.append(event)
        yield from self._finish(current, started, events)

    def _finish(self, turn_id: str, started: SessionStarted | None, events: list[Event]) -> Iterator[ReadTurn]:
        """Yield the turn of these events, if there are any."""
        if not events:
            return
        if started is not None:
            events.append(started)
        events += self._of_subagents(turn_id, events)
        for review in self._reviews:
            events += (event for event in self._open(review, None) if event.turn_id == turn_id)
        session = fold(events)
        turn = _turn_of(session, turn_id)
        if turn is not None and turn.status is TurnStatus.RUNNING:
            session = fold([*events, self._end(turn_id, events)])
            turn = _turn_of(session, turn_id)
        if turn is not None:
            yield ReadTurn(session=session, turn=turn)

    def _end(self, turn_id: str, events: list[Event]) -> TurnEnded:
        """The end of a turn that no record ends, at the time of its last event."""
        return TurnEnded(
            at_ms=max(event.at_ms for event in events if event.turn_id == turn_id),
            source=EventSource.TRANSCRIPT,
            turn_id=turn_id,
            status=TurnStatus.INTERRUPTED,
            reason=SUPERSEDED if self._spans[turn_id].superseded else TIMED_OUT,
        )

    def _of_subagents(self, turn_id: str, events: list[Event]) -> list[Event]:
        """The events of the turn's subagents, and of their subagents."""
        found: list[Event] = []
        read, new = set[str](), _subagents_in(events)
        while new:
            read |= new
            for subagent_id in sorted(new):
                path = self._agent.find_subagent_transcript(self._transcript, subagent_id)
                if path is not None and path != self._transcript:
                    found += self._work_in(turn_id, path, subagent_id)
            new = _subagents_in(found) - read
        return found

    def _work_in(self, turn_id: str, path: Path, subagent_id: str) -> Iterator[Event]:
        """Yield what a subagent did in its own turns that began during the turn."""
        began = self._spans[turn_id].started_ms
        next_turn = self._next_starts[turn_id]
        starts: dict[str, int] = {}
        for event in self._open(path, subagent_id):
            if event.turn_id in self._spans:
                continue  # its transcript may begin with a copy of the history it was given
            if event.turn_id is None or began <= starts.setdefault(event.turn_id, event.at_ms) < next_turn:
                yield event

    def _open(self, path: Path, subagent_id: str | None) -> Iterator[Event]:
        with self._agent.open_transcript(
            path, TranscriptPosition(), scratch=self._scratch, subagent_id=subagent_id
        ) as source:
            yield from source.read() if source is not None else ()


def _subagents_in(events: Sequence[Event]) -> set[str]:
    return {event.subagent_id for event in events if isinstance(event, SubagentStarted) and event.subagent_id}


def _turn_of(session: Session, turn_id: str) -> Turn | None:
    return next((turn for turn in session.turns if turn.id == turn_id), None)
