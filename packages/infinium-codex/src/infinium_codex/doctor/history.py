"""Checks of the ledger: the last trace that was sent, and the last error."""

from infinium_transport import Entry, EntryKind

from infinium_codex.console.formatting import local_time
from infinium_codex.delivery.overview import FAILURES
from infinium_codex.delivery.projects import ProjectFilter, project_directory
from infinium_codex.delivery.stores import open_ledger
from infinium_codex.doctor.checks import Check, ok, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.test_trace import KIND as TEST
from infinium_codex.support.settings import home_directory


def last_trace(context: CheckContext) -> Check:
    """Report the last trace of this project that was sent."""
    found = [entry for entry in _entries(context) if entry.kind is EntryKind.sent]
    if not found:
        return ok("last trace", "None yet.")
    return ok("last trace", f"{local_time(found[0].when)}  {found[0].message}, to {found[0].where}")


def last_error(context: CheckContext) -> Check:
    """Report the last error; a warning only where no trace was sent after it."""
    name = "last error"
    entries = _entries(context)
    failed = [entry for entry in entries if entry.kind in FAILURES]
    if not failed:
        return ok(name, "None.")
    evidence = f"{local_time(failed[0].when)}  {failed[0].message}"
    sent = (entry.when for entry in entries if entry.kind is EntryKind.sent and entry.labels.get("kind") != TEST)
    if next(sent, 0.0) >= failed[0].when:
        return ok(name, f"{evidence.rstrip('.')}. A trace was sent since.")
    return warning(name, evidence, "'infinium-codex errors' shows more.")


def _entries(context: CheckContext) -> list[Entry]:
    """The ledger's entries of this project and of none, newest first."""
    entries = open_ledger(context.places).entries()
    root = project_directory(context.cwd, home_directory(context.environ))
    project = ProjectFilter(root, entries, context.settings.agent_id.value if context.settings else None)
    return [entry for entry in entries if project.owns(entry.labels)]
