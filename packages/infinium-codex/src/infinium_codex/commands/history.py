"""`infinium-codex history`: list the traces that were sent to the API or stored on this machine."""

from typing import Annotated

from cyclopts import Parameter
from infinium_transport import LOCAL, Entry, EntryKind

from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AsJson, Context, Count
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.support.result import Result

NAME_CHARACTERS = 60


def history(
    *,
    count: Count = 20,
    clear: Annotated[bool, Parameter(negative="", help="Delete the history.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """List the newest sent traces first; with `clear`, delete the list."""
    ledger = open_ledger(ctx.places)
    if clear:
        deleted = ledger.clear()
        return Result.success((f"Deleted {plural(deleted, 'trace')} from the history.",), {"forgotten": deleted})
    entries = ledger.entries(EntryKind.sent, newest=count)
    if not entries:
        hint = "No traces sent yet. 'infinium-codex status' shows queued traces."
        return Result.success((hint,), {"traces": []})
    return Result.success(tuple(map(_line, entries)), {"traces": [_record(entry) for entry in entries]})


def _line(entry: Entry) -> str:
    where = "this machine" if entry.where == LOCAL else entry.trace_id or "sent"
    kind, project = entry.labels.get("kind", "trace"), entry.labels.get("project", "")
    name = entry.message if len(entry.message) <= NAME_CHARACTERS else f"{entry.message[: NAME_CHARACTERS - 1]}…"
    return f"{local_time(entry.when)}  {entry.key[:8]}  {kind:<7}  {project:<16}  {name}  ({where})"


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
