"""Sends queued traces to another address than they were queued for, when the user asks for it."""

import time
from collections.abc import Iterable

from infinium_transport import InfiniumTransportError, Outbox, Queued, Recipient
from msgspec import Struct

from infinium_codex.delivery.projects import ProjectFilter
from infinium_codex.otlp.variables import OTLP_AGENT

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.2


class QueuedElsewhere(Struct, frozen=True, kw_only=True):
    """Queued traces of a project for one recipient that is not the present one."""

    recipient: Recipient
    traces: tuple[Queued, ...]


def queued_elsewhere(outbox: Outbox, project: ProjectFilter, current: Recipient) -> list[QueuedElsewhere]:
    """The queued traces of a project, or of the current agent, that are not for the current recipient."""
    found: dict[Recipient, list[Queued]] = {}
    for queued in outbox.pending():
        header = outbox.read_header(queued)
        if header is None or header.recipient == current or header.agent_id == OTLP_AGENT:
            continue
        if header.agent_id == current.agent_id or project.owns(header.labels):
            found.setdefault(header.recipient, []).append(queued)
    return [QueuedElsewhere(recipient=recipient, traces=tuple(traces)) for recipient, traces in sorted(found.items())]


def redirect(outbox: Outbox, traces: Iterable[Queued], current: Recipient) -> int:
    """Queue traces for the current recipient; return how many.

    Waits `WAIT_SECONDS` for a process that is sending them. Traces that it still holds then stay as they are.
    """
    remaining, count = list(traces), 0
    deadline = time.monotonic() + WAIT_SECONDS
    while remaining:
        busy = []
        for queued in remaining:
            try:
                done = outbox.redirect(queued, current)
            except InfiniumTransportError:
                continue  # damaged, or sent meanwhile
            count += done
            busy += [] if done else [queued]
        if time.monotonic() > deadline:
            break
        remaining = busy
        time.sleep(POLL_SECONDS if busy else 0.0)
    return count
