"""Traces every session of the user and sends what is queued: the work of the `flush` command."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from infinium_config import Settings
from infinium_transport import DeliveryReport
from msgspec import Struct

from infinium_codex.agent import Agent, load_agent
from infinium_codex.background.schedule import Schedule, entry_name, with_variables
from infinium_codex.background.trace_and_send import lock_session
from infinium_codex.capture.inbox import collect_events
from infinium_codex.delivery.send import deliver_until_sent
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.session.files import SessionFiles, find_sessions
from infinium_codex.session.processor import Progress, State, close_session, is_running, trace_session
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.paths import Places
from infinium_codex.support.spool_directories import find_spool_directories

OTHERS_SECONDS = 3.0
"""How long traces are waited for that a worker of another project may be about to send, with a secret of its own."""


class FlushReport(Struct, frozen=True, kw_only=True):
    """What a flush did, and what is left."""

    delivery: DeliveryReport
    sessions: int
    """How many sessions had something left to trace."""
    open: tuple[str, ...] = ()
    """Sessions with a turn that the agent still runs."""
    busy: tuple[str, ...] = ()
    """Sessions that another process still works on."""
    blocked: tuple[str, ...] = ()
    """Sessions that cannot be traced: their settings cannot be read, or there is no agent id."""

    @property
    def ok(self) -> bool:
        """Whether nothing is left: no session to trace, and no trace in the queue or rejected."""
        return not (self.open or self.busy or self.blocked or self.delivery.queued or self.delivery.problems)


def drain(
    agent: Agent, places: Places, environ: Mapping[str, str], settings: Settings, schedule: Schedule, deadline: float
) -> FlushReport:
    """Trace every session, send what is queued, and wait for other processes that do either.

    `agent` is the agent of sessions without a schedule entry. Waits until `deadline` (`time.monotonic`).
    """
    collect_hook_errors(places)
    sessions = list(unfinished_sessions(places, schedule))
    states = {files.session_id: _trace_session(agent, files, places, environ, schedule, deadline) for files in sessions}
    outbox = open_outbox(places)
    outbox.clear_delays()
    outbox.probe_now()
    return FlushReport(
        delivery=deliver_until_sent(places, settings, deadline, patience=OTHERS_SECONDS),
        sessions=len(sessions),
        open=tuple(session for session, state in states.items() if state in (State.pending, State.resumed)),
        busy=tuple(session for session, state in states.items() if state is None),
        blocked=tuple(session for session, state in states.items() if state is State.blocked),
    )


def unfinished_sessions(places: Places, schedule: Schedule) -> Iterator[SessionFiles]:
    """The sessions with something left to trace, in every directory that held spools."""
    scheduled = (schedule.session(name) for name in schedule.entries())
    known = (Path(found[0]).parent for found in scheduled if found is not None)
    for directory in sorted({*find_spool_directories(places), *known}):
        collect_events(str(directory))
        yield from (files for files in find_sessions(directory) if files.has_work)


def _trace_session(
    agent: Agent,
    files: SessionFiles,
    places: Places,
    environ: Mapping[str, str],
    schedule: Schedule,
    deadline: float,
) -> State | None:
    """Trace what is left of a session; None if another process still works on it at the deadline."""
    entry = entry_name(str(files.spool))
    found = schedule.session(entry)
    if found is not None:
        agent, environ = load_agent(found[1]), with_variables(environ, found[2])
    lock = lock_session(files, deadline - time.monotonic())
    if lock is None:
        return None
    with lock:
        progress = _trace_all(agent, files, places._replace(spool=files.directory), environ)
        if progress.state in (State.done, State.lost):
            schedule.remove(entry)
            return State.done
    return progress.state


def _trace_all(agent: Agent, files: SessionFiles, places: Places, environ: Mapping[str, str]) -> Progress:
    """Trace the turns that ended, and close the session unless the agent still runs it."""
    if files.spool.exists():
        progress = trace_session(agent, files, places, environ)
        while progress.state is State.pending and progress.read_to < files.spool_size:
            progress = trace_session(agent, files, places, environ)
        if progress.state in (State.done, State.blocked) or is_running(agent, files):
            return progress
    progress = close_session(agent, files, places, environ, force=False)
    if progress.state is State.resumed:  # events came in while the spool was removed
        return _trace_all(agent, files, places, environ)
    return progress
