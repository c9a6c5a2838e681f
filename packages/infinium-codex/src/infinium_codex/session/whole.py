"""Reads a whole session from its transcripts, without a hook: for views and for sessions from before the set-up."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infinium_trace import Session, fold
from infinium_trace.events import Event, SubagentStarted

from infinium_codex.agent import Agent, Transcript, TranscriptPosition


def read_whole_session(
    agent: Agent, transcript: Path, scratch: Path, *, wanted: frozenset[str] | None = None
) -> Session:
    """Return the session of a transcript, with the work of its subagents; an empty one if there is no transcript.

    `scratch` is a directory for the copy of a compressed transcript. With `wanted`, only these turns are complete.
    """
    with WholeSession(agent, transcript, scratch, wanted=wanted) as session:
        session.read()
        return session.fold()


class WholeSession:
    """A session that is read from its transcripts, and read on when they have grown. A context manager."""

    def __init__(self, agent: Agent, transcript: Path, scratch: Path, *, wanted: frozenset[str] | None = None) -> None:
        self._agent, self._path, self._scratch, self._wanted = agent, transcript, scratch, wanted
        self._opened = ExitStack()
        self._transcripts: dict[str | None, Transcript | None] = {}
        """Open transcripts by subagent; None is the session's own."""
        self._found: dict[str, Path] = {}
        """Transcripts of the subagents that were named so far."""
        self._own_turns: set[str] = set()
        self._events: list[Event] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the transcripts."""
        self._opened.close()

    def read(self) -> bool:
        """Read what the transcripts have that was not read yet; False if there is nothing new."""
        before = len(self._events)
        self._events += self._read_one(None, self._path)
        read: set[str] = set()
        while waiting := sorted(self._found.keys() - read):  # a subagent may have subagents
            for subagent_id in waiting:
                read.add(subagent_id)
                self._events += self._read_one(subagent_id, self._found[subagent_id])
        return len(self._events) > before

    def fold(self) -> Session:
        """Return the session as it was read so far."""
        return fold(self._events)

    def _read_one(self, subagent_id: str | None, path: Path) -> Iterator[Event]:
        """Yield the new events of one transcript, and note the subagents that it names."""
        source = self._open(subagent_id, path)
        for event in source.read() if source is not None else ():
            if isinstance(event, SubagentStarted) and event.subagent_id and event.subagent_id not in self._found:
                found = self._agent.find_subagent_transcript(path, event.subagent_id)
                if found is not None and found != path:
                    self._found[event.subagent_id] = found
            if event.subagent_id is None and event.turn_id is not None:
                self._own_turns.add(event.turn_id)
            elif subagent_id is not None and event.turn_id in self._own_turns:
                continue  # its transcript may begin with a copy of the history it was given
            yield event

    def _open(self, subagent_id: str | None, path: Path) -> Transcript | None:
        if self._transcripts.get(subagent_id) is None:
            wanted = self._wanted if subagent_id is None else None
            transcript = self._agent.open_transcript(
                path, TranscriptPosition(), scratch=self._scratch, subagent_id=subagent_id, wanted=wanted
            )
            self._transcripts[subagent_id] = self._opened.enter_context(transcript)
        return self._transcripts[subagent_id]
