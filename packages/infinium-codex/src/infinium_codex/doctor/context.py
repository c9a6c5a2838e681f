"""What the checks read, collected once: settings, Codex and its answers, the project's hooks, directories."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config import SECRET_VARIABLE, InfiniumConfigError, Settings, load
from msgspec import Struct, field
from msgspec.structs import replace

from infinium_codex.capture.hook_command import home_of
from infinium_codex.codex.app_server import AppServer, AppServerError, HookList, HookState
from infinium_codex.codex.program import CodexProgram, find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.settings import CodexSettings, read_codex_settings
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.doctor.api_request import ApiRequest, request_api
from infinium_codex.doctor.worker_process import WorkerReport, run_worker_probe
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import home_directory, is_set_up


class CodexAnswer(Struct, frozen=True, kw_only=True):
    """Codex's answer about the project."""

    answered: bool = False
    """Whether Codex listed its hooks; 0.129 and later can."""
    error: str = ""
    """Why it did not answer, in its own words."""
    settings: CodexSettings = field(default_factory=CodexSettings)
    listed: HookList = field(default_factory=lambda: HookList(hooks=()))

    @property
    def messages(self) -> tuple[str, ...]:
        """Codex's warnings and errors about hook files."""
        return self.listed.warnings + self.listed.errors


class CheckContext(Struct, frozen=True, kw_only=True):
    """Input of every check."""

    environ: Mapping[str, str]
    cwd: Path
    places: Places
    now: float
    """Seconds since the epoch."""
    codex: CodexProgram | None
    hooks: ProjectHooks
    answer: CodexAnswer
    settings: Settings | None
    """None when the project file cannot be read."""
    settings_error: str = ""
    worker: WorkerReport = field(default_factory=WorkerReport)
    api: ApiRequest = field(default_factory=ApiRequest)

    @property
    def is_set_up(self) -> bool:
        """Whether traces are recorded here."""
        return self.settings is not None and is_set_up(self.settings, self.environ)

    @property
    def is_recording(self) -> bool:
        """Whether the project is set up and not paused."""
        return self.is_set_up and self.settings is not None and not self.settings.paused.value

    @property
    def secret_in_environment(self) -> bool:
        """Whether this shell has a secret."""
        return bool(self.environ.get(SECRET_VARIABLE, "").strip())

    @property
    def managed(self) -> HookState | None:
        """One of our hooks that an administrator installed; None where our hooks are the project's own."""
        ours = (hook for hook in self.answer.listed.hooks if self.hooks.is_ours(hook.command))
        return next((hook for hook in ours if hook.trust == "managed"), None)

    @property
    def hook_places(self) -> Places:
        """The places, with the directory the hooks really run from: managed hooks have one of their own."""
        if self.managed is None:
            return self.places
        return self.places._replace(data=home_of(self.managed.command))


def collect(environ: Mapping[str, str], cwd: Path, places: Places, *, now: float) -> CheckContext:
    """Read everything except what `probe` adds. Changes nothing."""
    home = home_directory(environ)
    settings: Settings | None = None
    settings_error = ""
    try:
        settings = load(cwd, environ, home=home)
    except InfiniumConfigError as error:
        settings_error = str(error)
    codex = find_codex(environ)
    hooks = ProjectHooks(project_root(cwd, home), codex, places, environ, linked_worktree(cwd))
    return CheckContext(
        environ=environ,
        cwd=cwd,
        places=places,
        now=now,
        codex=codex,
        hooks=hooks,
        answer=_ask_codex(hooks),
        settings=settings,
        settings_error=settings_error,
    )


def probe(context: CheckContext, *, online: bool) -> CheckContext:
    """Add what needs a process or the network: the worker's report and, with `online`, the API's answer."""
    worker = run_worker_probe(context.hook_places, context.environ, context.cwd)
    return replace(context, worker=worker, api=request_api(context.settings) if online else ApiRequest())


def _ask_codex(hooks: ProjectHooks) -> CodexAnswer:
    if hooks.codex is None or not hooks.can_ask:
        return CodexAnswer()
    try:
        with AppServer(hooks.codex, hooks.reads, hooks.environ) as server:
            settings = read_codex_settings(server, hooks.codex, hooks.reads)
            listed = server.list_hooks(hooks.worktree or hooks.reads)
    except AppServerError as error:
        return CodexAnswer(error=str(error))
    return CodexAnswer(answered=True, settings=settings, listed=listed)
