"""`infinium-codex errors`: list errors, dead letters and dropped traces."""

from infinium_transport import Entry, EntryKind

from infinium_codex.console.formatting import local_time, utc_time
from infinium_codex.console.parameters import AsJson, Context, Count
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.result import Result

_KINDS = (EntryKind.error, EntryKind.dead, EntryKind.dropped)
_KIND_NAMES = {EntryKind.dead: "dead letter", EntryKind.dropped: "dropped"}


def errors(*, count: Count = 20, ctx: Context, json: AsJson = False) -> Result:
    """List errors of hook, worker and delivery, dead letters and dropped traces, newest first."""
    collect_hook_errors(ctx.places)
    entries = open_ledger(ctx.places).entries(*_KINDS, newest=count)
    if not entries:
        return Result.success(("No errors.",), {"errors": []})
    return Result.success(tuple(map(_line, entries)), {"errors": [_record(entry) for entry in entries]})


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
