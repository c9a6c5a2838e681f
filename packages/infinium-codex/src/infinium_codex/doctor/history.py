"""Checks of the ledger: the last trace that was sent, and the last error."""

from infinium_transport import EntryKind

from infinium_codex.console.formatting import local_time
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.doctor.checks import Check, ok, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.test_trace import KIND as TEST


def last_trace(context: CheckContext) -> Check:
    """Report the last trace that was sent, of any project."""
    found = open_ledger(context.places).entries(EntryKind.sent, newest=1)
    if not found:
        return ok("last trace", "None yet.")
    return ok("last trace", f"{local_time(found[0].when)}  {found[0].message}, to {found[0].where}")


def last_error(context: CheckContext) -> Check:
    """Report the last error; a warning only where no trace was sent after it."""
    name = "last error"
    ledger = open_ledger(context.places)
    failed = ledger.entries(EntryKind.error, EntryKind.dead, EntryKind.dropped, newest=1)
    if not failed:
        return ok(name, "None.")
    evidence = f"{local_time(failed[0].when)}  {failed[0].message}"
    sent = (entry.when for entry in ledger.entries(EntryKind.sent) if entry.labels.get("kind") != TEST)
    if next(sent, 0.0) >= failed[0].when:
        return ok(name, f"{evidence.rstrip('.')}. A trace was sent since.")
    return warning(name, evidence, "'infinium-codex errors' shows more.")
