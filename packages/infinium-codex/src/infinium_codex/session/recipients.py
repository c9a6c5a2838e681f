"""Finds for each turn of a session the project it belongs to, and the tracer that queues its trace there."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from infinium_config import Settings
from msgspec import Struct

from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.session.reading import Reading
from infinium_codex.session.snapshot import ProjectSnapshot, settings_of, take_snapshot
from infinium_codex.session.trace_builder import Tracer
from infinium_codex.support.paths import Places


class Recipient(Struct, frozen=True, kw_only=True):
    """A project, its agent, and its tracer for one session."""

    settings: Settings
    tracer: Tracer

    @property
    def identity(self) -> tuple[str, str, str]:
        """Equal for turns that one summary may cover: those of one agent in one project."""
        return self.tracer.agent_id, self.tracer.base_url, str(self.tracer.project)


class Recipients:
    """The recipients of a session's turns.

    A turn's project is the one that the hook recorded with its prompt, or else the one found when its first event was
    read. The checkpoint keeps it while the turn is open or waits for a summary.
    """

    def __init__(
        self, program: str, session_id: str, places: Places, environ: Mapping[str, str], checkpoint: Checkpoint
    ) -> None:
        self._program, self._session_id, self._places, self._environ = program, session_id, places, environ
        self._snapshots = checkpoint.projects_by_turn()
        self._found: dict[ProjectSnapshot, Recipient | None] = {}

    def learn(self, reading: Reading) -> None:
        """Note the projects of the turns in a reading."""
        for turn in sorted(reading.hook_turns):
            if turn not in self._snapshots:
                cwd = reading.turn_cwds.get(turn, reading.cwd)
                found = reading.projects.get(turn)
                self._snapshots[turn] = found or take_snapshot(cwd or "/", self._environ)

    def snapshots(self, turns: Iterable[str]) -> dict[str, ProjectSnapshot]:
        """The projects of these turns, to keep in the checkpoint."""
        return {turn: self._snapshots[turn] for turn in turns if turn in self._snapshots}

    def of(self, turn: str) -> Recipient | None:
        """The recipient of a turn; None, with an error in the ledger, if it has no agent or its files are invalid."""
        snapshot = self._snapshots.get(turn)
        return None if snapshot is None else self._recipient(snapshot)

    def at(self, cwd: str) -> Recipient | None:
        """The recipient of turns that begin in this directory now."""
        return self._recipient(take_snapshot(cwd, self._environ))

    def _recipient(self, snapshot: ProjectSnapshot) -> Recipient | None:
        if snapshot not in self._found:
            self._found[snapshot] = self._open(snapshot)
        return self._found[snapshot]

    def _open(self, snapshot: ProjectSnapshot) -> Recipient | None:
        settings = settings_of(snapshot, self._places, self._environ)
        if settings is None:
            return None
        tracer = Tracer.open(self._program, self._session_id, Path(snapshot.cwd), self._places, settings)
        return None if tracer is None else Recipient(settings=settings, tracer=tracer)
