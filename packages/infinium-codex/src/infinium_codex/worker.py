"""The worker: makes traces of what a session's spool and transcript hold, and delivers them.

The hook starts it, detached, when a turn ends: `python -I -m infinium_codex.worker SPOOL_FILE`. One runs a session; a
second one for the same session leaves at once, because the first looks again before it goes.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from infinium_config import Settings
from infinium_trace import Session, TurnStatus, fold

from infinium_codex import hook_home
from infinium_codex.checkpoint import SUFFIX as STATE_SUFFIX
from infinium_codex.checkpoint import Checkpoint, Mark
from infinium_codex.lock import try_lock
from infinium_codex.logs import log_error
from infinium_codex.paths import Places, find_places
from infinium_codex.reading import Reading, close_running, read_session, without_turns
from infinium_codex.spool import session_of
from infinium_codex.tracing import Tracer
from infinium_codex.wiring import deliver_queued, load_settings, note_error, take_hook_errors


def main(argv: list[str]) -> None:
    """Work off the spool file named in `argv[1]`."""
    spool = Path(argv[1]).absolute()
    os.chdir("/")  # the session's directory may be removed or unmounted while we work
    os.umask(0o077)
    places = replace(find_places(os.environ), spool=spool.parent)
    try:
        work(spool, places, os.environ)
    except Exception as error:  # nobody watches a detached process: the ledger is where its end is told
        note_error(places, "worker", f"{type(error).__name__}: {error}", {"session": session_of(spool)})
        log_error(places, os.environ, "the worker ended early", session=session_of(spool))
        sys.exit(1)


def work(spool: Path, places: Places, environ: Mapping[str, str]) -> None:
    """Trace what ended in the session, then send what waits. Goes on until the hook has added nothing new."""
    take_hook_errors(places)
    _mend_hook_home(places)
    settings = None
    while True:
        with try_lock(spool.with_suffix(".lock")) as held:
            if not held:
                return
            drained = _drain(spool, places, environ)
        if drained is None:
            break
        settings = drained.settings
        if _size(spool) <= drained.end:
            break
    if settings is not None:
        deliver_queued(places, environ, settings)


def _mend_hook_home(places: Places) -> None:
    """After an upgrade of the connector or of Python, the hook's home is what this installation would make it."""
    if (places.data / "hook.py").exists():  # else it was removed on purpose
        hook_home.install(places)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drained:
    settings: Settings
    end: int
    """Offset up to which the spool, as it is now, has been worked off."""


def _drain(spool: Path, places: Places, environ: Mapping[str, str]) -> _Drained | None:
    """Queue a trace for every turn that ended, and the summary of a session that did."""
    state = spool.with_suffix(STATE_SUFFIX)
    checkpoint = Checkpoint.load(state)
    reading = read_session(spool, checkpoint.next, checkpoint)
    if reading.cwd is None:
        return None
    settings = load_settings(places, Path(reading.cwd), environ)
    if settings is None:
        return None
    tracer = Tracer.open(session_of(spool), Path(reading.cwd), places, environ, settings)
    if tracer is None:
        return None
    session, open_turns = _fold(reading, checkpoint)
    traced = tuple(turn.id for turn in session.turns if turn.id in reading.hooked and turn.id not in open_turns)
    if settings.flush_on_stop.value:
        for turn in session.turns:
            if turn.id in traced:
                tracer.queue_turn(session, turn)
    checkpoint = replace(
        checkpoint,
        transcript_path=reading.transcript_path,
        next=reading.mark_before(open_turns),
        done=checkpoint.remember(traced),
    )
    if reading.session_ended:
        checkpoint = _end_session(spool, checkpoint, tracer, settings)
    checkpoint.save(state)
    removed = reading.session_ended and _remove_spool(spool, state, checkpoint, reading.spool_end)
    return _Drained(settings=settings, end=0 if removed else reading.spool_end)


def _fold(reading: Reading, checkpoint: Checkpoint) -> tuple[Session, set[str]]:
    events = without_turns(reading.events, checkpoint.done)
    session = fold(events)
    running = {turn.id for turn in session.turns if turn.status is TurnStatus.RUNNING and turn.id in reading.hooked}
    if running and reading.session_ended:
        session, running = fold([*events, *close_running(events, running)]), set()
    return session, running


def _end_session(spool: Path, checkpoint: Checkpoint, tracer: Tracer, settings: Settings) -> Checkpoint:
    """Queue the session's summary where one is wanted; the next part, if the user comes back, begins behind it."""
    if settings.flush_on_session_end.value:
        reading = read_session(spool, checkpoint.summary, checkpoint)
        session, _ = _fold(reading, replace(checkpoint, done=()))
        turns = tuple(turn for turn in session.turns if turn.id in reading.hooked)
        if turns:
            tracer.queue_summary(session, turns, checkpoint.part)
            checkpoint = replace(checkpoint, part=checkpoint.part + 1)
    return replace(checkpoint, summary=checkpoint.next)


def _remove_spool(spool: Path, state: Path, checkpoint: Checkpoint, drained: int) -> bool:
    """Remove a drained spool. A hook that writes into it at this moment sees the name gone and starts a new one."""
    if _size(spool) > drained:
        return False
    with spool.open("rb") as file:
        spool.unlink()
        file.seek(drained)
        late = file.read()
    restarted = Mark(spool=0, transcript=checkpoint.next.transcript)
    replace(checkpoint, next=restarted, summary=restarted).save(state)
    if late:  # written between our last look and the unlink, by a hook that still saw the name
        fd = os.open(spool, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(late)
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    main(sys.argv)
