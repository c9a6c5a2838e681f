"""The worker: a detached process that the hook starts when a turn begins or ends.

The hook starts it through the launcher in the hook's home: `python -I -S worker.py SPOOL EVENT`. At a prompt it only
makes sure that the scheduler will close the session if no further event comes, and imports almost nothing. At the end
of a turn it traces the session and sends the traces (`trace_and_send`). With `wait` as third argument the hook waits
for it: it then ends only when its session is traced and sent, by itself or by other processes.
"""

import gc
import os
import sys

from infinium_codex.background.schedule import Schedule, entry_name, linked_schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.capture.frame import count_events
from infinium_codex.capture.inbox import collect_events
from infinium_codex.support.held_secrets import entry_variable
from infinium_codex.support.spawn import leave_directory

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

_TAIL_BYTES = 1 << 20
_THREAD_ID_CHARACTERS = 36
UNREPORTED_SECONDS = 20.0
"""Seconds without an event after which a turn is looked at whose end no event may report."""


def main(argv: list[str], agent: str, turn_started: str, turn_ended: tuple[str, ...]) -> None:
    """Work on the spool file `argv[1]` after the hook recorded the event `argv[2]`.

    `agent` is the agent's import reference, the other two come from its `hooks`: so a prompt does not import the agent.
    """
    spool = os.path.abspath(argv[1])  # noqa: PTH100
    prompt = argv[2:] == [turn_started]
    wait = argv[3:] == ["wait"]
    leave_directory()
    os.umask(0o077)
    if not wait:
        _lower_priority()
    try:
        tail = b""
        if prompt:
            collect_events(os.path.dirname(spool))  # noqa: PTH120
            tail = _read_tail(spool)
            _schedule_session(spool, agent, os.environ, look_early=_is_in_another_thread(tail, spool))
        # Such a prompt ends an open turn: there is a prompt before it, and no end of a turn in between.
        if not prompt or count_events(tail, turn_started, after=turn_ended) > 1:
            gc.disable()  # imports make no garbage, and the search for it costs a tenth of the time
            from infinium_codex.background.trace_and_send import run_worker

            gc.freeze()
            gc.enable()
            run_worker(spool, agent, os.environ, wait=wait)
    except Exception as error:  # the process has no output: the ledger is where a failure can be seen
        from infinium_codex.background.trace_and_send import record_failure

        record_failure(spool, os.environ, error)
        sys.exit(1)
    os._exit(0)  # everything is on disk, and an orderly exit costs a tenth of the time


def _lower_priority() -> None:
    """Let interactive programs and hooks run first. On Windows the hook starts the worker with such a priority."""
    if sys.platform != "win32":
        try:
            os.nice(10)
        except OSError:  # not allowed
            return


def _schedule_session(spool: str, agent: str, environ: "Mapping[str, str]", *, look_early: bool) -> None:
    """Have the scheduler close the session later: this event may be the last one of the session.

    With `look_early` the scheduler first looks whether the transcript has the turn's end.
    """
    directory = linked_schedule(os.path.dirname(spool))  # noqa: PTH120
    if directory is None:
        from infinium_codex.support.paths import find_places

        directory = str(find_places(environ).schedule)
    schedule = Schedule(directory)
    entry = entry_name(spool)
    if look_early:
        from infinium_config.variables import session_ttl

        schedule.add_session(spool, agent, environ, quiet=min(UNREPORTED_SECONDS, session_ttl(environ)))
    elif not schedule.has(entry):
        schedule.add_session(spool, agent, environ)
    ensure_scheduler(directory, environ, entry_variable(entry))


def _read_tail(spool: str) -> bytes:
    try:
        with open(spool, "rb") as file:  # noqa: PTH123
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL_BYTES, 0))
            return file.read()
    except OSError:
        return b""


def _is_in_another_thread(tail: bytes, spool: str) -> bool:
    """Whether the transcript of the last event is named after another thread than the session, as in a code review.

    No event may report the end of such a turn.
    """
    start = tail.rfind(b'"transcript_path"')
    end = tail.find(b'.jsonl"', start, start + 8192)
    thread = tail[max(end - _THREAD_ID_CHARACTERS, 0) : end]
    session = os.path.basename(spool).removesuffix(".spool")  # noqa: PTH119
    return 0 <= start < end and thread.count(b"-") == 4 and thread != os.fsencode(session)
