"""Reads a whole session from its transcripts, without a hook: for views and for sessions from before the set-up."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from infinium_trace import Session, fold
from infinium_trace.events import Event, SubagentStarted

from infinium_codex.agent import Agent, TranscriptPosition


def read_whole_session(
    agent: Agent, transcript: Path, scratch: Path, *, wanted: frozenset[str] | None = None
) -> Session:
    """Return the session of a transcript, with the work of its subagents; an empty one if there is no transcript.

    `scratch` is a directory for the copy of a compressed transcript. With `wanted`, only these turns are complete.
    """
    return fold(list(_events(agent, transcript, scratch, wanted)))


def _events(agent: Agent, transcript: Path, scratch: Path, wanted: frozenset[str] | None) -> Iterator[Event]:
    own_turns: set[str] = set()
    found: dict[str, Path] = {}
    yield from _read(agent, transcript, scratch, None, wanted, own_turns, found)
    read: set[str] = set()
    while waiting := sorted(found.keys() - read):  # a subagent may have subagents
        for subagent_id in waiting:
            read.add(subagent_id)
            yield from _read(agent, found[subagent_id], scratch, subagent_id, None, own_turns, found)


def _read(
    agent: Agent,
    transcript: Path,
    scratch: Path,
    subagent_id: str | None,
    wanted: frozenset[str] | None,
    own_turns: set[str],
    found: dict[str, Path],
) -> Iterator[Event]:
    """Yield the events of one transcript, and add the transcripts of the subagents that it names to `found`."""
    with ExitStack() as opened:
        source = opened.enter_context(
            agent.open_transcript(
                transcript, TranscriptPosition(), scratch=scratch, subagent_id=subagent_id, wanted=wanted
            )
        )
        for event in source.read() if source is not None else ():
            if isinstance(event, SubagentStarted) and event.subagent_id and event.subagent_id not in found:
                path = agent.find_subagent_transcript(transcript, event.subagent_id)
                if path is not None and path != transcript:
                    found[event.subagent_id] = path
            if event.subagent_id is None and event.turn_id is not None:
                own_turns.add(event.turn_id)
            elif subagent_id is not None and event.turn_id in own_turns:
                continue  # its transcript may begin with a copy of the history it was given
            yield event
