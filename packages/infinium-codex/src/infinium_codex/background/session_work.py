"""The worker's work on one session: trace what ended in it, then send what waits."""

import os
from collections.abc import Mapping
from pathlib import Path

from infinium_codex.background.schedule import AGENDA_LINK, Agenda, entry_name
from infinium_codex.capture import install as hook_home
from infinium_codex.delivery.send import send
from infinium_codex.delivery.wiring import note_error, take_hook_errors
from infinium_codex.session.processor import drain
from infinium_codex.support.locks import try_lock
from infinium_codex.support.logs import log_error
from infinium_codex.support.paths import Places, find_places


def work_off(spool_file: str, environ: Mapping[str, str]) -> None:
    """Trace what ended in the session of this spool file, then send what waits."""
    spool = Path(spool_file)
    work(spool, find_places(environ)._replace(spool=spool.parent), environ)


def work(spool: Path, places: Places, environ: Mapping[str, str], *, over: bool = False) -> None:
    """Trace what ended in the session, then send what waits. Goes on until the hook has added nothing new.

    With `over` the session counts as ended: its open turns are traced too.
    """
    take_hook_errors(places)
    _mend_hook_home(places)
    _link_agenda(places)
    agenda = Agenda(str(places.agenda))
    settings = None
    while True:
        with try_lock(spool.with_suffix(".lock")) as held:
            if not held:
                return
            drained = drain(spool, places, environ, stale=over, final=over)
            if drained is not None and not drained.waits:
                agenda.forget(entry_name(str(spool)))
            else:
                agenda.watch(str(spool), environ)
        if drained is None:
            break
        settings = drained.settings
        if _size(spool) <= drained.end:
            break
    timed = settings is not None and send(places, environ, settings, agenda)
    if not timed and (drained is None or drained.waits):
        agenda.start_timer(environ)


def tell(spool_file: str, environ: Mapping[str, str], error: Exception) -> None:
    """Leave word of what ended the worker, in an `except` block."""
    places, session = find_places(environ), Path(spool_file).stem
    note_error(places, "worker", f"{type(error).__name__}: {error}", {"session": session})
    log_error(places, environ, "the worker ended early", session=session)


def _mend_hook_home(places: Places) -> None:
    """After an upgrade of the connector or of Python, the hook's home is what this installation would make it."""
    if (places.data / "hook.py").exists():  # else it was removed on purpose
        hook_home.install(places)


def _link_agenda(places: Places) -> None:
    link = places.spool / AGENDA_LINK
    if link.is_symlink() and str(link.readlink()) == str(places.agenda):
        return
    aside = link.with_name(f".{AGENDA_LINK}.{os.getpid()}")
    aside.symlink_to(places.agenda)
    aside.replace(link)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
