"""`infinium-codex uninstall`: remove the hooks, settings and secret from a project."""

from typing import Annotated

from cyclopts import Parameter

from infinium_codex.console.formatting import plural
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.console.prompts import confirm
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.spool_directories import find_spool_directories


def uninstall(
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask for confirmation.")] = False,
    user_hooks: Annotated[
        bool, Parameter(negative="", help="Remove the hooks that are registered for all your projects, too.")
    ] = False,
    purge: Annotated[
        bool,
        Parameter(
            negative="",
            help="If no other project is set up, also remove queued and local traces, history, logs, the hook's "
            "program and the background processes.",
        ),
    ] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Remove our hooks with their trust, the project file and the agent's secret. Traces are kept."""
    from infinium_codex.setup.removal import find_removal, remove_project  # imports Codex's side; help does not need it

    removal = find_removal(ctx)
    others = removal.other_projects
    purges = purge and not others
    user_hooks = user_hooks or purges
    if (
        not removal.has_hooks
        and not removal.has_settings
        and not purges
        and not (user_hooks and removal.has_user_hooks)
    ):
        return Result.success((f"{removal.root} is not set up; nothing to remove.",), {"removed": []})
    if not yes:
        _confirm(ctx, f"Stop tracing {removal.root} and remove its settings and secret?")
    lines, removed = remove_project(removal, ctx, user_hooks=user_hooks)
    if purges:
        from infinium_codex.setup.purge import purge_user

        directories = ", ".join(map(str, (ctx.places.state, *find_spool_directories(ctx.places), ctx.places.data)))
        queued = purge_user(ctx)
        lost = f"; {plural(queued, 'queued trace')} not sent" if queued else ""
        lines.append(f"Purged     {directories}{lost}")
        removed.append("everything")
    elif purge:
        projects = ", ".join(map(str, others))
        lines.append(f"Traces     kept in {ctx.places.state}, because other projects are set up: {projects}")
    else:
        lines.append(f"Traces     kept in {ctx.places.state}")
    return Result.success(tuple(lines), {"project": str(removal.root), "removed": removed})


def _confirm(ctx: CommandContext, question: str) -> None:
    if not ctx.interactive:
        raise CommandError("Not interactive; pass --yes.", exit_code=2)
    if not confirm(ctx, question, default=False):
        raise CommandError("Nothing was removed.")
