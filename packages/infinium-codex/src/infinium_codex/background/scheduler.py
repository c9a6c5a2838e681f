"""The scheduler: one sleeping process per user that starts maintenance when an entry of the schedule is due.

It works even if the agent never runs again. It imports little, so that it is small while it sleeps; the work is done
by `infinium_codex.background.maintenance`, a process of its own. When the schedule is empty the scheduler ends;
`wake_up.ensure_scheduler` starts the next one. It holds the secrets that shells handed to it in its own environment,
which maintenance inherits.
"""

import os
import sys
import time

from infinium_codex.background.schedule import Schedule
from infinium_codex.background.wake_up import WakeUp, become_scheduler, start_scheduler, wake
from infinium_codex.support.held_secrets import is_held, stale_entries
from infinium_codex.support.spawn import Child, leave_directory, module_command

LONGEST_SLEEP = 3600.0
"""Seconds. After a suspend, a machine wakes the scheduler late by at most this."""
FIRST_PAUSE = 60.0
"""Seconds until an entry is tried again that is still due after maintenance; doubled each time up to LONGEST_SLEEP."""
PATIENCE = 120.0
"""Seconds for which the scheduler waits for maintenance. Then it serves other entries, as maintenance may be stuck."""
LONGEST_MAINTENANCE = 3600.0
"""Seconds after which a maintenance process is killed: nothing is lost by that, and its locks become free."""

HAND_OVER_ATTEMPTS = 1200
HAND_OVER_SECONDS = 0.05

Stamp = tuple[int, int, int]
"""When the entry and the watched file were written, and the size of that file: equal stamps mean no change."""


def main(argv: list[str]) -> None:
    """Serve the schedule in the directory `argv[1]`, unless another scheduler does."""
    directory = argv[1]
    leave_directory()
    for _ in range(HAND_OVER_ATTEMPTS):
        wake_up = become_scheduler(directory)
        if wake_up is None:
            if _hand_over(directory):
                return
            time.sleep(HAND_OVER_SECONDS)  # the other scheduler is about to open its FIFO, or to end
            continue
        try:
            _serve(Schedule(directory), wake_up)
        finally:
            os.environ.update(wake_up.close())
        # An entry added just now found this scheduler running and started none, so look again without the lock.
        if not Schedule(directory).entries():
            return


def _hand_over(directory: str) -> bool:
    """Wake the scheduler that runs, and give it the secrets that this one was started with. False if none answers."""
    held = [(name, value) for name, value in os.environ.items() if is_held(name)]
    if sys.platform == "win32" and held:
        from infinium_codex.background.signal_windows import send_end

        send_end(directory)  # and take its place: a signal carries no secret
        return False
    return all(wake(directory, name, value) for name, value in held or [("", "")])


class _Pending:
    """An entry as it was last seen."""

    __slots__ = ("due", "stamp", "tries")

    def __init__(self, stamp: Stamp, due: float) -> None:
        self.stamp, self.due, self.tries = stamp, due, 0

    def postpone(self, now: float) -> None:
        """Set when maintenance is started again if the entry stays as it is."""
        self.due = now + min(FIRST_PAUSE * 2**self.tries, LONGEST_SLEEP)
        self.tries = min(self.tries + 1, 16)


def _serve(schedule: Schedule, wake_up: WakeUp) -> None:
    """Sleep and start maintenance until the schedule is empty or the connector is removed."""
    code = _code_stamp()
    pending: dict[str, _Pending] = {}
    children: dict[Child, float] = {}
    last_look = time.monotonic()
    while True:
        now = time.monotonic()
        pending = _update(schedule, pending, now, last_look)
        last_look = now
        _reap(children, now)
        if not pending:
            return
        due = {name: entry for name, entry in pending.items() if entry.due <= now}
        if due:
            if not _run_maintenance(schedule, due, children):
                return
            now = time.monotonic()
            for entry in due.values():
                entry.postpone(now)
            if _code_stamp() != code:  # the connector was upgraded: continue as the new version
                os.environ.update(wake_up.close())
                if sys.platform == "win32":  # where exec is a new process
                    start_scheduler(schedule.directory, os.environ)
                    sys.exit(0)
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
            continue
        next_due = min(entry.due for entry in pending.values())
        variables = wake_up.wait(min(next_due - now, LONGEST_SLEEP))
        if variables is None:
            sys.exit(0)  # another scheduler takes this one's place
        os.environ.update(variables)


def _update(schedule: Schedule, pending: dict[str, _Pending], now: float, last_look: float) -> dict[str, _Pending]:
    """Read the schedule. Unchanged entries keep their due time; the others are due `quiet` seconds after the change.

    Time is measured on the monotonic clock, so that a step of the system clock closes no session.
    """
    found = {}
    for name, (watched, quiet) in schedule.entries().items():
        stamp, written = _stamp(f"{schedule.directory}/{name}", watched)
        before = pending.get(name)
        if before is not None and before.stamp == stamp:
            found[name] = before
            continue
        age = min(max(time.time() - written, 0.0), quiet)
        earliest = last_look if before is not None else now - quiet
        found[name] = _Pending(stamp, max(now - age, earliest) + quiet)
    for variable in stale_entries(os.environ, found):
        del os.environ[variable]
    return found


def _stamp(entry: str, watched: str) -> tuple[Stamp, float]:
    """The stamp, and when the watched file was written: long ago if it is missing, so that the entry is due."""
    try:
        added = os.stat(entry).st_mtime_ns  # noqa: PTH116
        status = os.stat(watched)  # noqa: PTH116
    except OSError:
        return (0, 0, 0), 0.0
    return (added, status.st_mtime_ns, status.st_size), status.st_mtime


def _run_maintenance(schedule: Schedule, due: dict[str, _Pending], children: dict[Child, float]) -> bool:
    """Run maintenance on the entries that are due, and wait for it. False if the connector was removed.

    After `PATIENCE` the process is left in `children`, with the time at which it was started.
    """
    entries = [f"{entry.stamp[2]}:{name}" for name, entry in due.items()]
    try:
        child = Child(module_command("infinium_codex.background.maintenance", schedule.directory, *entries))
    except OSError:
        return False
    started = time.monotonic()
    pause = 0.01
    while not child.has_ended():
        if time.monotonic() - started > PATIENCE:
            children[child] = started
            break
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
    return True


def _reap(children: dict[Child, float], now: float) -> None:
    """Collect maintenance processes that ended late, and kill those that are stuck."""
    for child, started in list(children.items()):
        if now - started > LONGEST_MAINTENANCE:
            child.kill()
        if child.has_ended():
            del children[child]


def _code_stamp() -> tuple[int, int]:
    try:
        status = os.stat(__file__)  # noqa: PTH116
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
