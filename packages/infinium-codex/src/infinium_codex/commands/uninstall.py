"""`infinium-codex uninstall`: take ours out of a project, and nothing else."""

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
from infinium_config.project import CONFIG

from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.hooks_json import HooksFileError, Plan, plan_removal
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


def run(ctx: CommandContext, *, yes: bool) -> Result:
    """Remove our hooks with their trust, the project file and the agent's secret. Traces stay."""
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    hooks = ProjectHooks(root, find_codex(ctx.environ), ctx.places, ctx.environ, linked_worktree(ctx.cwd))
    plan = _plan(hooks)
    config = root / CONFIG
    others = _other_connectors(hooks)
    if not (plan and plan.changed) and not config.exists():
        return Result.success((f"{root} is not set up: there is nothing to remove.",), {"removed": []})
    if not yes:
        _confirm(ctx, root)
    lines, removed = [], []
    if plan is not None and plan.changed:
        try:
            hooks.apply(plan, trust=False)
        except AppServerError as error:
            raise CommandError(
                str(error), "Run uninstall again once Codex answers, or without Codex on PATH."
            ) from None
        lines.append(f"Hooks      {hooks.path}: {'removed' if plan.text is None else 'ours removed, the others kept'}")
        removed.append("hooks")
    if config.exists() and others:
        lines.append(f"Settings   {config} stays: {others} in this project uses it")
    elif config.exists():
        lines += _remove_settings(config, ctx)
        removed.append("settings")
    lines.append(f"Traces     kept in {ctx.places.state}")
    return Result.success((f"Project    {root}", *lines), {"project": str(root), "removed": removed})


def _plan(hooks: ProjectHooks) -> Plan | None:
    text = hooks.text()
    try:
        return plan_removal(text, hooks.is_ours) if text is not None and text.strip() else None
    except HooksFileError as error:
        raise CommandError(f"{hooks.path}: {error}", "Nothing was removed.") from None


def _confirm(ctx: CommandContext, root: Path) -> None:
    if not ctx.interactive:
        raise CommandError("Nobody can be asked here.", "Say --yes to uninstall without a question.", exit_code=2)
    answer = ctx.ask(f"Stop tracing {root} and remove its settings and secret? [y/N]", False)
    if answer.strip().lower() not in ("y", "yes"):
        raise CommandError("Nothing was removed.")


def _remove_settings(config: Path, ctx: CommandContext) -> list[str]:
    lines = []
    try:
        file = read_project_file(config)
    except InfiniumConfigError as error:
        file = ProjectFile()
        lines.append(f"Secret     not looked for: {error}")
    if file.agent_id and file.base_url != LOCAL:
        deleted = delete_secret(file.agent_id)
        if isinstance(deleted, KeyringUnavailable):
            lines.append(f"Secret     not removed: {deleted.reason}.")
        else:
            lines.append(f"Secret     {'removed from the system keyring' if deleted else 'none was in the keyring'}")
        ApprovedOrigins(ctx.places.origins).revoke(file.agent_id)
    config.unlink()
    if not any(config.parent.iterdir()):
        config.parent.rmdir()
    return [f"Settings   {config} removed", *lines]


def _other_connectors(hooks: ProjectHooks) -> str | None:
    """A file of another agent's hooks in this project that names an Infinium connector."""
    for place in (
        ".claude/settings.json",
        ".claude/settings.local.json",
        ".cursor/hooks.json",
        ".gemini/settings.json",
    ):
        try:
            if b"infinium" in (hooks.root / place).read_bytes():
                return place
        except OSError:
            continue
    return None
