"""First stage of `init`: read the project and Codex's settings. Changes nothing."""

from pathlib import Path

from infinium_config import ProjectFile, read_project_file
from infinium_config.project import CONFIG
from msgspec import Struct

from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.program import CodexProgram, find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, Survey, project_root
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.setup import gitignore
from infinium_codex.support.project_files import check_project_file
from infinium_codex.support.result import CommandContext, CommandError
from infinium_codex.support.settings import home_directory


class Inspection(Struct, frozen=True, kw_only=True):
    """The project before `init` changes anything."""

    root: Path
    codex: CodexProgram | None
    hooks: ProjectHooks
    survey: Survey
    """Codex's settings and hooks for this project."""

    @property
    def managed(self) -> bool:
        """Whether an administrator installed our hooks as managed hooks."""
        return any(self.hooks.is_ours(hook.command) and hook.trust == "managed" for hook in self.survey.hooks)

    @property
    def config(self) -> Path:
        """Path of the project file."""
        return self.root / CONFIG

    @property
    def lacks_ignore_entry(self) -> bool:
        """Whether this is a git checkout whose `.gitignore` does not have `.infinium/`."""
        try:
            return (self.root / ".git").exists() and not gitignore.is_ignored(self.root)
        except CommandError:
            return False  # a `.gitignore` that must not be changed

    def read_config(self) -> ProjectFile | None:
        """The project file; None where there is none."""
        return read_project_file(self.config) if self.config.exists() else None


def inspect_project(ctx: CommandContext, *, user_hooks: bool | None = None) -> Inspection:
    """Find Codex and the project's hooks, and ask Codex about them. Raises CommandError where Codex does not answer."""
    codex = find_codex(ctx.environ)
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    check_project_file(root)
    hooks = ProjectHooks(root, codex, ctx.places, ctx.environ, linked_worktree(ctx.cwd), for_user=user_hooks)
    try:
        survey = hooks.survey()
    except AppServerError as error:
        hint = "Nothing was changed. Start 'codex' to see its own message, fix the problem, then run init again."
        raise CommandError(f"{error}.", hint) from None
    return Inspection(root=root, codex=codex, hooks=hooks, survey=survey)
