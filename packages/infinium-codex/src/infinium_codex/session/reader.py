"""One reading of a session: what spool and transcripts hold from a mark on, as neutral events.

A reading is bounded: a long spool is read a slice at a time, each ending behind a turn, and of a transcript only what
belongs to the turns at hand is kept.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from infinium_trace.events import (
    Event,
    EventSource,
    RecordSkipped,
    SessionEnded,
    SubagentEnded,
    SubagentStarted,
    TurnEnded,
    TurnStarted,
)
from msgspec import Struct, field

from infinium_codex.agent import Agent, Transcript, TranscriptPosition
from infinium_codex.capture.records import Damage, Record, head_checksum, read_records
from infinium_codex.session.checkpoint import Checkpoint, Mark
from infinium_codex.support.json_fields import parse_object

POLL_SECONDS = 0.02
QUIET_SECONDS = 10.0
"""Stop runs before Codex writes the turn's last records: how long a transcript may stand still before we go on."""
SLICE_BYTES = 1 << 20
"""Behind the first turn that ended after so much of the spool, a reading stops; the next one goes on from there."""


class Reading(Struct, kw_only=True):
    """What was read, and where each turn began, so that the next reading starts no later than an open turn."""

    events: list[Event] = field(default_factory=list)
    hooked: set[str] = field(default_factory=set)
    """Turns of the user's that a hook saw. Only these are traced: what ran while tracing was paused was not seen."""
    ended: set[str] = field(default_factory=set)
    """Turns of the user's that a hook saw end."""
    superseded: set[str] = field(default_factory=set)
    """Turns of the user's behind which a hook saw another prompt, and no end before it."""
    agent_turns: dict[str, dict[str, bool]] = field(default_factory=dict)
    """Each subagent's own turns that hooks told of, and whether one saw the turn's end."""
    session_ended: bool = False
    cwd: str | None = None
    transcript_path: str | None = None
    agent_transcripts: dict[str, str] = field(default_factory=dict)
    spool_end: int = 0
    spool_size: int = 0
    """How long the spool was. What is torn at its end lies between."""
    foreign: list[Damage] = field(default_factory=list)
    """Frames of another version's hook."""
    spool_head: int = 0
    more: bool = False
    """The spool goes on behind `spool_end`."""
    spool_starts: dict[str, int] = field(default_factory=dict)
    transcript_end: TranscriptPosition = TranscriptPosition()
    transcript_starts: Mapping[str, TranscriptPosition] = field(default_factory=dict)
    last_turn: str | None = None

    def note_foreign(self, damage: Damage) -> None:
        """Keep a foreign frame, as one piece with the one before it."""
        start = damage.start
        if self.foreign and self.foreign[-1].end == start:
            start = self.foreign.pop().start
        self.foreign.append(Damage(start=start, end=damage.end, foreign=True))

    def mark_before(self, turns: Iterable[str]) -> Mark:
        """The latest mark that leaves nothing of these turns behind it, nor of turns the next slice tells of."""
        open_turns = set(turns)
        spool = [self.spool_starts[turn] for turn in open_turns if turn in self.spool_starts]
        # Codex may begin a turn in its transcript before the turn's hook has run: then its records are the next
        # reading's. A slice leaves all of them, else it can only be the last turn.
        begun = self.transcript_starts if self.more else [*self.transcript_starts][-1:]
        open_turns |= set(begun) - self.hooked
        transcript = [self.transcript_starts[turn] for turn in open_turns if turn in self.transcript_starts]
        return Mark(
            spool=min(spool, default=self.spool_end),
            head=self.spool_head,
            transcript=min(transcript, key=lambda position: position.offset, default=self.transcript_end),
        )


