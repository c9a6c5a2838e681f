"""What the worker does with one session: trace what ended in it, then send what is queued."""

import time
from collections.abc import Mapping
from pathlib import Path

from infinium_config.locks import HeldLock

from infinium_codex.agent import Agent, load_agent
from infinium_codex.background.deliveries import WAIT_SECONDS, deliver_and_schedule
from infinium_codex.background.hook_home import repair_hook_home
from infinium_codex.background.schedule import Schedule, entry_name, link_schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.capture.inbox import collect_events
from infinium_codex.session.files import SessionFiles
from infinium_codex.session.processor import Progress, State, close_session, trace_session
from infinium_codex.support.error_log import collect_hook_errors, record_error
from infinium_codex.support.held_secrets import entry_variable
from infinium_codex.support.logs import log_error
from infinium_codex.support.paths import Places, find_places
from infinium_codex.support.spool_directories import remember_spool_directory

POLL_SECONDS = 0.02


def run_worker(spool: str, agent: str, environ: Mapping[str, str], *, wait: bool = False) -> None:
    """Trace and send the session of this spool file. `agent` is the agent's import reference."""
    files = SessionFiles(Path(spool))
    places = find_places(environ)._replace(spool=files.directory)
    trace_and_send(load_agent(agent), files, places, environ, wait=wait)


def trace_and_send(
    agent: Agent,
    files: SessionFiles,
    places: Places,
    environ: Mapping[str, str],
    *,
    close: bool = False,
    wait: bool = False,
) -> None:
    """Trace what ended in the session, then send what is queued. With `close`, open turns count as ended.

    One process works on a session. A second one ends at once, because the first looks for new events after it has
    released the lock. With `wait` the second one waits for the first, and for the process that sends.
    """
    collect_hook_errors(places)
    repair_hook_home(places, agent)
    _link_schedule(places)
    schedule = Schedule(str(places.schedule))
    progress = _trace(agent, files, places, environ, schedule, close=close, patience=WAIT_SECONDS if wait else 0.0)
    if progress is None:
        return
    if progress.settings is not None:
        deliver_and_schedule(places, environ, progress.settings, schedule, wait=wait)
    if progress.state is not State.done:
        ensure_scheduler(schedule.directory, environ, entry_variable(entry_name(str(files.spool))))


def record_failure(spool: str, environ: Mapping[str, str], error: Exception) -> None:
    """Note in ledger and log why the worker failed. Call in an `except` block."""
    places, session = find_places(environ), SessionFiles(Path(spool)).session_id
    record_error(places, "worker", f"{type(error).__name__}: {error}", {"session": session})
    log_error(places, environ, "the worker failed", session=session)


def _trace(
    agent: Agent,
    files: SessionFiles,
    places: Places,
    environ: Mapping[str, str],
    schedule: Schedule,
    *,
    close: bool,
    patience: float,
) -> Progress | None:
    """Trace until hooks have added nothing new; None if another process still works on the session after `patience`."""
    settings = None
    collect_events(str(files.directory))
    while True:
        lock = lock_session(files, patience)
        if lock is None:
            return None
        with lock:
            if close:
                progress = close_session(agent, files, places, environ, force=True)
            else:
                progress = trace_session(agent, files, places, environ)
            settings = progress.settings or settings
            # Under the lock: the next worker may find an open turn and schedule the session.
            if progress.state is State.done:
                schedule.remove(entry_name(str(files.spool)))
            else:
                schedule.add_session(str(files.spool), agent.reference, environ)
        collect_events(str(files.directory))
        if progress.settings is None or files.spool_size <= progress.read_to:
            return Progress(state=progress.state, settings=settings, read_to=progress.read_to)


def lock_session(files: SessionFiles, patience: float) -> HeldLock | None:
    """Lock the session; None if another process still works on it after `patience` seconds."""
    deadline = time.monotonic() + patience
    while (lock := files.try_lock()) is None and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return lock


def _link_schedule(places: Places) -> None:
    """Put a link to the schedule beside the spools, for the worker at the next prompt, and remember their directory."""
    link_schedule(str(places.spool), str(places.schedule))
    remember_spool_directory(str(places.schedule), str(places.spool))
