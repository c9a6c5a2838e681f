"""Reads and changes the hooks that record a project, and asks Codex whether it will run them.

They are in the project's hooks.json, or in the user's, which Codex reads in every project.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from infinium_config import find_project, main_checkout
from infinium_config.files import read_small_file, remove_file, write_atomically
from msgspec import Struct, field

from infinium_codex.capture.hook_command import hook_command, is_for_user, is_our_command
from infinium_codex.codex.app_server import AppServer, AppServerError, HookState
from infinium_codex.codex.hook_events import HookEvent, hook_events_of
from infinium_codex.codex.hooks_json import Hook, HooksFileError, Plan, our_hooks
from infinium_codex.codex.program import CodexProgram, codex_home
from infinium_codex.codex.settings import CodexSettings, read_codex_settings
from infinium_codex.codex.trust import keep_trust, trust_ours
from infinium_codex.codex.versions import MAIN_HOOKS_SINCE, TRUST_SINCE
from infinium_codex.codex.worktrees import hooks_root, unread_worktrees
from infinium_codex.support.paths import Places
from infinium_codex.support.project_files import read_text
from infinium_codex.support.result import CommandError


def project_root(cwd: Path, home: Path | None) -> Path:
    """Return the directory that a project's settings belong to.

    That is the project that was set up, else the checkout's top, else `cwd`. A project that contains the checkout does
    not count: Codex looks for hooks no further up than the checkout.
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


def wanted_hooks(codex: CodexProgram | None, command: Callable[[HookEvent], str]) -> list[Hook]:
    """Return the hooks to register for this Codex. `command` returns the command for an event."""
    # An unknown version might skip async hooks.
    can_async = codex is not None and codex.version is not None and codex.can_async
    return [
        Hook(
            event=event.name,
            command=command(event),
            timeout_seconds=event.timeout_seconds,
            run_async=event.prefers_async and can_async,
        )
        for event in hook_events_of(codex)
    ]


class Answer(Struct, frozen=True, kw_only=True):
    """Whether Codex will run our hooks, as it says itself."""

    known: bool
    """Whether this Codex answers questions about hooks."""
    runs: tuple[str, ...] = ()
    """Events whose hook it will run."""
    held: Mapping[str, str] | None = None
    """Events whose hook it will not run, with the reason: untrusted, modified or disabled."""
    listed: bool = True
    """Whether it lists any of our hooks. It lists none for a project that it does not trust."""
    words: tuple[str, ...] = ()
    """Codex's warnings and errors."""


class Survey(Struct, frozen=True, kw_only=True):
    """A project's settings and hooks as Codex reports them. The defaults stand for a Codex that cannot be asked."""

    settings: CodexSettings = field(default_factory=CodexSettings)
    hooks: tuple[HookState, ...] = ()


def user_hooks_file(environ: Mapping[str, str]) -> Path:
    """Return the hooks.json that Codex reads in every project of the user."""
    return codex_home(environ) / "hooks.json"


def has_user_hooks(environ: Mapping[str, str]) -> bool:
    """Return whether our hooks are registered for all projects of the user."""
    content = read_small_file(user_hooks_file(environ), follow_links=True)
    try:
        return bool(content and content.strip() and our_hooks(content.decode("utf-8"), _is_user_command))
    except (HooksFileError, UnicodeDecodeError):
        return False


def _is_user_command(command: str) -> bool:
    return is_our_command(command) and is_for_user(command)


