"""The worker: makes traces of what a session's spool and transcript hold, and delivers them.

The hook starts it, detached, when a turn begins or ends, through the launcher in its home: `python -I -S worker.py
SPOOL_FILE EVENT`. At a prompt it only sees to it that a timer runs, so that a turn is traced though nothing more is
heard of it; what costs time to import is imported when there is something to trace. One runs a session; a second one
for the same session leaves at once, because the first looks again before it goes.
"""

import gc
import os
import sys

from infinium_codex.background.schedule import LINK, Schedule, entry_name
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.capture.frame import count_events

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

_TAIL_BYTES = 1 << 20


def main(argv: list[str], agent: str, turn_started: str, turn_ended: tuple[str, ...]) -> None:
    """Work on the spool file `argv[1]` after the hook recorded the event `argv[2]`.

    `agent` is the reference of the agent (`infinium_codex.agent.load_agent`), the other two are its `hooks`' names:
    at a prompt, when every millisecond counts, there is no need to import it.
    """
    spool = os.path.abspath(argv[1])  # noqa: PTH100
    prompt = argv[2:] == [turn_started]
    os.chdir("/")  # the session's directory may be removed or unmounted while we work
    os.umask(0o077)
    _make_way()
    try:
        if prompt:
            _schedule_session(spool, agent, os.environ)
        if not prompt or _is_superseding(spool, turn_started, turn_ended):
            gc.disable()  # importing makes no garbage, and looking for it costs a tenth of the time
            from infinium_codex.background.session_work import work_off

            gc.freeze()
            gc.enable()
            work_off(spool, agent, os.environ)
    except Exception as error:  # nobody watches a detached process: the ledger is where its end is told
        from infinium_codex.background.session_work import tell

        tell(spool, os.environ, error)
        sys.exit(1)
    os._exit(0)  # everything is on disk: taking the interpreter down in order would cost another tenth


def _make_way() -> None:
    """Leave the processor to whatever the person at the keyboard waits for, hooks included."""
    try:
        os.nice(10)
    except (OSError, AttributeError):  # not allowed here; not Windows'
        return


def _schedule_session(spool: str, agent: str, environ: "Mapping[str, str]") -> None:
    """Have the scheduler close the session later: this event may be the last one of the session."""
    try:
        directory = os.readlink(f"{os.path.dirname(spool)}/{LINK}")  # noqa: PTH115, PTH120
    except OSError:
        from infinium_codex.support.paths import find_places

        directory = str(find_places(environ).schedule)
    schedule = Schedule(directory)
    if not schedule.has(entry_name(spool)):
        schedule.add_session(spool, agent, environ)
    ensure_scheduler(directory, environ)


def _is_superseding(spool: str, turn_started: str, turn_ended: tuple[str, ...]) -> bool:
    """Whether the spool's tail has a prompt before this one, and no end of a turn in between."""
    try:
        with open(spool, "rb") as file:  # noqa: PTH123
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_BYTES, 0))
            tail = file.read()
    except OSError:
        return False
    return count_events(tail, turn_started, after=turn_ended) > 1
