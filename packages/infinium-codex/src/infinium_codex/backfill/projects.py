"""Finds the project of a directory, with the agent, the settings and the trace options of the traces made there."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from infinium_config import SECRET_VARIABLE, InfiniumConfigError, Settings, find_project, load
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.session_files import ProjectDirectories
from infinium_codex.delivery.secrets import secrets_to_redact
from infinium_codex.otlp.variables import header_secrets, is_configured
from infinium_codex.session.snapshot import ADDRESS_VARIABLE, AGENT_VARIABLE
from infinium_codex.session.trace_builder import RecipientId, Tracer
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import home_directory

BACKFILLED = "backfilled"
"""The tag of traces that were built from the transcript alone, after the turn."""


class Untraceable(StrEnum):
    """Why no trace is made of the turns in a directory."""

    NO_PROJECT = "no Infinium project is set up there"
    NO_AGENT = "no agent id is configured there"
    PAUSED = "recording is paused there"
    INVALID = "the settings there cannot be read"


class TracedProject(Struct, frozen=True, kw_only=True):
    """A project whose turns can be traced."""

    root: Path
    config_path: Path | None
    settings: Settings
    tracer: Tracer
    """Builds its traces. Its context names no session."""

    def tracer_of(self, session: str, *, backfilled: bool) -> Tracer:
        """Return the tracer for a session.

        `backfilled` marks its traces. Their branch is the one that the transcript names, and not the present one.
        """
        context = replace(self.tracer.context, session_id=session)
        if not backfilled:
            return replace(self.tracer, context=context)
        options = self.tracer.options
        return replace(
            self.tracer,
            context=replace(context, git_branch=None, git_commit=None),
            options=replace(options, custom_tags={**options.custom_tags, BACKFILLED: "true"}),
        )


class Projects:
    """The projects by directory. Each is looked up once."""

    def __init__(self, places: Places, environ: Mapping[str, str], own: ProjectDirectories) -> None:
        """`own` is the project of this process's working directory.

        The agent, the address and the secret in the environment are that project's, and are used for no other one.
        """
        self._places, self._environ, self._own = places, environ, own
        self._home = home_directory(environ)
        theirs = (AGENT_VARIABLE, ADDRESS_VARIABLE, SECRET_VARIABLE)
        self._elsewhere = {name: value for name, value in environ.items() if name not in theirs}
        self._found: dict[str, TracedProject | Untraceable] = {}

    def at(self, directory: str) -> TracedProject | Untraceable:
        """Return the project to which a turn in this directory belongs, or why it cannot be traced."""
        if directory not in self._found:
            self._found[directory] = self._find(directory)
        return self._found[directory]

    def _find(self, directory: str) -> TracedProject | Untraceable:
        path, is_own = Path(directory), self._own.contains(directory)
        project = find_project(path, home=self._home, environ=self._environ)
        if project is None and is_own:
            path = self._own.root  # a worktree that was removed, or a project that the environment configures
        elif project is None:
            return Untraceable.NO_PROJECT
        try:
            settings = load(path, self._environ if is_own else self._elsewhere, home=self._home)
        except InfiniumConfigError:
            return Untraceable.INVALID
        if settings.paused.value:
            return Untraceable.PAUSED
        destination = settings.destination()
        if destination is None:
            return Untraceable.NO_AGENT if settings.project else Untraceable.NO_PROJECT
        agent_id, base_url = destination["agent_id"], destination["base_url"]
        root = settings.project.root if settings.project else self._own.root
        recipient = RecipientId(agent_id=agent_id, base_url=base_url, project=root)
        secrets = secrets_to_redact(settings, agent_id, base_url)
        of_shell = self._environ.get(SECRET_VARIABLE, "").strip()
        secrets += (of_shell,) if of_shell and of_shell not in secrets else ()
        secrets += header_secrets(self._environ) if is_configured(self._environ) else ()
        return TracedProject(
            root=root,
            config_path=settings.project.config_path if settings.project else None,
            settings=settings,
            tracer=Tracer.open(CODEX.program, "", recipient, path, self._places, settings, secrets),
        )
