"""Check for sessions without a trace: Codex's transcripts show sessions whose hooks did not run."""

from infinium_transport import EntryKind, InfiniumTransportError

from infinium_codex.codex.session_files import SessionFile
from infinium_codex.console.formatting import local_time, plural
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.doctor.checks import Check, ok, see, unknown, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.transcripts import project_directories, sessions_since
from infinium_codex.session.files import SPOOL_SUFFIX, SessionFiles, find_sessions
from infinium_codex.support.spool_directories import find_spool_directories

RECENT_SECONDS = 7 * 86_400.0
"""A trace that is not older shows that a Codex runs our hooks."""


def sessions(context: CheckContext) -> Check:
    """Compare Codex's sessions, since the set-up or settings last changed, with those the connector has seen."""
    name = "sessions"
    if not context.is_recording:
        return unknown(name, "Nothing is recorded here now.")
    since = _last_change(context)
    if since is None:
        return see(name, "hooks file")
    found = [session for session in sessions_since(context, since) if _started(session) >= since]
    if not found:
        return ok(name, "None yet.")
    missing = _not_recorded(found, context)
    if not missing:
        return ok(name, f"{plural(len(found), 'session')} since {local_time(since)}, all recorded.")
    last = missing[0]
    evidence = (
        f"{len(missing)} of {len(found)} sessions here were not recorded; "
        f"the last one started at {local_time(_started(last))}: {last.path}"
    )
    return warning(
        name, evidence, "For new sessions, see 'hooks trusted' and 'hooks enabled'. Past ones stay untraced."
    )


def _not_recorded(found: list[SessionFile], context: CheckContext) -> list[SessionFile]:
    """The sessions without spool, checkpoint, ledger entry or queued trace. Reads the queue only where needed."""
    recorded = _recorded_sessions(context)
    missing = [session for session in found if session.session_id not in recorded]
    queued = _queued_sessions(context) if missing else set()
    return [session for session in missing if session.session_id not in queued]


def last_traced(context: CheckContext) -> float | None:
    """When a session of this project was last traced with the current hooks and settings, within RECENT_SECONDS.

    In seconds since the epoch; None where there is none.
    """
    since = max(_last_change(context) or 0.0, context.now - RECENT_SECONDS)
    sent = {
        entry.labels["session"]: entry.when
        for entry in reversed(open_ledger(context.places).entries(EntryKind.sent))
        if entry.when >= since and "session" in entry.labels
    }
    if not sent:
        return None
    here = {session.session_id for session in sessions_since(context, since)} & sent.keys()
    here |= {session for session in sent.keys() - here if _was_here(session, context)}
    return max((sent[session] for session in here), default=None)


def _was_here(session_id: str, context: CheckContext) -> bool:
    """Whether a session without a transcript (`codex exec --ephemeral`) ran in this project, by its checkpoint."""
    name = f"{session_id}{SPOOL_SUFFIX}"
    checkpoints = (SessionFiles(path / name).load_checkpoint() for path in find_spool_directories(context.places))
    return any(found.cwd is not None and project_directories(context).contains(found.cwd) for found in checkpoints)


def _started(session: SessionFile) -> float:
    """When the session started, in seconds since the epoch."""
    return session.meta.started_ms / 1000


def _last_change(context: CheckContext) -> float | None:
    """When hooks or settings last changed; earlier sessions may have run without hooks, or while paused."""
    project = context.settings.project if context.settings else None
    paths = [context.hooks.path, *([project.config_path] if project else [])]
    try:
        return max(path.stat().st_mtime for path in paths)
    except OSError:
        return None


def _recorded_sessions(context: CheckContext) -> set[str]:
    """Sessions with a spool, a checkpoint or a ledger entry."""
    directories = find_spool_directories(context.places)
    found = (files for directory in directories for files in find_sessions(directory))
    with_files = {files.session_id for files in found if files.spool.exists() or files.checkpoint.exists()}
    return with_files | {entry.labels.get("session", "") for entry in open_ledger(context.places).entries()}


def _queued_sessions(context: CheckContext) -> set[str]:
    """Sessions with a queued trace."""
    outbox = open_outbox(context.places)
    found = set()
    for queued in outbox.pending():
        try:
            found.add(outbox.read(queued).labels.get("session", ""))
        except InfiniumTransportError:
            continue  # damaged, or sent meanwhile
    return found
