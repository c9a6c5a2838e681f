"""One project's hooks as Codex sees them: which file, what stands in it, and whether Codex will run it."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from infinium_config import find_project, main_checkout
from msgspec import Struct, field

from infinium_codex.capture.install import is_our_command
from infinium_codex.codex.app_server import AppServer, AppServerError, HookState
from infinium_codex.codex.hook_events import hook_events_of
from infinium_codex.codex.hooks_json import Hook, Plan
from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.settings import CodexSettings, read_codex_settings
from infinium_codex.codex.trust import keep_trust, trust_ours
from infinium_codex.codex.versions import TRUST_SINCE
from infinium_codex.codex.worktrees import hooks_root
from infinium_codex.support.paths import Places
from infinium_codex.support.result import CommandError


def project_root(cwd: Path, home: Path | None) -> Path:
    """The directory a project's settings belong to: one already set up, else the checkout, else the directory itself.

    A project around the checkout is another one: Codex looks for hooks no further up than the checkout.
    """
    project = find_project(cwd, home=home)
    for directory in (cwd, *cwd.parents):
        if project is not None and project.root == directory:
            return directory
        if (main := main_checkout(directory)) is not None:
            return project.root if project is not None and project.root.is_relative_to(main) else main
        if (directory / ".git").exists() and directory != home:
            return directory
    return cwd


def wanted_hooks(codex: CodexProgram | None, command: Callable[[str], str]) -> list[Hook]:
    """The hooks of ours for this Codex, each with the command of its event."""
    # An unknown version might skip async hooks.
    can_async = codex is not None and codex.version is not None and codex.can_async
    return [
        Hook(
            event=event.name,
            command=command(event.name),
            timeout_seconds=event.timeout_seconds,
            run_async=event.prefers_async and can_async,
        )
        for event in hook_events_of(codex)
    ]


class Answer(Struct, frozen=True, kw_only=True):
    """What Codex says of our hooks."""

    known: bool
    """Whether this Codex can be asked."""
    runs: tuple[str, ...] = ()
    """Events whose hook of ours it will run."""
    held: Mapping[str, str] | None = None
    """Events whose hook of ours it will not run, and why."""
    listed: bool = True
    """False when it lists no hooks at all for the project: it is not trusted."""
    words: tuple[str, ...] = ()
    """Its warnings and errors."""


class Survey(Struct, frozen=True, kw_only=True):
    """What Codex says of a project; as if nothing stood in the way, where it cannot be asked."""

    settings: CodexSettings = field(default_factory=CodexSettings)
    hooks: tuple[HookState, ...] = ()


class ProjectHooks:
    """Reads, changes and asks about the hooks of one project."""

    def __init__(
        self,
        root: Path,
        codex: CodexProgram | None,
        places: Places,
        environ: Mapping[str, str],
        worktree: Path | None = None,
    ) -> None:
        self.root, self.codex, self.places, self.environ = root, codex, places, environ
        self.worktree = worktree
        """The linked worktree Codex is asked about; None in a main checkout."""
        self.reads = hooks_root(root, worktree, codex)
        """The directory whose hooks Codex reads."""
        self.path = self.reads / ".codex" / "hooks.json"
        self.is_ours: Callable[[str], bool] = is_our_command

    @property
    def can_ask(self) -> bool:
        """Whether this Codex answers questions about hooks."""
        return self.codex is not None and self.codex.since(TRUST_SINCE)

    def text(self) -> str | None:
        """The file, None when there is none."""
        try:
            return self.path.read_bytes().decode("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{self.path} cannot be read: {error}.", "Mend it, or move it aside.") from None

    def states(self) -> tuple[HookState, ...]:
        """Codex's list of the project's hooks, ours and the user's."""
        return self.survey().hooks

    def survey(self) -> "Survey":
        """What Codex says of the project before anything is changed."""
        if self.codex is None:
            return Survey()
        try:
            with self._server() as server:
                settings = read_codex_settings(server, self.codex, self.reads)
                hooks = server.list_hooks(self.reads).hooks if self.can_ask else ()
        except AppServerError:
            if self.can_ask:
                raise
            return Survey()  # too old to be asked anything
        return Survey(settings=settings, hooks=hooks)

    def apply(self, plan: Plan, *, trust: bool) -> None:
        """Write the plan, and let every hook of the user's keep the trust it has; ours get it when `trust` says so."""
        if self.worktree is not None and plan.text is not None:
            (self.worktree / ".codex").mkdir(exist_ok=True)  # without one Codex looks for no hooks there at all
        before = self.states() if plan.changed else ()
        if plan.changed:
            self._write(plan.text)
        if not self.can_ask or not (trust or before):
            return
        with self._server() as server:
            after = server.list_hooks(self.reads).hooks
            keep_trust(before, after, self.is_ours).write(server)
            if trust:
                trust_ours(after, self.is_ours).write(server)

    def ask(self) -> Answer:
        """Ask Codex whether it will run our hooks."""
        if not self.can_ask:
            return Answer(known=False)
        with self._server() as server:
            found = server.list_hooks(self.worktree or self.reads)
        ours = [hook for hook in found.hooks if self.is_ours(hook.command)]
        held = {hook.event: hook.trust if hook.enabled else "disabled" for hook in ours if not hook.runs}
        return Answer(
            known=True,
            runs=tuple(hook.event for hook in ours if hook.runs),
            held=held,
            listed=bool(ours),
            words=found.warnings + found.errors,
        )

    def _server(self) -> AppServer:
        assert self.codex is not None
        return AppServer(self.codex, self.reads, self.environ)

    def _write(self, text: str | None) -> None:
        try:
            if text is None:
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(exist_ok=True)
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o644
            fd, aside = tempfile.mkstemp(prefix=".hooks.json.", dir=self.path.parent)
            with os.fdopen(fd, "wb") as file:
                file.write(text.encode("utf-8"))
                os.fchmod(file.fileno(), mode)
            Path(aside).replace(self.path.resolve())
        except OSError as error:
            raise CommandError(f"{self.path} cannot be written: {error}.", "Check who owns the project.") from None
