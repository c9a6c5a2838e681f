"""`infinium-codex uninstall`: remove the hooks, settings and secret from a project."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from infinium_config import (
    LOCAL,
    ApprovedOrigins,
    InfiniumConfigError,
    KeyringUnavailable,
    ProjectFile,
    delete_secret,
    read_project_file,
)
from infinium_config.project import CONFIG

from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.hooks_json import HooksFileError, Plan, plan_removal
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.console.prompts import confirm
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory

OTHER_AGENTS_FILES = (
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".cursor/hooks.json",
    ".gemini/settings.json",
)
"""Files in which other agents register hooks."""


def uninstall(
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask for confirmation.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Remove our hooks with their trust, the project file and the agent's secret. Traces are kept."""
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    codex, worktree = find_codex(ctx.environ), linked_worktree(ctx.cwd)
    hooks = ProjectHooks(root, codex, ctx.places, ctx.environ, worktree, for_user=False)
    plan = _plan(hooks)
    config = root / CONFIG
    if plan is None and not config.exists():
        return Result.success((f"{root} is not set up; nothing to remove.",), {"removed": []})
    if not yes:
        _confirm(ctx, root)
    lines, removed = [f"Project    {root}"], []
    if plan is not None:
        lines.append(_remove_hooks(hooks, plan))
        removed.append("hooks")
    if config.exists() and (other := _other_connector(root)):
        lines.append(f"Settings   {config} kept: the connector in {other} uses it")
    elif config.exists():
        lines += _remove_settings(config, ctx)
        removed.append("settings")
    lines.append(f"Traces     kept in {ctx.places.state}")
    return Result.success(tuple(lines), {"project": str(root), "removed": removed})


def _plan(hooks: ProjectHooks) -> Plan | None:
    """The hooks file without our hooks; None where it has none of them."""
    text = hooks.text()
    try:
        plan = plan_removal(text, hooks.is_ours) if text is not None and text.strip() else None
    except HooksFileError as error:
        raise CommandError(f"{hooks.path}: {error}", "Nothing was removed.") from None
    return plan if plan is not None and plan.changed else None


def _confirm(ctx: CommandContext, root: Path) -> None:
    if not ctx.interactive:
        raise CommandError("Not interactive; pass --yes.", exit_code=2)
    if not confirm(ctx, f"Stop tracing {root} and remove its settings and secret?", default=False):
        raise CommandError("Nothing was removed.")


def _remove_hooks(hooks: ProjectHooks, plan: Plan) -> str:
    try:
        hooks.apply(plan, trust=False)
    except AppServerError as error:
        hint = "Run uninstall again when Codex answers, or without Codex on PATH."
        raise CommandError(str(error), hint) from None
    done = "removed" if plan.text is None else "infinium-codex hooks removed, other hooks kept"
    return f"Hooks      {hooks.path}: {done}"


def _remove_settings(config: Path, ctx: CommandContext) -> list[str]:
    secret_lines = list(_remove_secret(config, ctx))
    config.unlink()
    if not any(config.parent.iterdir()):
        config.parent.rmdir()
    return [f"Settings   {config} removed", *secret_lines]


def _remove_secret(config: Path, ctx: CommandContext) -> Iterator[str]:
    """Delete the agent's secret and its approved address; yields what was done."""
    try:
        file = read_project_file(config)
    except InfiniumConfigError as error:
        yield f"Secret     not removed, because the agent id is unknown: {error}"
        file = ProjectFile()
    if file.agent_id is None or file.base_url == LOCAL:
        return
    deleted = delete_secret(file.agent_id)
    if isinstance(deleted, KeyringUnavailable):
        yield f"Secret     not removed: {deleted.reason}."
    else:
        yield f"Secret     {'removed from the system keyring' if deleted else 'none in the system keyring'}"
    ApprovedOrigins(ctx.places.origins).revoke(file.agent_id)


def _other_connector(root: Path) -> str | None:
    """A file of another agent's hooks in this project that names an Infinium connector."""
    for place in OTHER_AGENTS_FILES:
        try:
            if b"infinium" in (root / place).read_bytes():
                return place
        except OSError:
            continue
    return None
