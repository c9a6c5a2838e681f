"""`infinium-codex show`: one trace as it was sent, or as it waits."""

from infinium_transport import EntryKind, InfiniumTransportError, Outbox

from infinium_codex.delivery.stores import open_ledger, open_local, open_outbox
from infinium_codex.support.json_fields import parse_object
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.view.terminal import view_trace


def run(key: str, ctx: CommandContext) -> Result:
    """Show the trace whose key begins with `key`."""
    ledger, outbox, local = open_ledger(ctx.places), open_outbox(ctx.places), open_local(ctx.places)
    sent = {entry.key for entry in ledger.entries(EntryKind.sent)}
    known = sent | {trace.key for trace in local.traces()} | _waiting(outbox)
    found = sorted(candidate for candidate in known if candidate.startswith(key.strip().lower()))
    if not found or not key.strip():
        raise CommandError(f"No trace has a key that begins with {key!r}.", "'infinium-codex history' lists the keys.")
    if len(found) > 1:
        raise CommandError(f"{len(found)} traces have keys that begin with {key!r}.", "Give more of the key.")
    body = ledger.payload(found[0]) or local.read(found[0]) or _queued_body(outbox, found[0])
    payload = parse_object(body) if body is not None else None
    if payload is None:
        raise CommandError(f"Trace {found[0]} was sent, and its content is not kept any more.")
    return Result.success(view_trace(payload), {"key": found[0], "sent": found[0] in sent, "trace": payload})


def _waiting(outbox: Outbox) -> set[str]:
    return {queued.key for queued in outbox.pending()} | {letter.key for letter in outbox.dead_letters()}


def _queued_body(outbox: Outbox, key: str) -> bytes | None:
    try:
        for queued in outbox.pending():
            if queued.key == key:
                return outbox.read(queued).body
        for letter in outbox.dead_letters():
            if letter.key == key:
                return outbox.read_dead(letter).body
    except InfiniumTransportError:
        return None
    return None
