"""The timer: one sleeping process a user, which has things done that are due though Codex never runs again.

It runs as `python -I -S timer.py AGENDA`, imports nothing of ours and little else, so that it is small while it
sleeps. An agenda is a directory with a file for each thing that waits. It begins with the seconds for which another
file must have stood still, and that file's path (none: itself), each followed by a zero byte. What is due goes to
`infinium_codex.background.maintenance`, a process of its own. When nothing waits the timer ends; whoever adds
something to the agenda starts the next one.
"""

# ruff: noqa: PTH116, PTH123, PTH208, S606
# (pathlib would be a third of what this process needs; the program started is our own)
import errno
import fcntl
import os
import select
import sys
import time

LOCK = ".lock"
WAKE = ".wake"
REPLACE = b"r"
"""Written to the FIFO by a successor that wants the lock."""
REPLACE_SECONDS = 60
"""How long it tries: the timer it replaces may be having something done."""
LONGEST_SLEEP = 3600.0
FIRST_PAUSE = 60.0
"""What was due and still is after it was seen to rests this long, then twice as long, at most `LONGEST_SLEEP`."""

Stamp = tuple[int, int, int]
"""What tells that a watched file stood still: when it and its entry were written, and its size."""


def main(argv: list[str]) -> None:
    """Serve the agenda named by `argv[1]`; with `replace` behind it, in place of the timer that does so now."""
    agenda = argv[1]
    os.chdir("/")
    replace = argv[2:] == ["replace"]
    while True:
        lock = _lock(agenda, replace=replace)
        if lock is None:
            return
        wake = _open_fifo(agenda)
        replaced = _serve(agenda, wake)
        os.close(wake)
        os.close(lock)
        # Whoever added something in the meantime found us at work and counts on us: look once more, unlocked.
        if replaced or not read_agenda(agenda):
            return
        replace = False


def read_agenda(agenda: str) -> dict[str, tuple[str, float]]:
    """The entries: what each watches and for how long that must stand still. One that cannot be read is none."""
    found = {}
    try:
        names = os.listdir(agenda)
    except OSError:
        return {}
    for name in names:
        if name.startswith("."):
            continue
        path = f"{agenda}/{name}"
        try:
            with open(path, "rb") as file:
                quiet, watched = file.read().split(b"\0", 2)[:2]
            found[name] = (os.fsdecode(watched) or path, float(quiet))
        except (OSError, ValueError):
            continue
    return found


def wake_timer(agenda: str, word: bytes = b"w") -> bool:
    """Have the timer look at its agenda again; False when there is none."""
    try:
        fd = os.open(f"{agenda}/{WAKE}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.write(fd, word)
    except OSError as error:
        return error.errno == errno.EAGAIN  # full of words it has not read yet: it will look
    finally:
        os.close(fd)
    return True


class _Waiting:
    """An entry as the timer remembers it between two looks."""

    __slots__ = ("due", "stamp", "tries")

    def __init__(self, stamp: Stamp, due: float) -> None:
        self.stamp, self.due, self.tries = stamp, due, 0


def _serve(agenda: str, wake: int) -> bool:
    """Sleep and have things done until nothing waits; True when a successor asked for our place."""
    code = _stamp_of_code()
    known: dict[str, _Waiting] = {}
    last_look = time.monotonic()
    while True:
        now = time.monotonic()
        known = _look(agenda, known, now, last_look)
        last_look = now
        if not known:
            return False
        due = {name: waiting for name, waiting in known.items() if waiting.due <= now}
        if due:
            if not _have_done(agenda, due):
                return False
            now = time.monotonic()
            for waiting in due.values():
                waiting.due = now + min(FIRST_PAUSE * 2**waiting.tries, LONGEST_SLEEP)
                waiting.tries = min(waiting.tries + 1, 16)
            if _stamp_of_code() != code:  # upgraded: go on as the new version
                os.execv(sys.executable, [sys.executable, "-I", "-S", __file__, agenda])
            continue
        # A machine that slept wakes us late by what is left of this, no more: hence not one long sleep.
        pause = min(min(waiting.due for waiting in known.values()) - now, LONGEST_SLEEP)
        if select.select([wake], [], [], max(pause, 0.0))[0] and REPLACE in os.read(wake, 4096):
            return True


def _look(agenda: str, known: dict[str, _Waiting], now: float, last_look: float) -> dict[str, _Waiting]:
    """The agenda as it is now. Waiting is measured on the monotonic clock: a step of the other one ends no session."""
    found = {}
    for name, (watched, quiet) in read_agenda(agenda).items():
        stamp, written = _stamp(f"{agenda}/{name}", watched)
        before = known.get(name)
        if before is not None and before.stamp == stamp:
            found[name] = before
            continue
        age = min(max(time.time() - written, 0.0), quiet)
        earliest = last_look if before is not None else now - quiet
        found[name] = _Waiting(stamp, max(now - age, earliest) + quiet)
    return found


def _stamp(entry: str, watched: str) -> tuple[Stamp, float]:
    """The stamp, and when the watched file was written. One that is gone was written long ago: that is due."""
    try:
        told = os.stat(entry).st_mtime_ns
        status = os.stat(watched)
    except OSError:
        return (0, 0, 0), 0.0
    return (told, status.st_mtime_ns, status.st_size), status.st_mtime


def _have_done(agenda: str, due: dict[str, _Waiting]) -> bool:
    """Run `infinium_codex.background.maintenance` on what is due; False when there is no such program any more."""
    things = [f"{waiting.stamp[2]}:{name}" for name, waiting in due.items()]
    arguments = [sys.executable, "-I", "-m", "infinium_codex.background.maintenance", agenda, *things]
    try:
        pid = os.posix_spawn(sys.executable, arguments, os.environ)
    except OSError:
        return False  # the connector was removed
    os.waitpid(pid, 0)
    return True


def _lock(agenda: str, *, replace: bool) -> int | None:
    try:
        fd = os.open(f"{agenda}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:
        return None
    for _ in range(REPLACE_SECONDS if replace else 1):
        if replace:
            wake_timer(agenda, REPLACE)
            time.sleep(0.02)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(1 if replace else 0)
        else:
            return fd
    os.close(fd)
    return None


def _open_fifo(agenda: str) -> int:
    path = f"{agenda}/{WAKE}"
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        pass
    # For writing too: a FIFO whose last writer has gone would be readable for ever.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)


def _stamp_of_code() -> tuple[int, int]:
    try:
        status = os.stat(__file__)
    except OSError:
        return (0, 0)
    return status.st_mtime_ns, status.st_size


if __name__ == "__main__":
    main(sys.argv)
