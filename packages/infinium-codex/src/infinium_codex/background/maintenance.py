"""What the timer has done: stale sessions closed, the outbox sent, what nobody will ever need taken away.

`python -I -m infinium_codex.background.maintenance SCHEDULE SIZE:ENTRY…`: the entries that are due, each with the size
its spool had while it stood still. One that has grown since is left alone.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from infinium_config import resolve
from infinium_config.locks import try_lock

from infinium_codex.agent import Agent, load_agent
from infinium_codex.background.deliveries import deliver_and_schedule
from infinium_codex.background.schedule import (
    GRACE,
    OUTBOX,
    Schedule,
    entry_name,
    stale_seconds,
    with_variables,
)
from infinium_codex.capture.records import CLOSED_SUFFIX, bring_over, session_of
from infinium_codex.capture.records import SUFFIX as SPOOL_SUFFIX
from infinium_codex.session.checkpoint import SUFFIX as STATE_SUFFIX
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.session.processor import Drained, drain
from infinium_codex.support.error_log import record_error
from infinium_codex.support.logs import log_error
from infinium_codex.support.paths import Places, find_places

KEPT_SECONDS = 30 * 86_400.0
"""How long the checkpoint of a session is kept that has no spool any more: its user may take it up again."""


def main(argv: list[str]) -> None:
    """Do what is due."""
    os.chdir("/")
    os.umask(0o077)
    places = find_places(os.environ)
    schedule = Schedule(argv[1])
    for thing in argv[2:]:
        size, _, name = thing.partition(":")
        if name != OUTBOX:
            _one(name, int(size), places, schedule, os.environ)
    _send(places, schedule, os.environ)


def _one(name: str, size: int, places: Places, schedule: Schedule, environ: Mapping[str, str]) -> None:
    """Close one session. What it meets with concerns no other one."""
    found = schedule.session(name)
    if found is None:
        schedule.remove(name)
        return
    spool, reference, kept = Path(found[0]), *found[1:]
    session = session_of(spool)
    own = with_variables(environ, kept)
    try:
        agent = load_agent(reference)
        close_stale(agent, spool, size, places._replace(spool=spool.parent), schedule, own)
        adopt_orphans(agent, spool.parent, schedule, own)
    except Exception as error:  # nobody watches: the ledger is where it is told
        record_error(places, "timer", f"{type(error).__name__}: {error}", {"session": session})
        log_error(places, own, "a stale session could not be closed", session=session)


def close_stale(
    agent: Agent, spool: Path, size: int, places: Places, schedule: Schedule, environ: Mapping[str, str]
) -> None:
    """Trace what is left of a session nothing was heard of, and remove its spool. Later turns are its next part."""
    name = entry_name(str(spool))
    if not spool.parent.is_dir():
        _tell_of_lost(spool, places)
        schedule.remove(name)
        return
    lock = try_lock(spool.with_suffix(".lock"))
    if lock is None:
        return  # a worker is at the session
    with lock:
        status = _status(spool)
        if status is not None and status.st_size != size:
            return
        if status is None:
            _close_without_spool(agent, spool, places, schedule, environ)
            return
        ttl = stale_seconds(environ)
        final = time.time() - status.st_mtime > ttl + GRACE
        drained: Drained | None = None
        while (drained := drain(agent, spool, places, environ, stale=True, final=final)) is not None and drained.waits:
            if drained.end >= size:
                break
        if drained is not None and not drained.waits:
            schedule.remove(name)
        elif final:
            _give_up(spool, places, drained)
            schedule.remove(name)
        elif drained is None:
            schedule.add_session(str(spool), agent.reference, environ, quiet=ttl + GRACE)


def _close_without_spool(
    agent: Agent, spool: Path, places: Places, schedule: Schedule, environ: Mapping[str, str]
) -> None:
    """Do what is left to do for a session whose spool is gone.

    Either a worker was killed while it removed it, or somebody else removed it: whoever cleans the temp directory.
    """
    name, state = entry_name(str(spool)), spool.with_suffix(STATE_SUFFIX)
    checkpoint = Checkpoint.load(state)
    bring_over(spool, checkpoint.next.spool)
    if spool.exists():
        schedule.add_session(
            str(spool), agent.reference, environ
        )  # the session went on while its spool was being removed
        return
    status = _status(state)
    if status is None:
        _tell_of_lost(spool, places)
        schedule.remove(name)
        return
    drained = drain(agent, spool, places, environ, stale=True, final=True)
    final = time.time() - status.st_mtime > stale_seconds(environ) + GRACE
    if drained is None and final and checkpoint.owed:
        _tell_of_given_up(spool, places)
    if drained is not None or final:
        schedule.remove(name)


def adopt_orphans(agent: Agent, directory: Path, schedule: Schedule, environ: Mapping[str, str]) -> None:
    """Look after sessions no worker looks after, and take away what sessions long gone have left."""
    now = time.time()
    for left in (*directory.glob(f"*{SPOOL_SUFFIX}"), *directory.glob(f"*{CLOSED_SUFFIX}")):
        status, spool = _status(left), str(left.with_suffix(SPOOL_SUFFIX))
        if status is not None and status.st_size and not schedule.has(entry_name(spool)):
            schedule.add_session(spool, agent.reference, environ)
    for state in directory.glob(f"*{STATE_SUFFIX}"):
        status, its_spool = _status(state), state.with_suffix(SPOOL_SUFFIX)
        if status is None or its_spool.exists():
            continue
        age = now - status.st_mtime
        if age < stale_seconds(environ) + GRACE:
            if not schedule.has(entry_name(str(its_spool))) and Checkpoint.load(state).owed:
                schedule.add_session(str(its_spool), agent.reference, environ)
            continue
        if age < KEPT_SECONDS:
            continue
        lock = try_lock(state.with_suffix(".lock"))
        if lock is not None:
            with lock:
                state.unlink(missing_ok=True)
                state.with_suffix(".lock").unlink(missing_ok=True)


def _give_up(spool: Path, places: Places, drained: Drained | None) -> None:
    """Remove a spool that could not be traced in all this time: it holds what the user typed."""
    spool.unlink(missing_ok=True)
    if drained is None:
        _tell_of_given_up(spool, places)


def _tell_of_given_up(spool: Path, places: Places) -> None:
    message = "The events of a session were removed: they could not be traced for more than a day."
    record_error(places, "timer", message, {"session": session_of(spool)})


def _tell_of_lost(spool: Path, places: Places) -> None:
    message = f"A session's events are gone from {spool.parent}: a reboot or another program has emptied it. "
    lost = "A turn that was under way and the session's summary are lost."
    record_error(places, "timer", message + lost, {"session": session_of(spool)})


def _send(places: Places, schedule: Schedule, environ: Mapping[str, str]) -> None:
    # A secret from the environment belongs to one agent; who started this timer for it has named the agent.
    try:
        deliver_and_schedule(places, environ, resolve(environ, None, None), schedule, scheduler=True)
    except Exception as error:
        record_error(places, "timer", f"{type(error).__name__}: {error}", {})
        log_error(places, environ, "the outbox could not be sent")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


if __name__ == "__main__":
    main(sys.argv)