def read_session(
    agent: Agent,
    spool: Path,
    mark: Mark,
    checkpoint: Checkpoint,
    *,
    until: int | None = None,
    hooked: Iterable[str] = (),
    patience: float = QUIET_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Reading:
    """Read spool and transcripts from `mark`, waiting (bounded) for the transcript's word on turns a hook saw end.

    Of turns and subagents that are done nothing is kept. With `until` the spool ends at this offset. `hooked`
    are turns a hook saw of which the spool does not tell any more. `patience` is for how long, in seconds, a transcript
    may stand still that has not told of an end a hook saw.
    """
    reading = Reading(cwd=checkpoint.cwd, transcript_path=checkpoint.transcript_path, hooked=set(hooked))
    _read_spool(agent, spool, mark, until, reading)
    known = _Known(reading, frozenset(checkpoint.done), frozenset(checkpoint.done_agents))
    reading.events = [event for event in reading.events if known.wants(event)]
    wait = _Wait(patience=patience, clock=clock, sleep=sleep)
    _read_transcripts(agent, spool.parent, mark, reading, known, wait)
    return reading


class _Known(Struct, frozen=True):
    reading: Reading
    done: frozenset[str]
    done_agents: frozenset[str]

    def wants(self, event: Event) -> bool:
        """Whether an event belongs to what is traced now: to a turn a hook saw, which is not done."""
        if event.subagent_id is not None:
            # None before 0.140, where hooks do not name agents. Else only what hooks told of is its own: its transcript
            # may begin with a copy of its parent's.
            own = self.reading.agent_turns.get(event.subagent_id)
            if event.turn_id is None:
                return self.wants_agent(event.subagent_id)
            return event.turn_id not in self.done_agents and (own is None or event.turn_id in own)
        return event.turn_id is None or (event.turn_id in self.reading.hooked and event.turn_id not in self.done)

    def wants_agent(self, subagent_id: str) -> bool:
        """Whether an agent is new, or was given more to do."""
        own = self.reading.agent_turns.get(subagent_id, {})
        return subagent_id not in self.done_agents or not own.keys() <= self.done_agents


def _read_spool(agent: Agent, spool: Path, mark: Mark, until: int | None, reading: Reading) -> None:
    seen: set[str] = set()
    reading.spool_head = head_checksum(spool)
    try:
        file = spool.open("rb")
    except FileNotFoundError:
        return
    with file:
        start = mark.spool if reading.spool_head == mark.head else 0
        reading.spool_end = start
        reading.spool_size = file.seek(0, os.SEEK_END)
        for record in read_records(file, start):
            if until is not None and record.start >= until:
                break
            reading.spool_end = record.end
            if isinstance(record, Damage):
                what = "spool:other version" if record.foreign else "spool:damaged"
                reading.events.append(RecordSkipped(at_ms=0, source=EventSource.HOOK, what=what))
                if record.foreign:
                    reading.note_foreign(record)
            elif record.identity not in seen:
                seen.add(record.identity)
                _read_record(agent, record, reading)
            if reading.ended and record.end - start > SLICE_BYTES and not reading.session_ended:
                reading.more = record.end < (spool.stat().st_size if until is None else until)
                break


def _read_record(agent: Agent, record: Record, reading: Reading) -> None:
    payload = parse_object(record.payload)
    if payload is None:
        what = f"hook:{record.event}:unreadable"
        reading.events.append(RecordSkipped(at_ms=record.at_ms, source=EventSource.HOOK, what=what))
        return
    hook = agent.translate(payload, record.at_ms)
    for event in hook.events:
        reading.events.append(event)
        if event.subagent_id == hook.subagent_id:  # else an event about the subagent, not of it
            _note_turn(reading, event, record.start)
    reading.cwd = hook.cwd or reading.cwd
    if hook.subagent_id is None:
        reading.transcript_path = hook.transcript_path or reading.transcript_path
    elif hook.transcript_path is not None and hook.transcript_path != reading.transcript_path:
        reading.agent_transcripts[hook.subagent_id] = hook.transcript_path


def _note_turn(reading: Reading, event: Event, start: int) -> None:
    # Whatever comes after an end is a session taken up again.
    reading.session_ended = isinstance(event, SessionEnded)
    if event.turn_id is None:
        return
    if event.subagent_id is not None:
        turns = reading.agent_turns.setdefault(event.subagent_id, {})
        turns[event.turn_id] = isinstance(event, SubagentEnded) or turns.get(event.turn_id, False)
        return
    reading.hooked.add(event.turn_id)
    reading.spool_starts.setdefault(event.turn_id, start)
    if isinstance(event, TurnEnded):
        reading.ended.add(event.turn_id)
    elif isinstance(event, TurnStarted) and event.turn_id != reading.last_turn:
        if reading.last_turn is not None and reading.last_turn not in reading.ended:
            reading.superseded.add(reading.last_turn)
        reading.last_turn = event.turn_id


def _read_transcripts(agent: Agent, scratch: Path, mark: Mark, reading: Reading, known: _Known, wait: "_Wait") -> None:
    reading.transcript_end = mark.transcript
    started = agent.session_start(mark.transcript)
    if started is not None:
        reading.events.append(started)
    with ExitStack() as opened:
        followed: list[_Followed] = []
        main: Transcript | None = None
        if reading.transcript_path is not None:
            # A slice does not know yet which of the turns behind its own are wanted.
            wanted = None if reading.more else frozenset(reading.hooked) - known.done
            main = opened.enter_context(
                agent.open_transcript(Path(reading.transcript_path), mark.transcript, scratch=scratch, wanted=wanted)
            )
            if main is not None:
                followed.append(_Followed(main, missing=reading.ended - known.done, brief=reading.more))
        for subagent_id, named in sorted(reading.agent_transcripts.items()):
            if known.wants_agent(subagent_id):
                transcript = opened.enter_context(_open_subagent(agent, Path(named), scratch, subagent_id))
                if transcript is not None:
                    turns = reading.agent_turns.get(subagent_id, {})
                    missing = {turn for turn, over in turns.items() if over and turn not in known.done_agents}
                    followed.append(_Followed(transcript, missing=missing))
        _follow(followed, reading, known, wait)
        for subagent_id, path in _unhooked_agents(agent, reading):
            transcript = opened.enter_context(_open_subagent(agent, path, scratch, subagent_id))
            if transcript is not None:
                _Followed(transcript, missing=set()).read(reading, known)
        if main is not None:
            reading.transcript_end = main.position
            reading.transcript_starts = main.turn_starts


def _open_subagent(
    agent: Agent, path: Path, scratch: Path, subagent_id: str
) -> AbstractContextManager[Transcript | None]:
    return agent.open_transcript(path, TranscriptPosition(), scratch=scratch, subagent_id=subagent_id)


def _unhooked_agents(agent: Agent, reading: Reading) -> Iterator[tuple[str, Path]]:
    """Subagents only the transcript names, and their transcripts: an old agent's hooks do not name subagents."""
    if reading.transcript_path is None:
        return
    named = {event.subagent_id for event in reading.events if isinstance(event, SubagentStarted)}
    for subagent_id in sorted(one for one in named if one is not None and one not in reading.agent_transcripts):
        path = agent.find_subagent_transcript(Path(reading.transcript_path), subagent_id)
        if path is not None:
            yield subagent_id, path


class _Followed:
    """A transcript that is read on until it has told of the ends that hooks saw."""

    def __init__(self, transcript: Transcript, *, missing: set[str], brief: bool = False) -> None:
        self.transcript, self.missing = transcript, missing
        self.brief = brief
        """Stop there: what comes after it is the next slice's."""

    def read(self, reading: Reading, known: _Known) -> bool:
        """Read on; whether there was anything."""
        grown = False
        waited = bool(self.missing)
        for event in self.transcript.read():
            grown = True
            if known.wants(event):
                reading.events.append(event)
                if isinstance(event, TurnEnded):
                    self.missing.discard(event.turn_id or "")
            if self.brief and waited and not self.missing:
                break
        return grown


class _Wait(Struct, frozen=True, kw_only=True):
    patience: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def _follow(followed: list[_Followed], reading: Reading, known: _Known, wait: _Wait) -> None:
    quiet_since = wait.clock()
    while True:
        grown = [one.read(reading, known) for one in followed]
        if not any(one.missing and one.transcript.path.exists() for one in followed):
            return
        now = wait.clock()
        if any(grown):
            quiet_since = now
        elif now - quiet_since > wait.patience:
            return
        wait.sleep(POLL_SECONDS)
