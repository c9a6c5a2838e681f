"""`infinium-codex errors`: what went wrong, the newest first."""

from infinium_transport import Entry, EntryKind

from infinium_codex.commands.when import iso, local_time
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.result import CommandContext, Result

_KINDS = (EntryKind.error, EntryKind.dead, EntryKind.dropped)
_WORDS = {EntryKind.dead: "dead letter", EntryKind.dropped: "dropped"}


def run(ctx: CommandContext, *, count: int) -> Result:
    """Faults of hook, worker and delivery, dead letters and dropped traces."""
    collect_hook_errors(ctx.places)
    entries = open_ledger(ctx.places).entries(*_KINDS, newest=count)
    if not entries:
        return Result.success(("Nothing went wrong.",), {"errors": []})
    return Result.success(tuple(map(_line, entries)), {"errors": [_record(entry) for entry in entries]})


def _line(entry: Entry) -> str:
    what = _WORDS.get(entry.kind, entry.where)
    key = f"  [{entry.key[:8]}]" if entry.key else ""
    return f"{local_time(entry.when)}  {what:<11}  {entry.message}{key}"


def _record(entry: Entry) -> dict[str, object]:
    return {
        "kind": entry.kind.value,
        "at": iso(entry.when),
        "where": entry.where,
        "message": entry.message,
        "key": entry.key or None,
        "status": entry.status,
        **entry.labels,
    }
