"""`infinium-codex show`: print one trace, sent or queued."""

from typing import Annotated

from cyclopts import Parameter
from infinium_transport import EntryKind, InfiniumTransportError, Ledger, LocalStore, Outbox

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.delivery.stores import open_ledger, open_local, open_outbox
from infinium_codex.support.json_fields import parse_object
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.view.terminal import view_trace


def show(
    key: Annotated[str, Parameter(help="Key of the trace, or its beginning; 'history' lists the keys.")],
    *,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Print the trace whose key begins with `key`."""
    stores = _Stores(ctx)
    found = stores.find(key.strip().lower())
    if len(found) != 1:
        raise _not_one_trace(key, len(found))
    body = stores.body(found[0])
    payload = parse_object(body) if body is not None else None
    if payload is None:
        raise CommandError(f"Trace {found[0]} was sent; its content is no longer stored.")
    sent = found[0] in stores.sent
    return Result.success(view_trace(payload, ctx.width), {"key": found[0], "sent": sent, "trace": payload})


class _Stores:
    """The places that hold traces: ledger (sent), local store, outbox (queued and dead letters)."""

    def __init__(self, ctx: CommandContext) -> None:
        self._ledger: Ledger = open_ledger(ctx.places)
        self._local: LocalStore = open_local(ctx.places)
        self._outbox: Outbox = open_outbox(ctx.places)
        self.sent = {entry.key for entry in self._ledger.entries(EntryKind.sent)}

    def find(self, start: str) -> list[str]:
        """The keys that begin with `start`; none for an empty `start`."""
        if not start:
            return []
        queued = {trace.key for trace in self._outbox.pending()} | {dead.key for dead in self._outbox.dead_letters()}
        keys = self.sent | queued | {trace.key for trace in self._local.traces()}
        return sorted(key for key in keys if key.startswith(start))

    def body(self, key: str) -> bytes | None:
        """The content of a trace; None where it is no longer stored or is damaged."""
        return self._ledger.payload(key) or self._local.read(key) or self._queued_body(key)

    def _queued_body(self, key: str) -> bytes | None:
        queued = next((trace for trace in self._outbox.pending() if trace.key == key), None)
        dead = next((letter for letter in self._outbox.dead_letters() if letter.key == key), None)
        try:
            if queued is not None:
                return self._outbox.read(queued).body
            return self._outbox.read_dead(dead).body if dead is not None else None
        except InfiniumTransportError:
            return None


def _not_one_trace(key: str, found: int) -> CommandError:
    if found:
        return CommandError(f"{found} traces have a key that begins with '{key}'.", "Give more of the key.")
    return CommandError(f"No trace has a key that begins with '{key}'.", "'infinium-codex history' lists the keys.")
