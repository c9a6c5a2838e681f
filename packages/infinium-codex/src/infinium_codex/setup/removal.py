"""Removes what `init` wrote into a project, and keeps what other projects of the user still need."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from infinium_config import (
    LOCAL,
    ApprovedOrigins,
    InfiniumConfigError,
    KeyringUnavailable,
    ProjectFile,
    delete_secret,
    read_project_file,
)
from infinium_config.files import read_small_file, remove_file
from infinium_config.project import CONFIG
from msgspec import Struct

from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.hooks_json import HooksFileError, Plan, plan_removal
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.worktrees import linked_worktree, linked_worktrees
from infinium_codex.setup.known_projects import KnownProjects
from infinium_codex.support.project_files import check_project_file
from infinium_codex.support.result import CommandContext, CommandError
from infinium_codex.support.settings import home_directory

OTHER_AGENTS_FILES = (
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".cursor/hooks.json",
    ".gemini/settings.json",
)
"""Files in which other agents register hooks."""


class Removal(Struct, frozen=True, kw_only=True):
    """What can be removed. Nothing has been changed yet."""

    root: Path
    hooks: ProjectHooks
    """The hooks in the project's own file."""
    hooks_plan: Plan | None
    """The project's hooks.json without the connector's hooks; None where it has none."""
    user_hooks: ProjectHooks
    """The hooks for all projects of the user."""
    user_plan: Plan | None
    other_projects: tuple[Path, ...]
    """Other projects that the user set up."""

    @property
    def config(self) -> Path:
        """Path of the project file."""
        return self.root / CONFIG

    @property
    def has_hooks(self) -> bool:
        """Whether the connector's hooks are registered in the project."""
        return self.hooks_plan is not None

    @property
    def has_user_hooks(self) -> bool:
        """Whether the connector's hooks are registered for all projects of the user."""
        return self.user_plan is not None

    @property
    def has_settings(self) -> bool:
        """Whether there is a project file."""
        return self.config.exists()


def find_removal(ctx: CommandContext) -> Removal:
    """Find what can be removed. Raises CommandError for a file that cannot be read, or that a link leads to."""
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    codex, worktree = find_codex(ctx.environ), linked_worktree(ctx.cwd)
    hooks, user_hooks = (
        ProjectHooks(root, codex, ctx.places, ctx.environ, worktree, for_user=for_user) for for_user in (False, True)
    )
    check_project_file(root)
    return Removal(
        root=root,
        hooks=hooks,
        hooks_plan=_plan(hooks),
        user_hooks=user_hooks,
        user_plan=_plan(user_hooks),
        other_projects=tuple(KnownProjects(ctx.places, ctx.environ).others(root)),
    )


def remove_project(removal: Removal, ctx: CommandContext, *, user_hooks: bool) -> tuple[list[str], list[str]]:
    """Remove it. Returns lines for the user, and the names of what was removed."""
    lines, removed = [f"Project    {removal.root}"], []
    if removal.hooks_plan is not None:
        lines.append(_remove_hooks(removal.hooks, removal.hooks_plan))
        removed.append("hooks")
    if removal.user_plan is not None and user_hooks:
        lines.append(_remove_hooks(removal.user_hooks, removal.user_plan))
        removed.append("user hooks")
    elif removal.user_plan is not None:
        path = removal.user_hooks.path
        lines.append(f"Hooks      {path}: kept for your other projects; 'uninstall --user-hooks' removes them")
    if removal.has_settings and (other := _other_connector(removal.root)):
        lines.append(f"Settings   {removal.config} kept: the connector in {other} uses it")
    elif removal.has_settings:
        lines += _remove_settings(removal.config, removal.root, ctx)
        removed.append("settings")
    KnownProjects(ctx.places, ctx.environ).remove(removal.root)
    _remove_empty_directories(removal)
    return lines, removed


def _plan(hooks: ProjectHooks) -> Plan | None:
    text = hooks.text()
    try:
        plan = plan_removal(text, hooks.is_ours) if text is not None and text.strip() else None
    except HooksFileError as error:
        raise CommandError(f"{hooks.path}: {error}", "Nothing was removed.") from None
    return plan if plan is not None and plan.changed else None


def _remove_hooks(hooks: ProjectHooks, plan: Plan) -> str:
    try:
        hooks.apply(plan, trust=False)
    except AppServerError as error:
        hint = "Run uninstall again when Codex answers, or without Codex on PATH."
        raise CommandError(str(error), hint) from None
    done = "removed" if plan.text is None else "infinium-codex hooks removed, other hooks kept"
    return f"Hooks      {hooks.path}: {done}"


def _remove_settings(config: Path, root: Path, ctx: CommandContext) -> list[str]:
    secret_lines = list(_remove_secret(config, root, ctx))
    remove_file(config)
    if not any(config.parent.iterdir()):
        config.parent.rmdir()
    return [f"Settings   {config} removed", *secret_lines]


def _remove_secret(config: Path, root: Path, ctx: CommandContext) -> Iterator[str]:
    """Delete the agent's secret and its approved address, unless another project uses them; yields what was done."""
    try:
        file = read_project_file(config)
    except InfiniumConfigError as error:
        yield f"Secret     not removed, because the agent id is unknown: {error}"
        file = ProjectFile()
    if file.agent_id is None or file.base_url == LOCAL:
        return
    others = KnownProjects(ctx.places, ctx.environ).others_of_agent(root, file.agent_id)
    if others:
        yield f"Secret     kept, because other projects use this agent: {', '.join(map(str, others))}"
        return
    deleted = delete_secret(file.agent_id)
    if isinstance(deleted, KeyringUnavailable):
        yield f"Secret     not removed: {deleted.reason}."
    else:
        yield f"Secret     {'removed from the system keyring' if deleted else 'none in the system keyring'}"
    ApprovedOrigins(ctx.places.origins).revoke(file.agent_id)


def _other_connector(root: Path) -> str | None:
    """A file of another agent's hooks in this project that names an Infinium connector."""
    found = (place for place in OTHER_AGENTS_FILES if b"infinium" in (read_small_file(root / place) or b""))
    return next(found, None)


def _remove_empty_directories(removal: Removal) -> None:
    """Remove `.codex` where nothing is left in it, also in linked worktrees, where `init` created it."""
    if removal.hooks_plan is None:
        return
    for directory in (removal.hooks.reads, *linked_worktrees(removal.hooks.reads)):
        with suppress(OSError):  # it is missing, or not empty
            (directory / ".codex").rmdir()
