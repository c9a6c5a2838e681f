"""What one reading of a session found: neutral events, and where each turn began."""

from collections.abc import Iterable, Mapping

from infinium_trace import Session, Turn
from infinium_trace.events import (
    Event,
    EventSource,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    TurnEnded,
    TurnStarted,
)
from msgspec import Struct, field
from msgspec.structs import replace

from infinium_codex.agent import TranscriptPosition
from infinium_codex.capture.records import Damage
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition
from infinium_codex.session.pauses import HookTime, Pause
from infinium_codex.session.snapshot import ProjectSnapshot


class Reading(Struct, kw_only=True):
    """The events between two positions of a session. The readers fill it in."""

    events: list[Event] = field(default_factory=list)
    cwd: str | None = None
    transcript_path: str | None = None
    subagent_transcripts: dict[str, str] = field(default_factory=dict)
    turn_transcripts: dict[str, str] = field(default_factory=dict)
    """Further transcripts with records of a turn, by the turn. No hook reports the turn's end."""
    projects: dict[str, ProjectSnapshot] = field(default_factory=dict)
    """The project in which each of the user's turns began, where the hook recorded it with the prompt."""
    turn_cwds: dict[str, str] = field(default_factory=dict)
    """The session's directory at the first event of each of the user's turns."""

    hook_turns: set[str] = field(default_factory=set)
    """The user's turns that a hook saw. Only these are traced: a turn during a pause has no hook."""
    ended: set[str] = field(default_factory=set)
    """The user's turns whose end a hook saw."""
    superseded: set[str] = field(default_factory=set)
    """The user's turns after which a hook saw another prompt, and no end before it."""
    subagent_turns: dict[str, dict[str, bool]] = field(default_factory=dict)
    """Each subagent's own turns that a hook saw, and whether it saw the turn's end."""
    named_subagent_turns: set[str] = field(default_factory=set)
    """Turns of subagents whose start a hook reported."""
    resumed_subagents: dict[str, str] = field(default_factory=dict)
    """The subagent of each turn that the user began in a subagent's thread. Such a turn is the user's."""
    after_resume: set[str] = field(default_factory=set)
    """The user's turns after a hook reported that the session was resumed."""
    hook_times: list[HookTime] = field(default_factory=list)
    pauses: tuple[Pause, ...] = ()
    """When recording was paused."""
    last_turn: str | None = None
    session_ended: bool = False
    session_resumed: bool = False

    spool_head: int = 0
    spool_end: int = 0
    """Offset behind the last record that was read."""
    spool_size: int = 0
    """Length of the spool. A torn record at its end lies between `spool_end` and this."""
    spool_starts: dict[str, int] = field(default_factory=dict)
    """Offset of each turn's first record."""
    foreign: list[Damage] = field(default_factory=list)
    """Frames that another version's hook wrote."""
    more: bool = False
    """Whether the spool goes on behind `spool_end`: this reading is a slice."""

    transcript_end: TranscriptPosition = TranscriptPosition()
    transcript_starts: Mapping[str, TranscriptPosition] = field(default_factory=dict)
    """The place before each turn's first record in the transcript."""

    def add_hook_event(self, event: Event, offset: int) -> None:
        """Add an event of the user's session, or of a subagent, whose record begins at `offset` of the spool."""
        if event.subagent_id is None:  # a subagent's event may come late
            self.session_ended = isinstance(event, SessionEnded)  # an event after the end resumes the session
            self.session_resumed |= isinstance(event, SessionStarted) and event.trigger == "resume"
        if event.turn_id is None:
            return
        if event.subagent_id is not None:
            turns = self.subagent_turns.setdefault(event.subagent_id, {})
            turns[event.turn_id] = isinstance(event, SubagentEnded) or turns.get(event.turn_id, False)
            return
        self.hook_turns.add(event.turn_id)
        if self.session_resumed:
            self.after_resume.add(event.turn_id)
        self.spool_starts.setdefault(event.turn_id, offset)
        if isinstance(event, TurnEnded):
            self.ended.add(event.turn_id)
        elif isinstance(event, TurnStarted) and event.turn_id != self.last_turn:
            if self.last_turn is not None and self.last_turn not in self.ended:
                self.superseded.add(self.last_turn)
            self.last_turn = event.turn_id

    def note_subagent_turn(self, event: Event) -> None:
        """Note a subagent's turn that a hook reports. A prompt that no agent sent is the user's.

        The user can resume a subagent's thread. Its hooks are those of the subagent, without a start of its turn, and
        none of the user's turns is open.
        """
        if event.turn_id is None or event.subagent_id is None:
            return
        if isinstance(event, SubagentStarted):
            self.named_subagent_turns.add(event.turn_id)
        elif isinstance(event, TurnStarted) and event.prompt and event.turn_id not in self.named_subagent_turns:
            known = self.subagent_turns.get(event.subagent_id, {})
            if event.turn_id not in known and (self.last_turn is None or self.last_turn in self.ended):
                self.resumed_subagents[event.turn_id] = event.subagent_id

    def as_users(self, event: Event) -> Event:
        """Return an event of a turn that the user began in a subagent's thread as one of the user's own."""
        if event.subagent_id is None or event.turn_id not in self.resumed_subagents:
            return event
        if isinstance(event, SubagentEnded):
            return TurnEnded(
                at_ms=event.at_ms, source=event.source, turn_id=event.turn_id, last_message=event.last_message
            )
        return replace(event, subagent_id=None)

    def users_turns(self, session: Session, turns: Iterable[Turn]) -> tuple[Turn, ...]:
        """Return those of a session's turns that are the user's.

        A session that another one spawned as its subagent is part of that one's trace, until the user resumes it.
        """
        return tuple(turn for turn in turns if session.spawned_by is None or turn.id in self.after_resume)

    def add_foreign(self, damage: Damage) -> None:
        """Add a foreign frame, joined with the one directly before it."""
        start = damage.start
        if self.foreign and self.foreign[-1].end == start:
            start = self.foreign.pop().start
        self.foreign.append(Damage(start=start, end=damage.end, foreign=True))

    def position_before(self, turns: Iterable[str]) -> ReadPosition:
        """The latest position that has all of these turns behind it, and all turns of the next slice."""
        open_turns = set(turns)
        spool = [self.spool_starts[turn] for turn in open_turns if turn in self.spool_starts]
        # An agent may begin a turn in its transcript before the turn's hook has run: then its records belong to the
        # next reading. A slice leaves all such turns to the next one; otherwise it can only be the last turn.
        begun = self.transcript_starts if self.more else [*self.transcript_starts][-1:]
        open_turns |= set(begun) - self.hook_turns
        transcript = [self.transcript_starts[turn] for turn in open_turns if turn in self.transcript_starts]
        return ReadPosition(
            spool=min(spool, default=self.spool_end),
            spool_head=self.spool_head,
            transcript=min(transcript, key=lambda position: position.offset, default=self.transcript_end),
        )


