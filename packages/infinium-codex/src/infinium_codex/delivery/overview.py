"""Counts what is queued, rejected and sent: of one project, and of the others."""

from collections import Counter
from pathlib import Path

from infinium_config import Settings
from infinium_transport import Entry, EntryKind, Ledger, Outbox
from msgspec import Struct

from infinium_codex.delivery.blocked import BlockedTraces, blocked_traces
from infinium_codex.delivery.projects import ROOT_LABEL, ProjectFilter

FAILURES = frozenset((EntryKind.error, EntryKind.dead, EntryKind.dropped))


class DeliveryOverview(Struct, frozen=True, kw_only=True):
    """The state of delivery of one project, or of all."""

    queued: int
    dead: int
    """Dead letters: traces that the server rejected."""
    blocked: tuple[BlockedTraces, ...]
    """Queues of one agent with traces counted here, that cannot be sent."""
    last_trace: Entry | None
    last_error: Entry | None
    other_projects: tuple[tuple[str, int], ...]
    """Other projects with queued traces and dead letters: directory, or name, and their number."""


def read_overview(
    outbox: Outbox, ledger: Ledger, root: Path, settings: Settings, *, secret_in_environment: bool, all_projects: bool
) -> DeliveryOverview:
    """Read outbox and ledger for the project in `root`; with `all_projects` the counts are those of all."""
    entries = ledger.entries()
    project = ProjectFilter(root, entries, settings.agent_id.value)
    others: Counter[str] = Counter()
    recipients = set()
    counts = []
    for traces in (outbox.pending(), outbox.dead_letters()):
        own = 0
        for trace in traces:
            header = outbox.read_header(trace)
            if header is not None and not project.owns(header.labels):
                others[header.labels.get(ROOT_LABEL) or header.labels.get("project", "")] += 1
                if not all_projects:
                    continue
            own += 1
            recipients |= {(header.agent_id, header.base_url)} if header else set()
        counts.append(own)
    blocked = blocked_traces(outbox, settings, secret_in_environment=secret_in_environment)
    own_entries = [entry for entry in entries if all_projects or project.owns(entry.labels)]
    return DeliveryOverview(
        queued=counts[0],
        dead=counts[1],
        blocked=tuple(held for held in blocked if (held.agent_id, held.base_url) in recipients),
        last_trace=next((entry for entry in own_entries if entry.kind is EntryKind.sent), None),
        last_error=next((entry for entry in own_entries if entry.kind in FAILURES), None),
        other_projects=tuple(sorted(others.items())),
    )
