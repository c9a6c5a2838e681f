"""`infinium-codex history`: list the traces that were sent to the API or stored on this machine."""

from typing import Annotated

from cyclopts import Parameter
from infinium_transport import LOCAL, Entry, EntryKind

from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AllProjects, AsJson, Context, Count
from infinium_codex.console.prompts import confirm_or_yes
from infinium_codex.delivery.projects import ProjectFilter, project_directory
from infinium_codex.delivery.stores import open_ledger, open_local, open_state
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory

NAME_CHARACTERS = 60


def history(
    *,
    count: Count = 20,
    all_projects: AllProjects = False,
    clear: Annotated[
        bool, Parameter(negative="", help="Delete the history, the copies of its traces and their grades.")
    ] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask for confirmation.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """List the newest sent traces of this project first; with `clear`, delete them from this machine."""
    entries = open_ledger(ctx.places).entries(EntryKind.sent)
    root = project_directory(ctx.cwd, home_directory(ctx.environ))
    project = ProjectFilter(root)
    chosen = entries if all_projects else [entry for entry in entries if project.owns(entry.labels)]
    if clear:
        return _clear(chosen, "all projects" if all_projects else str(root), ctx, yes=yes)
    others = len(entries) - len(chosen)
    lines = [_line(entry, with_project=all_projects) for entry in chosen[:count]]
    if not chosen:
        where = "" if all_projects else f" of {root}"
        lines.append(f"No traces{where} were sent yet. 'infinium-codex status' shows queued traces.")
    if others:
        lines.append(f"Other projects: {plural(others, 'trace')}. 'infinium-codex history --all' shows them.")
    data = {"project": None if all_projects else str(root), "traces": [_record(entry) for entry in chosen[:count]]}
    return Result.success(tuple(lines), data)


def _clear(entries: list[Entry], whose: str, ctx: CommandContext, *, yes: bool) -> Result:
    """Delete entries, copies of traces and grades. Errors stay, and traces at the API are not touched."""
    if not entries:
        return Result.success((f"The history of {whose} is empty.",), {"deleted": 0})
    count = plural(len(entries), "trace")
    confirm_or_yes(ctx, f"Delete {count} of {whose} from this machine?", yes=yes, kept="Nothing was deleted.")
    keys = {entry.key for entry in entries}
    open_ledger(ctx.places).forget(keys)
    open_local(ctx.places).remove(keys)
    open_state(ctx.places).results.remove(keys)
    lines = (f"Deleted {count} of {whose} from this machine. Traces at the API and the list of errors are kept.",)
    return Result.success(lines, {"deleted": len(keys)})


def _line(entry: Entry, *, with_project: bool) -> str:
    where = "this machine" if entry.where == LOCAL else entry.trace_id or "sent"
    kind = entry.labels.get("kind", "trace")
    project = f"{entry.labels.get('project', ''):<16}  " if with_project else ""
    name = entry.message if len(entry.message) <= NAME_CHARACTERS else f"{entry.message[: NAME_CHARACTERS - 1]}…"
    return f"{local_time(entry.when)}  {entry.key[:8]}  {kind:<7}  {project}{name}  ({where})"


def _record(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.key,
        "sent_at": utc_time(entry.when),
        "trace_id": entry.trace_id,
        "agent_id": entry.agent_id,
        "base_url": entry.where,
        "name": entry.message,
        "bytes": entry.size,
        **entry.labels,
    }
