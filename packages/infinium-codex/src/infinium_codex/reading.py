"""One reading of a session: what spool and transcript hold from a mark on, as neutral events."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infinium_trace.events import Event, EventSource, RecordSkipped, SessionEnded, TurnEnded, TurnStatus

from infinium_codex.checkpoint import Checkpoint, Mark
from infinium_codex.codex_events import translate_hook
from infinium_codex.fields import parse_object, text
from infinium_codex.spool import Damage, read_records
from infinium_codex.transcript import Position, Transcript, session_started

POLL_SECONDS = 0.02
QUIET_SECONDS = 10.0
"""Stop runs before Codex writes the turn's last records: how long a transcript may stand still before we go on."""


@dataclass(kw_only=True, slots=True)
class Reading:
    """What was read, and where each turn began, so that the next reading starts no later than an open turn."""

    events: list[Event] = field(default_factory=list)
    hooked: set[str] = field(default_factory=set)
    """Turns of the user's that a hook saw. Only these are traced: what ran while tracing was paused was not seen."""
    ended: set[str] = field(default_factory=set)
    """Turns of the user's that a hook saw end."""
    session_ended: bool = False
    cwd: str | None = None
    transcript_path: str | None = None
    spool_end: int = 0
    spool_starts: dict[str, int] = field(default_factory=dict)
    transcript_end: Position = field(default_factory=Position)
    transcript_starts: dict[str, Position] = field(default_factory=dict)

    def mark_before(self, turns: set[str]) -> Mark:
        """The latest mark that leaves nothing of these turns behind it."""
        spool = [self.spool_starts[turn] for turn in turns if turn in self.spool_starts]
        transcript = [self.transcript_starts[turn] for turn in turns if turn in self.transcript_starts]
        return Mark(
            spool=min(spool, default=self.spool_end),
            transcript=min(transcript, key=lambda position: position.offset, default=self.transcript_end),
        )


def read_session(
    spool: Path,
    mark: Mark,
    checkpoint: Checkpoint,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Reading:
    """Read spool and transcript from `mark`, waiting (bounded) for the transcript's word on turns a hook saw end."""
    reading = Reading(transcript_path=checkpoint.transcript_path)
    _read_spool(spool, mark.spool, reading)
    _read_transcript(mark.transcript, reading, clock, sleep)
    return reading


def _read_spool(spool: Path, offset: int, reading: Reading) -> None:
    reading.spool_end = offset
    seen: set[str] = set()
    try:
        file = spool.open("rb")
    except FileNotFoundError:
        return
    with file:
        for record in read_records(file, offset):
            reading.spool_end = record.end
            if isinstance(record, Damage):
                reading.events.append(RecordSkipped(at_ms=0, source=EventSource.HOOK, what="spool:damaged"))
                continue
            if record.identity in seen:
                continue
            seen.add(record.identity)
            payload = parse_object(record.payload)
            if payload is None:
                what = f"hook:{record.event}:unreadable"
                reading.events.append(RecordSkipped(at_ms=record.at_ms, source=EventSource.HOOK, what=what))
                continue
            for event in translate_hook(payload, record.at_ms):
                reading.events.append(event)
                _note_turn(reading, event, record.start)
            reading.cwd = text(payload, "cwd") or reading.cwd
            if text(payload, "agent_id") is None:
                reading.transcript_path = text(payload, "transcript_path") or reading.transcript_path


def _note_turn(reading: Reading, event: Event, start: int) -> None:
    if isinstance(event, SessionEnded):
        reading.session_ended = True
    else:
        reading.session_ended = False  # whatever comes after an end is a session taken up again
    if event.turn_id is None or event.agent_id is not None:
        return
    reading.hooked.add(event.turn_id)
    reading.spool_starts.setdefault(event.turn_id, start)
    if isinstance(event, TurnEnded):
        reading.ended.add(event.turn_id)


def _read_transcript(
    position: Position, reading: Reading, clock: Callable[[], float], sleep: Callable[[float], None]
) -> None:
    reading.transcript_end = position
    if reading.transcript_path is None:
        return
    if position.session:
        reading.events.append(session_started(position.session))
    transcript = Transcript(Path(reading.transcript_path), position)
    missing = set(reading.ended)
    quiet_since = clock()
    while True:
        grown = False
        for event in transcript.read():
            grown = True
            reading.events.append(event)
            if isinstance(event, TurnEnded) and event.turn_id is not None:
                missing.discard(event.turn_id)
        if not missing or not transcript.path.exists():
            break
        now = clock()
        if grown:
            quiet_since = now
        elif now - quiet_since > QUIET_SECONDS:
            break
        sleep(POLL_SECONDS)
    reading.transcript_end = transcript.position
    reading.transcript_starts = transcript.turn_starts


def without_turns(events: list[Event], turns: tuple[str, ...]) -> list[Event]:
    """The events that do not belong to these turns."""
    known = frozenset(turns)
    return [event for event in events if event.turn_id is None or event.turn_id not in known]


def close_running(events: list[Event], turns: set[str]) -> list[Event]:
    """Events that end turns which were still running when their session ended."""
    ended_ms = max((event.at_ms for event in events), default=0)
    return [
        TurnEnded(
            at_ms=ended_ms,
            source=EventSource.HOOK,
            turn_id=turn,
            status=TurnStatus.INTERRUPTED,
            reason="session ended",
        )
        for turn in sorted(turns)
    ]
