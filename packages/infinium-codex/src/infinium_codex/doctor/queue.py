"""Check of the outbox: whether queued traces are sent."""

from infinium_transport import ActiveSender, Outbox, ParkReason, Recipient, StorageError

from infinium_codex.console.formatting import local_time, plural
from infinium_codex.delivery.blocked import DROP, TO_CURRENT, BlockedTraces, blocked_traces
from infinium_codex.delivery.projects import ProjectFilter, project_directory
from infinium_codex.delivery.redirect import QueuedElsewhere, queued_elsewhere
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.doctor.checks import Check, ok, problem, unknown, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.support.processes import is_stopped
from infinium_codex.support.settings import home_directory

MAX_SENDING_SECONDS = 600.0
"""A process that sends to one agent for longer is reported; its server may be slow."""
MAX_WAIT_SECONDS = 3600.0
"""A trace queued for longer is reported."""


def queue(context: CheckContext) -> Check:
    """Check for blocked traces, dead letters and traces that are queued for long."""
    name = "queue"
    outbox = open_outbox(context.places)
    try:
        queued, dead = list(outbox.pending()), outbox.dead_letters()
        blocked = blocked_traces(outbox, context.settings, secret_in_environment=context.secret_in_environment)
    except (StorageError, OSError) as error:
        return unknown(name, str(error))
    stuck = [sender for sender in outbox.senders() if _is_stuck(sender, context.now)]
    counts = f"{plural(len(queued), 'queued trace')}, {plural(len(dead), 'dead letter')}"
    if stuck:
        return _stuck(name, counts, stuck, context.now)
    if blocked:
        return _blocked(name, counts, blocked)
    elsewhere = _elsewhere(outbox, context)
    if elsewhere:
        addresses = ", ".join(sorted({one.recipient.base_url for one in elsewhere}))
        number = plural(sum(len(one.traces) for one in elsewhere), "trace")
        fix = f"'{TO_CURRENT}' sends them to the present one; '{DROP} ADDRESS' deletes them."
        return warning(name, f"{counts}; {number} for another agent or address than the present one: {addresses}.", fix)
    if dead:
        fix = "'infinium-codex errors' shows the reason; 'infinium-codex retry --dead' retries them."
        return warning(name, f"{counts}.", fix)
    if queued and context.now - queued[0].created > MAX_WAIT_SECONDS:
        evidence = f"{counts}, the oldest from {local_time(queued[0].created)}."
        return warning(name, evidence, "Run 'infinium-codex retry'.")
    return ok(name, f"{counts}.")


def _elsewhere(outbox: Outbox, context: CheckContext) -> list[QueuedElsewhere]:
    """Queued traces of this project that are not for its present agent and address."""
    destination = context.settings.destination() if context.settings else None
    if destination is None:
        return []
    root = project_directory(context.cwd, home_directory(context.environ))
    return queued_elsewhere(outbox, ProjectFilter(root), Recipient(**destination))


def _is_stuck(sender: ActiveSender, now: float) -> bool:
    return is_stopped(sender.pid) or now - sender.since > MAX_SENDING_SECONDS


def _stuck(name: str, counts: str, senders: list[ActiveSender], now: float) -> Check:
    """Name the processes that hold up an agent's traces. Only this agent's traces wait for them."""
    states = (
        f"process {sender.pid}{' is stopped and' if is_stopped(sender.pid) else ''} has been sending traces of agent "
        f"{sender.recipient.agent_id} for {max(now - sender.since, 0.0):,.0f} s"
        for sender in senders
    )
    pids = " ".join(str(sender.pid) for sender in senders)
    fix = f"If it does not go on, end it: kill -9 {pids}. Nothing is lost; the scheduler then sends these traces."
    return warning(name, "; ".join((counts, *states)) + ".", fix)


def _blocked(name: str, counts: str, blocked: list[BlockedTraces]) -> Check:
    """A missing secret is only a warning here: the secret's own checks say whether it is still missing."""
    worst = min(blocked, key=lambda traces: not _stays_blocked(traces))
    make = problem if _stays_blocked(worst) else warning
    return make(name, "; ".join((counts, *map(str, blocked))), worst.fix)


def _stays_blocked(traces: BlockedTraces) -> bool:
    """Whether traces of this project's agent stay queued until the user acts."""
    return traces.own and traces.kind is ParkReason.unauthorized
