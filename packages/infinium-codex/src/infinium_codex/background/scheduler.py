"""The scheduler: one sleeping process per user that starts maintenance when an entry of the schedule is due.

It works even if the agent never runs again. It imports little, so that it is small while it sleeps; the work is done
by `infinium_codex.background.maintenance`, a process of its own. When the schedule is empty the scheduler ends;
`wake_up.ensure_scheduler` starts the next one.
"""

import os
import sys
import time

from infinium_codex.background.schedule import Schedule
from infinium_codex.background.wake_up import WakeUp, become_scheduler, ensure_scheduler
from infinium_codex.support.spawn import leave_directory, module_command, run_and_wait

LONGEST_SLEEP = 3600.0
"""Seconds. After a suspend, a machine wakes the scheduler late by at most this."""
FIRST_PAUSE = 60.0
"""Seconds until an entry is tried again that is still due after maintenance; doubled each time up to LONGEST_SLEEP."""

Stamp = tuple[int, int, int]
"""When the entry and the watched file were written, and the size of that file: equal stamps mean no change."""


def main(argv: list[str]) -> None:
    """Serve the schedule in the directory `argv[1]`; with `replace` behind it, in place of the running scheduler."""
    directory = argv[1]
    leave_directory()
    replace = argv[2:] == ["replace"]
    while (wake_up := become_scheduler(directory, replace=replace)) is not None:
        with wake_up:
            replaced = _serve(Schedule(directory), wake_up)
        # An entry added just now found this scheduler running and started none, so look again without the lock.
        if replaced or not Schedule(directory).entries():
            return
        replace = False


class _Pending:
    """An entry as it was last seen."""

    __slots__ = ("due", "stamp", "tries")

    def __init__(self, stamp: Stamp, due: float) -> None:
        self.stamp, self.due, self.tries = stamp, due, 0

    def postpone(self, now: float) -> None:
        """Set when maintenance is started again if the entry stays as it is."""
        self.due = now + min(FIRST_PAUSE * 2**self.tries, LONGEST_SLEEP)
        self.tries = min(self.tries + 1, 16)


def _serve(schedule: Schedule, wake_up: WakeUp) -> bool:
    """Sleep and start maintenance until the schedule is empty. True if a new scheduler takes over."""
    code = _code_stamp()
    pending: dict[str, _Pending] = {}
    last_look = time.monotonic()
    while True:
        now = time.monotonic()
        pending = _update(schedule, pending, now, last_look)
        last_look = now
        if not pending:
            return False
        due = {name: entry for name, entry in pending.items() if entry.due <= now}
        if due:
            if not _run_maintenance(schedule, due):
                return False
            now = time.monotonic()
            for entry in due.values():
                entry.postpone(now)
            if _code_stamp() != code:  # the connector was upgraded: continue as the new version
                if sys.platform == "win32":  # where exec is a new process, which the lock keeps from working
                    ensure_scheduler(schedule.directory, os.environ, replace=True)
                    return True
                os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
            continue
        next_due = min(entry.due for entry in pending.values())
        if wake_up.wait(min(next_due - now, LONGEST_SLEEP)):
            return True


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
    return found


def _stamp(entry: str, watched: str) -> tuple[Stamp, float]:
    """The stamp, and when the watched file was written: long ago if it is missing, so that the entry is due."""
    try:
        added = os.stat(entry).st_mtime_ns  # noqa: PTH116
        status = os.stat(watched)  # noqa: PTH116
    except OSError:
        return (0, 0, 0), 0.0
    return (added, status.st_mtime_ns, status.st_size), status.st_mtime


def _run_maintenance(schedule: Schedule, due: dict[str, _Pending]) -> bool:
    """Run maintenance on the entries that are due. False if the connector was removed."""
    entries = [f"{entry.stamp[2]}:{name}" for name, entry in due.items()]
    try:
        run_and_wait(module_command("infinium_codex.background.maintenance", schedule.directory, *entries))
    except OSError:
        return False
    return True


def _code_stamp() -> tuple[int, int]:
    try:
        status = os.stat(__file__)  # noqa: PTH116
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size
