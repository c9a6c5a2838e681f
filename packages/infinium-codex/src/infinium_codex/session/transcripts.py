"""Reads a session's transcripts until they contain the end of every turn that a hook saw end."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from infinium_trace.events import SubagentStarted, TurnEnded
from msgspec import Struct

from infinium_codex.agent import Agent, Transcript, TranscriptPosition
from infinium_codex.session.reading import EventFilter, Reading

POLL_SECONDS = 0.02
SUBAGENT_SECONDS = 2.0
"""How long to wait for the end of a subagent that still works when its turn ended. The agent may end at that moment,
and no hook reports the subagent's end then."""


class Wait(Struct, frozen=True, kw_only=True):
    """How long to wait for records that are not written yet."""

    patience: float
    """Seconds for which no transcript may have grown."""
    clock: Callable[[], float]
    sleep: Callable[[float], None]


def read_transcripts(
    agent: Agent, scratch: Path, start: TranscriptPosition, reading: Reading, events: EventFilter, wait: Wait
) -> None:
    """Add the events of the session's transcript, from `start` on, and of its subagents' transcripts.

    `scratch` is a directory for the copy of a compressed transcript.
    """
    reading.transcript_end = start
    started = agent.session_start(start)
    if started is not None:
        reading.events.append(started)
    with ExitStack() as opened:
        main = opened.enter_context(_open_main(agent, start, reading, events, scratch))
        sources = [] if main is None else [_main_source(main, reading, events)]
        for subagent_id, path in sorted(reading.subagent_transcripts.items()):
            if events.wants_subagent(subagent_id):
                transcript = opened.enter_context(_open_subagent(agent, Path(path), scratch, subagent_id))
                if transcript is not None:
                    sources.append(_subagent_source(transcript, subagent_id, reading, events))
        for turn_id, path in reading.turn_transcripts.items():
            if turn_id not in events.closed_turns:
                further = opened.enter_context(agent.open_transcript(Path(path), TranscriptPosition(), scratch=scratch))
                if further is not None:
                    sources.append(_turn_source(further, turn_id, reading))
        _read_to_ends(sources, reading, events, wait)
        for subagent_id, found in _unnamed_subagents(agent, reading):
            transcript = opened.enter_context(_open_subagent(agent, found, scratch, subagent_id))
            if transcript is not None:
                _Source(transcript, missing=set()).read(reading, events)
        if main is not None:
            reading.transcript_end = main.position
            reading.transcript_starts = main.turn_starts


def _open_main(
    agent: Agent, start: TranscriptPosition, reading: Reading, events: EventFilter, scratch: Path
) -> AbstractContextManager[Transcript | None]:
    if reading.transcript_path is None:
        return nullcontext()
    # A slice does not know yet which of the turns behind its own are wanted.
    wanted = None if reading.more else frozenset(reading.hook_turns) - events.closed_turns
    return agent.open_transcript(Path(reading.transcript_path), start, scratch=scratch, wanted=wanted)


def _open_subagent(
    agent: Agent, path: Path, scratch: Path, subagent_id: str
) -> AbstractContextManager[Transcript | None]:
    return agent.open_transcript(path, TranscriptPosition(), scratch=scratch, subagent_id=subagent_id)


def _main_source(transcript: Transcript, reading: Reading, events: EventFilter) -> "_Source":
    missing = reading.ended - events.closed_turns - reading.resumed_subagents.keys()
    return _Source(transcript, missing=missing, stop_at_ends=reading.more)


def _subagent_source(transcript: Transcript, subagent_id: str, reading: Reading, events: EventFilter) -> "_Source":
    turns = reading.subagent_turns.get(subagent_id, {})
    missing = {turn for turn, ended in turns.items() if ended} - events.closed_subagents
    resumed = {turn for turn, subagent in reading.resumed_subagents.items() if subagent == subagent_id}
    waits = reading.last_turn in reading.ended and not reading.more
    return _Source(
        transcript,
        missing=missing | (resumed & reading.ended - events.closed_turns),
        expected={turn for turn, ended in turns.items() if not ended} - events.closed_subagents if waits else set(),
    )


def _turn_source(transcript: Transcript, turn_id: str, reading: Reading) -> "_Source":
    is_over = reading.session_ended or turn_id in reading.superseded
    return _Source(transcript, missing={turn_id} if is_over else set())


def _unnamed_subagents(agent: Agent, reading: Reading) -> Iterator[tuple[str, Path]]:
    """Subagents that only the transcript names, and their transcripts: hooks of old versions do not name them."""
    if reading.transcript_path is None:
        return
    named = {event.subagent_id for event in reading.events if isinstance(event, SubagentStarted)}
    for subagent_id in sorted(one for one in named if one is not None and one not in reading.subagent_transcripts):
        path = agent.find_subagent_transcript(Path(reading.transcript_path), subagent_id)
        if path is not None:
            yield subagent_id, path


class _Source:
    """An open transcript, and the turns whose ends it must still contain."""

    def __init__(
        self,
        transcript: Transcript,
        *,
        missing: set[str],
        expected: Iterable[str] = (),
        stop_at_ends: bool = False,
    ) -> None:
        """`expected` are turns that may end soon, without a hook that reports it.

        With `stop_at_ends` the reading stops behind the last missing end: what follows is the next slice's.
        """
        self._transcript, self._missing, self._stop_at_ends = transcript, missing, stop_at_ends
        self._expected = set(expected)

    @property
    def is_incomplete(self) -> bool:
        """Whether an end is missing that may still be written."""
        return bool(self._missing) and self._transcript.path.exists()

    @property
    def is_expecting(self) -> bool:
        """Whether an end is missing that no hook will report."""
        return bool(self._expected)

    def read(self, reading: Reading, events: EventFilter) -> bool:
        """Read the records that were added; False if there were none."""
        grown = False
        stops = self._stop_at_ends and bool(self._missing)
        for event in map(reading.as_users, self._transcript.read()):
            grown = True
            if events.wants(event):
                reading.events.append(event)
                if isinstance(event, TurnEnded):
                    self._missing.discard(event.turn_id or "")
                    self._expected.discard(event.turn_id or "")
            if stops and not self._missing:
                break
        return grown


def _read_to_ends(sources: list[_Source], reading: Reading, events: EventFilter, wait: Wait) -> None:
    began = quiet_since = wait.clock()
    while True:
        grown = [source.read(reading, events) for source in sources]
        now = wait.clock()
        expects = any(source.is_expecting for source in sources) and now - began < min(SUBAGENT_SECONDS, wait.patience)
        if not expects and not any(source.is_incomplete for source in sources):
            return
        if any(grown):
            quiet_since = now
        elif now - quiet_since > wait.patience:
            return
        wait.sleep(POLL_SECONDS)
