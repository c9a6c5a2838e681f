"""The worker's work on one session: trace what ended in it, then send what waits."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config.locks import try_lock

from infinium_codex.agent import Agent, load_agent
from infinium_codex.background.deliveries import deliver_and_schedule
from infinium_codex.background.schedule import LINK, Schedule, entry_name
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.capture import install as hook_home
from infinium_codex.session.processor import drain
from infinium_codex.support.error_log import collect_hook_errors, record_error
from infinium_codex.support.files import replace_link
from infinium_codex.support.logs import log_error
from infinium_codex.support.paths import Places, find_places


def work_off(spool_file: str, agent: str, environ: Mapping[str, str]) -> None:
    """Trace what ended in the session of this spool file, then send what waits."""
    spool = Path(spool_file)
    work(load_agent(agent), spool, find_places(environ)._replace(spool=spool.parent), environ)


def work(agent: Agent, spool: Path, places: Places, environ: Mapping[str, str], *, over: bool = False) -> None:
    """Trace what ended in the session, then send what waits. Goes on until the hook has added nothing new.

    With `over` the session counts as ended: its open turns are traced too.
    """
    collect_hook_errors(places)
    _mend_hook_home(places, agent)
    _link_schedule(places)
    schedule = Schedule(str(places.schedule))
    settings = None
    while True:
        lock = try_lock(spool.with_suffix(".lock"))
        if lock is None:
            return
        with lock:
            drained = drain(agent, spool, places, environ, stale=over, final=over)
            if drained is not None and not drained.waits:
                schedule.remove(entry_name(str(spool)))
            else:
                schedule.add_session(str(spool), agent.reference, environ)
        if drained is None:
            break
        settings = drained.settings
        if _size(spool) <= drained.end:
            break
    timed = settings is not None and deliver_and_schedule(places, environ, settings, schedule)
    if not timed and (drained is None or drained.waits):
        ensure_scheduler(schedule.directory, environ)


def tell(spool_file: str, environ: Mapping[str, str], error: Exception) -> None:
    """Leave word of what ended the worker, in an `except` block."""
    places, session = find_places(environ), Path(spool_file).stem
    record_error(places, "worker", f"{type(error).__name__}: {error}", {"session": session})
    log_error(places, environ, "the worker ended early", session=session)


def _mend_hook_home(places: Places, agent: Agent) -> None:
    """After an upgrade of the connector or of Python, the hook's home is what this installation would make it."""
    if (places.data / "hook.py").exists():  # else it was removed on purpose
        hook_home.install(places, agent)


def _link_schedule(places: Places) -> None:
    """Put a link to the schedule beside the spools, for the worker at the next prompt."""
    link, target = places.spool / LINK, str(places.schedule)
    if not link.is_symlink() or str(link.readlink()) != target:
        replace_link(link, target)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