class ProjectHooks:
    """The hooks that record one project."""

    def __init__(
        self,
        root: Path,
        codex: CodexProgram | None,
        places: Places,
        environ: Mapping[str, str],
        worktree: Path | None = None,
        *,
        for_user: bool | None = None,
    ) -> None:
        self.root, self.codex, self.places, self.environ = root, codex, places, environ
        self.worktree = worktree
        """The linked worktree that Codex is asked about; None in a main checkout."""
        self.reads = hooks_root(root, worktree, codex)
        """The directory whose `.codex/hooks.json` Codex reads."""
        self.for_user = has_user_hooks(environ) if for_user is None else for_user
        """Whether the hooks are registered for all projects of the user. By default, as they are now."""
        self.project_path = self.reads / ".codex" / "hooks.json"
        self.path = user_hooks_file(environ) if self.for_user else self.project_path
        self.is_ours: Callable[[str], bool] = is_our_command

    @property
    def can_ask(self) -> bool:
        """Whether this Codex answers questions about hooks."""
        return self.codex is not None and self.codex.since(TRUST_SINCE)

    def wanted(self) -> list[Hook]:
        """Return the hooks to register."""
        return wanted_hooks(
            self.codex,
            lambda event: hook_command(event.name, for_user=self.for_user, by_shell=event.by_shell),
        )

    @property
    def worktree_is_unread(self) -> bool:
        """Whether Codex reads no hooks in the worktree that it is asked about, because that has no `.codex`."""
        return self.worktree is not None and not self.for_user and not (self.worktree / ".codex").is_dir()

    @property
    def unread_worktrees(self) -> list[Path]:
        """The project's linked worktrees in which Codex does not read these hooks."""
        if self.for_user:
            return []
        if self.codex is not None and not self.codex.since(MAIN_HOOKS_SINCE):
            return []  # it reads each worktree's own
        return unread_worktrees(self.reads)

    def cover_worktrees(self) -> list[Path]:
        """Let Codex read these hooks in the linked worktrees that exist; return the worktrees that lacked it."""
        covered = []
        for worktree in self.unread_worktrees:
            with suppress(OSError):  # read-only, or a file of this name
                (worktree / ".codex").mkdir()
                covered.append(worktree)
        return covered

    def text(self) -> str | None:
        """Return the text of hooks.json; None if there is none. Raises CommandError if it cannot be read."""
        return read_text(self.path, None if self.for_user else self.reads)

    def states(self) -> tuple[HookState, ...]:
        """Return Codex's list of the project's hooks: ours and the user's. Raises AppServerError."""
        return self.survey().hooks

    def survey(self) -> "Survey":
        """Ask Codex about the project. Raises AppServerError if it should answer and does not."""
        if self.codex is None:
            return Survey()
        try:
            with self._server() as server:
                settings = read_codex_settings(server, self.codex, self.reads)
                hooks = server.list_hooks(self.reads).hooks if self.can_ask else ()
        except AppServerError:
            if self.can_ask:
                raise
            return Survey()  # an old version that answers no questions
        return Survey(settings=settings, hooks=hooks)

    def apply(self, plan: Plan, *, trust: bool) -> None:
        """Write the plan and restore the trust of the user's hooks. With `trust`, trust ours as well.

        Raises CommandError if the file cannot be written, AppServerError if Codex does not answer.
        """
        if self.worktree is not None and plan.text is not None and not self.for_user:
            (self.worktree / ".codex").mkdir(exist_ok=True)  # without it Codex reads no hooks there
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
        """Ask Codex whether it will run our hooks. Raises AppServerError if it does not answer."""
        if not self.can_ask:
            return Answer(known=False)
        with self._server() as server:
            found = server.list_hooks(self.worktree or self.reads)
        ours = [hook for hook in found.hooks if self.is_ours(hook.command)]
        runs = dict.fromkeys(hook.event for hook in ours if hook.runs)
        held = {hook.event: hook.trust if hook.enabled else "disabled" for hook in ours if hook.event not in runs}
        return Answer(
            known=True,
            runs=tuple(runs),
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
                remove_file(self.path, missing_ok=True)
                return
            self.path.parent.mkdir(exist_ok=True, parents=self.for_user)
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o644
            write_atomically(self.path.resolve(), text.encode(), mode=mode)
        except OSError as error:
            raise CommandError(f"{self.path} cannot be written: {error}.", "Check who owns the project.") from None
