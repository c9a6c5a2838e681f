"""One project's hooks as Codex sees them: which file, what stands in it, and whether Codex will run it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from infinium_config import find_project, main_checkout

if TYPE_CHECKING:  # asking Codex takes a third of a second; `status` does not, and does not pay for it
    from infinium_codex.app_server import AppServer, HookState

from infinium_codex.codex_program import TRUST_SINCE, CodexProgram
from infinium_codex.hook_home import is_our_command
from infinium_codex.hooks_file import Plan
from infinium_codex.paths import Places
from infinium_codex.result import CommandError


def project_root(cwd: Path, home: Path | None) -> Path:
    """The directory a project's hooks belong to: one already set up, else the checkout, else the directory itself."""
    project = find_project(cwd, home=home)
    if project is not None:
        return project.root
    for directory in (cwd, *cwd.parents):
        if (main := main_checkout(directory)) is not None:
            return main
        if (directory / ".git").exists() and directory != home:
            return directory
    return cwd


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
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


class ProjectHooks:
    """Reads, changes and asks about the hooks of one project."""

    def __init__(self, root: Path, codex: CodexProgram | None, places: Places, environ: Mapping[str, str]) -> None:
        self.root, self.codex, self.places, self.environ = root, codex, places, environ
        self.path = root / ".codex" / "hooks.json"
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

    def states(self) -> "tuple[HookState, ...]":
        """Codex's list of the project's hooks, ours and the user's."""
        if not self.can_ask:
            return ()
        with self._server() as server:
            return server.list_hooks(self.root).hooks

    def apply(self, plan: Plan, *, trust: bool) -> None:
        """Write the plan, and let every hook of the user's keep the trust it has; ours get it when `trust` says so."""
        before = self.states() if plan.changed else ()
        if plan.changed:
            self._write(plan.text)
        if not self.can_ask or not (trust or before):
            return
        from infinium_codex.trust import keep_trust, trust_ours

        with self._server() as server:
            after = server.list_hooks(self.root).hooks
            keep_trust(before, after, self.is_ours).write(server)
            if trust:
                trust_ours(after, self.is_ours).write(server)

    def ask(self) -> Answer:
        """Ask Codex whether it will run our hooks."""
        if not self.can_ask:
            return Answer(known=False)
        with self._server() as server:
            found = server.list_hooks(self.root)
        ours = [hook for hook in found.hooks if self.is_ours(hook.command)]
        held = {hook.event: hook.trust if hook.enabled else "disabled" for hook in ours if not hook.runs}
        return Answer(
            known=True,
            runs=tuple(hook.event for hook in ours if hook.runs),
            held=held,
            listed=bool(ours),
            words=found.warnings + found.errors,
        )

    def _server(self) -> "AppServer":
        from infinium_codex.app_server import AppServer

        assert self.codex is not None
        return AppServer(self.codex, self.root, self.environ)

    def _write(self, text: str | None) -> None:
        try:
            if text is None:
                self.path.unlink(missing_ok=True)
                return
            self.path.parent.mkdir(exist_ok=True)
            mode = self.path.stat().st_mode & 0o777 if self.path.exists() else 0o644
            import tempfile

            fd, aside = tempfile.mkstemp(prefix=".hooks.json.", dir=self.path.parent)
            with os.fdopen(fd, "wb") as file:
                file.write(text.encode("utf-8"))
                os.fchmod(file.fileno(), mode)
            Path(aside).replace(self.path.resolve())
        except OSError as error:
            raise CommandError(f"{self.path} cannot be written: {error}.", "Check who owns the project.") from None