class EventFilter(Struct, frozen=True):
    """Selects the events of what is traced now: turns that a hook saw and that are not closed."""

    reading: Reading
    closed_turns: frozenset[str]
    closed_subagents: frozenset[str]

    @classmethod
    def of(cls, reading: Reading, checkpoint: Checkpoint) -> "EventFilter":
        """The filter for a reading from this checkpoint."""
        return cls(reading, frozenset(checkpoint.closed_turns), frozenset(checkpoint.closed_subagents))

    def wants(self, event: Event) -> bool:
        """Whether the event belongs to an open turn, or to a subagent of one, and to no pause."""
        if event.source is EventSource.TRANSCRIPT and self._is_paused(event):
            return False
        if event.subagent_id is None:
            turn = event.turn_id
            return turn is None or (turn in self.reading.hook_turns and turn not in self.closed_turns)
        if event.turn_id is None:
            return self.wants_subagent(event.subagent_id)
        # Where hooks name the subagent, only the turns they saw are its own: its transcript may begin with a copy of
        # its parent's. Old versions of an agent do not name it.
        own = self.reading.subagent_turns.get(event.subagent_id)
        return event.turn_id not in self.closed_subagents and (own is None or event.turn_id in own)

    def _is_paused(self, event: Event) -> bool:
        return any(pause.covers(event.at_ms, event.turn_id) for pause in self.reading.pauses)

    def wants_subagent(self, subagent_id: str) -> bool:
        """Whether a subagent is new, or got another turn."""
        if subagent_id in self.reading.resumed_subagents.values():
            return True
        own = self.reading.subagent_turns.get(subagent_id, {})
        return subagent_id not in self.closed_subagents or not own.keys() <= self.closed_subagents
