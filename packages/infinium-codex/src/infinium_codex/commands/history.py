"""`infinium-codex history`: what was sent, to the API or to this machine."""

from infinium_transport import LOCAL, Entry, EntryKind

from infinium_codex.commands.when import iso, local_time
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.support.result import CommandContext, Result


def run(ctx: CommandContext, *, count: int, clear: bool) -> Result:
    """The newest traces first; with `clear`, forget them."""
    ledger = open_ledger(ctx.places)
    if clear:
        forgotten = ledger.clear()
        return Result.success((f"Forgot {forgotten} entries.",), {"forgotten": forgotten})
    entries = ledger.entries(EntryKind.sent, newest=count)
    if not entries:
        hint = "Nothing was sent yet. 'infinium-codex status' tells whether something waits."
        return Result.success((hint,), {"traces": []})
    return Result.success(tuple(map(_line, entries)), {"traces": [_record(entry) for entry in entries]})


def _line(entry: Entry) -> str:
    where = "this machine" if entry.where == LOCAL else entry.trace_id or "sent"
    kind, project = entry.labels.get("kind", "trace"), entry.labels.get("project", "")
    name = entry.message if len(entry.message) <= 60 else f"{entry.message[:59]}…"
    return f"{local_time(entry.when)}  {entry.key[:8]}  {kind:<7}  {project:<16}  {name}  ({where})"


def _record(entry: Entry) -> dict[str, object]:
    return {
        "key": entry.key,
        "sent_at": iso(entry.when),
        "trace_id": entry.trace_id,
        "agent_id": entry.agent_id,
        "base_url": entry.where,
        "name": entry.message,
        "bytes": entry.size,
        **entry.labels,
    }
