"""What every check looks at, gathered once: settings, Codex with its own answers, the project's hooks, the places."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config import InfiniumConfigError, Settings, load
from msgspec import Struct, field

from infinium_codex.capture.install import home_of
from infinium_codex.codex.app_server import AppServer, AppServerError, HookList, HookState
from infinium_codex.codex.program import CodexProgram, find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.settings import CodexSettings, read_codex_settings
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import home_directory


class CodexView(Struct, frozen=True, kw_only=True):
    """What Codex itself says of the project."""

    asked: bool = False
    """Whether it lists hooks: 0.129 and later do."""
    error: str = ""
    """Why it did not answer, in its own words."""
    settings: CodexSettings = field(default_factory=CodexSettings)
    listed: HookList = field(default_factory=lambda: HookList(hooks=()))


class Situation(Struct, frozen=True, kw_only=True):
    """The world as it is while the doctor looks."""

    environ: Mapping[str, str]
    cwd: Path
    places: Places
    now: float
    """Seconds since the epoch."""
    codex: CodexProgram | None
    hooks: ProjectHooks
    view: CodexView
    settings: Settings | None
    """None when the project file cannot be used."""
    settings_error: str = ""

    @property
    def is_set_up(self) -> bool:
        """Whether anything is traced here: there is a project file, or the environment says where traces go."""
        return self.settings is not None and (
            self.settings.project is not None
            or any(self.environ.get(name, "").strip() for name in ("INFINIUM_AGENT_ID", "INFINIUM_BASE_URL"))
        )

    @property
    def managed(self) -> HookState | None:
        """One of ours that an administrator has Codex run; None where our hooks are the project's own."""
        ours = (hook for hook in self.view.listed.hooks if self.hooks.is_ours(hook.command))
        return next((hook for hook in ours if hook.trust == "managed"), None)

    @property
    def hook_places(self) -> Places:
        """The places, with the directory the hooks here really run from: managed ones have one of their own."""
        if self.managed is None:
            return self.places
        return self.places._replace(data=home_of(self.managed.command))


def look(environ: Mapping[str, str], cwd: Path, places: Places, *, now: float) -> Situation:
    """Gather it. Nothing is changed by looking."""
    home = home_directory(environ)
    settings: Settings | None = None
    settings_error = ""
    try:
        settings = load(cwd, environ, home=home)
    except InfiniumConfigError as error:
        settings_error = str(error)
    codex = find_codex(environ)
    hooks = ProjectHooks(project_root(cwd, home), codex, places, environ, linked_worktree(cwd))
    return Situation(
        environ=environ,
        cwd=cwd,
        places=places,
        now=now,
        codex=codex,
        hooks=hooks,
        view=_ask(hooks),
        settings=settings,
        settings_error=settings_error,
    )


def _ask(hooks: ProjectHooks) -> CodexView:
    if hooks.codex is None or not hooks.can_ask:
        return CodexView()
    try:
        with AppServer(hooks.codex, hooks.reads, hooks.environ) as server:
            settings = read_codex_settings(server, hooks.codex, hooks.reads)
            return CodexView(asked=True, settings=settings, listed=server.list_hooks(hooks.worktree or hooks.reads))
    except AppServerError as error:
        return CodexView(error=str(error))
