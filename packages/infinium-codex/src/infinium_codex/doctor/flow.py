"""What has come through so far: recording or paused, what waits, the last trace and the last error."""

from infinium_config import SECRET_VARIABLE
from infinium_transport import EntryKind, ParkReason, StorageError

from infinium_codex.console.formatting import local_time
from infinium_codex.delivery.blocked import BlockedTraces, blocked_traces
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.doctor.checks import Check, ok, problem, unknown, warning
from infinium_codex.doctor.situation import Situation
from infinium_codex.doctor.test_trace import KIND as TEST

LONG_SECONDS = 3600.0
"""A trace that has waited longer than this is worth a word."""


def recording(s: Situation) -> Check:
    """Whether anything is to be traced at all."""
    name = "recording"
    if s.settings is None or not s.is_set_up:
        return unknown(name, "see 'settings'")
    if s.settings.paused.value:
        return problem(name, f"paused in {s.settings.paused.origin}: nothing is recorded", "infinium-codex resume")
    if s.settings.granularity is None:
        flags = f"{s.settings.flush_on_stop.origin}, {s.settings.flush_on_session_end.origin}"
        evidence = f"neither turns nor sessions are traced: both are off ({flags})"
        return problem(name, evidence, "infinium-codex init --granularity turn")
    return ok(name, f"a trace for {_GRANULARITY[s.settings.granularity.value]}")


_GRANULARITY = {"turn": "every turn", "session": "every session", "both": "every turn and every session"}


def waiting(s: Situation) -> Check:
    """Whether the outbox gets rid of what it holds."""
    name = "waiting"
    box = open_outbox(s.places)
    try:
        pending, dead = list(box.pending()), box.dead_letters()
        at_hand = bool(s.environ.get(SECRET_VARIABLE, "").strip())
        held = blocked_traces(box, s.settings, secret_in_environment=at_hand)
    except (StorageError, OSError) as error:
        return unknown(name, str(error))
    told = f"{len(pending)} in the outbox, {len(dead)} dead letters"
    if held:
        worst = min(held, key=lambda one: not _stops(one))
        # Where there was no secret to send with, the checks of the secret tell whether there is one now.
        return (problem if _stops(worst) else warning)(name, "; ".join((told, *map(str, held))), worst.fix)
    if dead:
        return warning(name, told, "'infinium-codex errors' says why; 'infinium-codex retry --dead' tries again.")
    if pending and s.now - pending[0].created > LONG_SECONDS:
        since = local_time(pending[0].created)
        return warning(name, f"{told}, the oldest since {since}", "infinium-codex retry")
    return ok(name, told)


def _stops(held: BlockedTraces) -> bool:
    """Whether the traces of this project's agent will go on waiting."""
    return held.own and held.kind is ParkReason.unauthorized


def last_trace(s: Situation) -> Check:
    """What arrived last, from whichever project."""
    found = open_ledger(s.places).entries(EntryKind.sent, newest=1)
    if not found:
        return ok("last trace", "none yet")
    return ok("last trace", f"{local_time(found[0].when)}  {found[0].message}, to {found[0].where}")


def last_error(s: Situation) -> Check:
    """What went wrong last; of no weight once a trace has arrived since."""
    name = "last error"
    book = open_ledger(s.places)
    failed = book.entries(EntryKind.error, EntryKind.dead, EntryKind.dropped, newest=1)
    if not failed:
        return ok(name, "none")
    told = f"{local_time(failed[0].when)}  {failed[0].message}"
    sent = (entry.when for entry in book.entries(EntryKind.sent) if entry.labels.get("kind") != TEST)
    if next(sent, 0.0) >= failed[0].when:
        return ok(name, f"{told}; a trace was sent since")
    return warning(name, told, "'infinium-codex errors' tells more.")
