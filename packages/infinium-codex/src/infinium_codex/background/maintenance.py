"""What the scheduler starts: closes sessions that timed out, sends the outbox, removes old checkpoints and snapshots.

`python -I -m infinium_codex.background.maintenance SCHEDULE SIZE:ENTRY…` names the entries that are due, each with the
size of its spool when it was found due. A session whose spool has grown since is left alone.
"""

import os
import sys
import time
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from infinium_config import Settings, resolve
from infinium_config.variables import session_ttl

from infinium_codex.agent import Agent, load_agent
from infinium_codex.background.deliveries import deliver_scheduled
from infinium_codex.background.schedule import GRACE, OUTBOX, Schedule, entry_name, with_variables
from infinium_codex.background.wake_up import wake
from infinium_codex.capture.inbox import collect_events, remove_old_markers
from infinium_codex.session.files import SessionFiles, find_sessions
from infinium_codex.session.pause_log import PauseLog
from infinium_codex.session.processor import Progress, State, close_session, give_up, record_lost, trace_session
from infinium_codex.session.work_tree import remove_old_snapshots
from infinium_codex.support.error_log import record_error
from infinium_codex.support.held_secrets import agent_variable, entry_variable, variables_of
from infinium_codex.support.logs import log_error
from infinium_codex.support.paths import Places, find_places
from infinium_codex.support.spawn import leave_directory

CHECKPOINT_SECONDS = 30 * 86_400.0
"""How long the checkpoint of a session without a spool is kept: the user may resume the session."""


def main(argv: list[str]) -> None:
    """Do what is due."""
    leave_directory()
    os.umask(0o077)
    places = find_places(os.environ)
    schedule = Schedule(argv[1])
    for due in argv[2:]:
        size, _, entry = due.partition(":")
        if entry != OUTBOX:
            _serve_entry(entry, int(size), places, schedule, os.environ)
    remove_old_snapshots(places.snapshots)
    remove_old_markers(str(places.data))
    _send(places, schedule, os.environ)


def _serve_entry(entry: str, size: int, places: Places, schedule: Schedule, environ: MutableMapping[str, str]) -> None:
    """Close the session of a schedule entry. A failure is recorded and affects only this session."""
    found = schedule.session(entry)
    if found is None:
        schedule.remove(entry)
        return
    spool, reference, saved = found
    files, held = SessionFiles(Path(spool)), environ.get(entry_variable(entry), "")
    own = with_variables(environ, saved) | (variables_of(held) if held else {})
    try:
        agent = load_agent(reference)
        was_due = files.spool_size == size
        last_event = collect_events(str(files.directory))
        if was_due and time.time() - last_event > session_ttl(own):  # the events in the inbox are as old as the spool
            size = files.spool_size
        progress = close_timed_out(agent, files, size, places._replace(spool=files.directory), schedule, own)
        if held and progress is not None and progress.settings is not None:
            _hold_for_agent(progress.settings, held, schedule, environ)
        schedule_forgotten(agent, files.directory, schedule, own)
        remove_old_checkpoints(files.directory, PauseLog(places))
    except Exception as error:
        record_error(places, "session", f"{type(error).__name__}: {error}", {"session": files.session_id})
        log_error(places, own, "a session could not be closed", session=files.session_id)


def _hold_for_agent(settings: Settings, held: str, schedule: Schedule, environ: MutableMapping[str, str]) -> None:
    """Use a session's secret for the agent that the session's settings name, here and later in the scheduler."""
    if settings.agent_id.value:
        name = agent_variable(settings.agent_id.value)
        environ[name] = held
        wake(schedule.directory, name, held)


def close_timed_out(
    agent: Agent, files: SessionFiles, size: int, places: Places, schedule: Schedule, environ: Mapping[str, str]
) -> Progress | None:
    """Close a session without an event since its stale time, and update its schedule entry.

    A session that cannot be traced is tried again a day later, and then its events are removed. Returns None if the
    session was left alone.
    """
    entry, stale = entry_name(str(files.spool)), session_ttl(environ)
    if not files.directory.is_dir():
        record_lost(files, places)
        schedule.remove(entry)
        return None
    lock = files.try_lock()
    if lock is None:
        return None  # a worker is tracing the session
    with lock:
        if files.spool.exists() and files.spool_size != size:
            return None
        if _is_early(files, schedule, stale):
            return _trace_early(agent, files, places, schedule, environ)
        is_last_attempt = time.time() - files.last_write > stale + GRACE
        progress = close_session(agent, files, places, environ, force=is_last_attempt)
        if progress.state is State.lost:
            record_lost(files, places)
        elif progress.state is State.resumed:
            schedule.add_session(str(files.spool), agent.reference, environ)
            return progress
        elif progress.state is not State.done:
            if not is_last_attempt:
                if progress.state is State.blocked:
                    schedule.add_session(str(files.spool), agent.reference, environ, quiet=stale + GRACE)
                return progress
            give_up(files, places, progress)
        schedule.remove(entry)
        return progress


def _is_early(files: SessionFiles, schedule: Schedule, stale: float) -> bool:
    """Whether the entry was to be looked at before the session is stale, and it is not stale yet."""
    _, quiet = schedule.entries().get(entry_name(str(files.spool)), ("", stale))
    return quiet < stale and files.spool.exists() and time.time() - files.spool.stat().st_mtime < stale


def _trace_early(
    agent: Agent, files: SessionFiles, places: Places, schedule: Schedule, environ: Mapping[str, str]
) -> Progress:
    """Trace the turns whose end is in the transcript. While one is open, the scheduler tries again."""
    progress = trace_session(agent, files, places, environ)
    if progress.state is State.done:
        schedule.remove(entry_name(str(files.spool)))
    elif files.spool_size <= files.load_checkpoint().next_turn.spool:
        schedule.add_session(str(files.spool), agent.reference, environ)
    return progress


def schedule_forgotten(agent: Agent, directory: Path, schedule: Schedule, environ: Mapping[str, str]) -> None:
    """Schedule the sessions in `directory` that have something left to trace and no schedule entry."""
    for files in find_sessions(directory):
        if schedule.has(entry_name(str(files.spool))):
            continue
        is_recent = time.time() - files.last_write < session_ttl(environ) + GRACE
        if files.has_events or (is_recent and files.load_checkpoint().unsummarized):
            schedule.add_session(str(files.spool), agent.reference, environ)


def remove_old_checkpoints(directory: Path, pauses: PauseLog) -> None:
    """Remove the files of sessions that have no spool and were last traced long ago."""
    for files in find_sessions(directory):
        if not files.has_events and 0 < files.last_write < time.time() - CHECKPOINT_SECONDS:
            lock = files.try_lock()
            if lock is not None:
                with lock:
                    pauses.note_session(files)
                    files.remove_all()


def _send(places: Places, schedule: Schedule, environ: Mapping[str, str]) -> None:
    try:
        deliver_scheduled(places, environ, resolve(environ, None, None), schedule)
    except Exception as error:
        record_error(places, "delivery", f"{type(error).__name__}: {error}", {})
        log_error(places, environ, "the outbox could not be sent")


if __name__ == "__main__":
    main(sys.argv)
