"""`infinium-codex errors`: list errors, dead letters and dropped traces."""

from infinium_config import InfiniumConfigError, load
from infinium_transport import Entry, EntryKind

from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AllProjects, AsJson, Context, Count
from infinium_codex.delivery.overview import FAILURES
from infinium_codex.delivery.projects import ProjectFilter, project_directory
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory

_KIND_NAMES = {EntryKind.dead: "dead letter", EntryKind.dropped: "dropped"}


def errors(*, count: Count = 20, all_projects: AllProjects = False, ctx: Context, json: AsJson = False) -> Result:
    """List errors of hook, worker and delivery, dead letters and dropped traces of this project, newest first.

    Errors that belong to no project and no agent, such as those of the hook, are listed in every project.
    """
    collect_hook_errors(ctx.places)
    entries = open_ledger(ctx.places).entries()
    found = [entry for entry in entries if entry.kind in FAILURES]
    root = project_directory(ctx.cwd, home_directory(ctx.environ))
    project = ProjectFilter(root, entries, _agent_id(ctx))
    chosen = found if all_projects else [entry for entry in found if project.owns(entry.labels)]
    others = len(found) - len(chosen)
    lines = [_line(entry) for entry in chosen[:count]] or [f"No errors{'' if all_projects else f' in {root}'}."]
    if others:
        lines.append(f"Other projects: {plural(others, 'error')}. 'infinium-codex errors --all' shows them.")
    data = {"project": None if all_projects else str(root), "errors": [_record(entry) for entry in chosen[:count]]}
    return Result.success(tuple(lines), data)


def _agent_id(ctx: CommandContext) -> str | None:
    """The agent of the project here; None if there is none, or its file is invalid."""
    try:
        return load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ)).agent_id.value
    except InfiniumConfigError:
        return None


def _line(entry: Entry) -> str:
    source = _KIND_NAMES.get(entry.kind, entry.where)
    key = f"  [{entry.key[:8]}]" if entry.key else ""
    return f"{local_time(entry.when)}  {source:<11}  {entry.message}{key}"


def _record(entry: Entry) -> dict[str, object]:
    return {
        "kind": entry.kind.value,
        "at": utc_time(entry.when),
        "where": entry.where,
        "message": entry.message,
        "key": entry.key or None,
        "status": entry.status,
        **entry.labels,
    }
