"""Finds for each turn of a session the project it belongs to, and the tracer that queues its trace there."""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from infinium_config import LOCAL, Settings
from infinium_config.settings import LOCAL_AGENT

from infinium_codex.delivery.secrets import secrets_to_redact
from infinium_codex.otlp.variables import OTLP_AGENT, header_secrets, is_configured
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.session.reading import Reading
from infinium_codex.session.snapshot import ProjectSnapshot, settings_of, take_snapshot
from infinium_codex.session.trace_builder import RecipientId, Tracer
from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places

if TYPE_CHECKING:
    from infinium_codex.otlp.settings import OtlpSettings


class Recipient:
    """A project and its agent. The tracer is made when it is first needed, as it may ask the keyring."""

    def __init__(
        self, identity: RecipientId, settings: Settings, make_tracer: Callable[[], Tracer], *, exports: bool
    ) -> None:
        self.identity, self.settings, self._make_tracer, self._exports = identity, settings, make_tracer, exports

    @property
    def wants_turns(self) -> bool:
        """Whether turns are sent one by one, to the agent or to an OTLP engine."""
        return self.settings.flush_on_stop.value or self._exports

    @property
    def wants_summary(self) -> bool:
        """Whether a session's end is summarized. An OTLP engine gets turns only; the session's id groups them."""
        return self.settings.flush_on_session_end.value and self.identity.agent_id != OTLP_AGENT

    @cached_property
    def tracer(self) -> Tracer:
        """Queues traces for this recipient."""
        return self._make_tracer()


class Recipients:
    """The recipients of a session's turns.

    A turn's project is the one that the hook recorded with its prompt, or else the one found when its first event was
    read. The checkpoint keeps it while the turn is open or waits for a summary. `current` are the settings at the
    session's present directory: a secret in the environment is that of their agent.
    """

    def __init__(
        self,
        program: str,
        session_id: str,
        places: Places,
        environ: Mapping[str, str],
        current: Settings,
        checkpoint: Checkpoint,
    ) -> None:
        self._program, self._session_id, self._places = program, session_id, places
        self._environ, self._current = environ, current
        self._snapshots = checkpoint.projects_by_turn()
        self._found: dict[ProjectSnapshot, Recipient | None] = {}
        self._otlp = self._otlp_settings() if is_configured(environ) else None

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
            self._found[snapshot] = self._find(snapshot)
        return self._found[snapshot]

    def _find(self, snapshot: ProjectSnapshot) -> Recipient | None:
        settings = settings_of(snapshot, self._places, self._environ)
        if settings is None:
            return None
        cwd, base_url = Path(snapshot.cwd), settings.base_url.value
        agent_id = settings.agent_id.value or (LOCAL_AGENT if base_url == LOCAL else None)
        if agent_id is None and self._otlp is not None:
            agent_id, base_url = OTLP_AGENT, self._otlp.traces_url
        if agent_id is None:
            message = f"No agent id for {cwd}: set INFINIUM_AGENT_ID or run 'infinium-codex init' there."
            record_error(self._places, "worker", message, {"session": self._session_id})
            return None
        project = settings.project.root if settings.project else cwd
        identity = RecipientId(agent_id=agent_id, base_url=base_url, project=project)

        def make_tracer() -> Tracer:
            secrets = secrets_to_redact(self._current, agent_id, base_url)
            secrets += header_secrets(self._environ) if self._otlp is not None else ()
            otlp = self._otlp
            return Tracer.open(self._program, self._session_id, identity, cwd, self._places, settings, secrets, otlp)

        return Recipient(identity, settings, make_tracer, exports=self._otlp is not None)

    def _otlp_settings(self) -> "OtlpSettings | None":
        """Read the settings of the OTLP export; None, with an error in the ledger, if they cannot be used."""
        from infinium_codex.otlp.settings import OtlpSettingsError, read_settings

        try:
            return read_settings(self._environ)
        except OtlpSettingsError as error:
            record_error(self._places, "otlp", f"Turns are not exported: {error}", {"session": self._session_id})
            return None
