"""The worker: makes traces of what a session's spool and transcript hold, and delivers them.

The hook starts it, detached, when a turn begins or ends: `python -I -m infinium_codex.worker SPOOL_FILE EVENT`. At a
prompt it only sees to it that a timer runs, so that a turn is traced though nothing more is heard of it; what costs
time to import is imported when there is something to trace. One runs a session; a second one for the same session
leaves at once, because the first looks again before it goes.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infinium_codex.agenda import Agenda, entry_name
from infinium_codex.paths import Places, find_places


def main(argv: list[str]) -> None:
    """Work off the spool file named in `argv[1]`."""
    spool = Path(argv[1]).absolute()
    prompt = argv[2:] == ["UserPromptSubmit"]
    os.chdir("/")  # the session's directory may be removed or unmounted while we work
    os.umask(0o077)
    places = find_places(os.environ)._replace(spool=spool.parent)
    try:
        if prompt:
            _see_to_timer(spool, places, os.environ)
        if not prompt or _is_superseding(spool):
            work(spool, places, os.environ)
    except Exception as error:  # nobody watches a detached process: the ledger is where its end is told
        from infinium_codex.logs import log_error
        from infinium_codex.wiring import note_error

        note_error(places, "worker", f"{type(error).__name__}: {error}", {"session": spool.stem})
        log_error(places, os.environ, "the worker ended early", session=spool.stem)
        sys.exit(1)


def work(spool: Path, places: Places, environ: Mapping[str, str]) -> None:
    """Trace what ended in the session, then send what waits. Goes on until the hook has added nothing new."""
    from infinium_codex.drain import drain
    from infinium_codex.lock import try_lock
    from infinium_codex.sending import send
    from infinium_codex.wiring import take_hook_errors

    take_hook_errors(places)
    _mend_hook_home(places)
    agenda = Agenda(places.agenda)
    settings = None
    while True:
        with try_lock(spool.with_suffix(".lock")) as held:
            if not held:
                return
            drained = drain(spool, places, environ)
            if drained is not None and not drained.waits:
                agenda.forget(entry_name(spool))
            else:
                agenda.watch(spool, environ)
        if drained is None:
            break
        settings = drained.settings
        if _size(spool) <= drained.end:
            break
    if settings is not None:
        send(places, environ, settings, agenda)
    if drained is None or drained.waits:
        agenda.start_timer(environ)


def _see_to_timer(spool: Path, places: Places, environ: Mapping[str, str]) -> None:
    agenda = Agenda(places.agenda)
    if not agenda.has(entry_name(spool)):
        agenda.watch(spool, environ)
    agenda.start_timer(environ)


def _is_superseding(spool: Path) -> bool:
    """Whether a turn before this prompt never ended, as far as the records' heads tell."""
    import json

    from infinium_codex.spool import open_prompts

    try:
        seen = json.loads(spool.with_suffix(".state").read_bytes())["next"]["spool"]
    except (OSError, ValueError, KeyError, TypeError):
        seen = 0  # nothing was traced yet
    try:
        return open_prompts(spool, seen) > 1
    except OSError:
        return False


def _mend_hook_home(places: Places) -> None:
    """After an upgrade of the connector or of Python, the hook's home is what this installation would make it."""
    from infinium_codex import hook_home

    if (places.data / "hook.py").exists():  # else it was removed on purpose
        hook_home.install(places)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    main(sys.argv)
