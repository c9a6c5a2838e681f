"""How far a session is traced: kept beside its spool, written when its traces are safe in the outbox."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, Self

import msgspec
from infinium_config.files import write_atomically
from infinium_trace import TreeChanges
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.agent import Offset, TranscriptPosition
from infinium_codex.session.snapshot import ProjectSnapshot

_MAX_FILES = 200
_REMEMBERED = 64
"""Closed turns that are remembered: an older one gets no late event any more."""


class ReadPosition(Struct, frozen=True, kw_only=True):
    """A place from which spool and transcript can be read on."""

    spool: Offset = 0
    """Offset in the spool file."""
    spool_head: int = 0
    """Checksum of that file's first line: in another spool the offset means nothing."""
    transcript: TranscriptPosition = TranscriptPosition()


class Checkpoint(Struct, frozen=True, kw_only=True):
    """What is remembered of one session. Losing it costs time, not traces: a trace is known by its key."""

    schema: Literal[2] = 2
    cwd: str | None = None
    transcript_path: str | None = None
    next_turn: ReadPosition = ReadPosition()
    """Where the next turn's reading begins."""
    summary_start: ReadPosition = ReadPosition()
    """Where the session's next summary begins."""
    summary_end: ReadPosition | None = None
    """Where the summary ends that is being queued. After a kill, the same turns are summarized again."""
    summary_part: int = 1
    """Number of that summary: a session that continues after a summary gets a further part."""
    closed_turns: tuple[str, ...] = ()
    """Turns already traced, newest last. A late event of one, from an async hook, starts nothing."""
    closed_subagents: tuple[str, ...] = ()
    """Subagents of those turns, and the turns in which they worked for them, for the same reason."""
    summarized_turns: tuple[str, ...] = ()
    """Turns that are in a summary, so that the next one leaves them out."""
    turns_without_spool: tuple[str, ...] = ()
    """Turns that are closed, in no summary, and in no spool any more: only the transcript records them."""
    projects: tuple[ProjectSnapshot, ...] = ()
    """The projects of the turns in `turn_projects`, each once."""
    turn_projects: Mapping[str, Offset] = {}
    """For each turn that is open or in no summary yet, the number of its project in `projects`."""

    changes: Mapping[str, TreeChanges] = {}
    """For each turn in no summary yet, the files that it changed in its checkout, without their diff."""

    def projects_by_turn(self) -> dict[str, ProjectSnapshot]:
        """The project of each turn that is open or in no summary yet."""
        known = self.projects
        return {turn: known[number] for turn, number in self.turn_projects.items() if number < len(known)}

    def with_projects(self, projects: Mapping[str, ProjectSnapshot]) -> Self:
        """The checkpoint with these projects, by turn."""
        known = tuple(dict.fromkeys(projects.values()))
        numbers = {turn: known.index(snapshot) for turn, snapshot in projects.items()}
        return replace(self, projects=known, turn_projects=numbers)

    def with_changes(self, more: Mapping[str, TreeChanges]) -> Self:
        """The checkpoint with what more turns changed, as far as a summary is still to contain them."""
        known = {**self.changes, **{turn: _bounded(changes) for turn, changes in more.items()}}
        return replace(self, changes={turn: known[turn] for turn in self.unsummarized if turn in known})

    @property
    def unsummarized(self) -> tuple[str, ...]:
        """Closed turns that the next summary must contain."""
        return tuple(turn for turn in self.closed_turns if turn not in self.summarized_turns)

    def without_spool(self, head: int) -> Self:
        """The checkpoint of a session whose spool another program removed; `head` is the new spool's, or 0."""
        end = self.summary_end and replace(self.summary_end, spool=0, spool_head=head)
        start = replace(self.summary_start, spool=0, spool_head=head)
        return replace(self, summary_start=start, summary_end=end, turns_without_spool=self.unsummarized)

    def save(self, path: Path) -> None:
        """Write the checkpoint in place of the last one, in one step."""
        # Not synced: after a power failure the traces in the outbox are known by their keys.
        write_atomically(path, msgspec.json.encode(self), durable=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The checkpoint at `path`; a new one if there is none or it does not fit."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError, RecursionError):
            return cls()


def _bounded(changes: TreeChanges) -> TreeChanges:
    """The first files alone: a checkpoint is written at the end of every turn."""
    return TreeChanges(files=changes.files[:_MAX_FILES], changed_at_ms=changes.changed_at_ms)


def remember(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """`known` with `more` added, without duplicates; only the newest that can still get a late event."""
    return (*known, *(one for one in more if one not in known))[-_REMEMBERED:]
