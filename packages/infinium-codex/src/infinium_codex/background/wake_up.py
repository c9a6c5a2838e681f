"""The wake-up of the scheduler: one scheduler per user, woken through a FIFO in the schedule's directory.

A lock file says that a scheduler runs. Writing to the FIFO wakes it, so that it reads the schedule again. A new
scheduler can ask the running one to end and then take its place.

A worker imports this module at every prompt, so it imports only what the interpreter has already loaded.
"""

import os
import sys

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

    from infinium_config.locks import HeldLock

LOCK = ".lock"
FIFO = ".wake"
WAKE = b"w"
REPLACE = b"r"
"""Asks the running scheduler to end."""
REPLACE_SECONDS = 60
"""How long a new scheduler waits for the running one to end: it may be running maintenance."""
_PROGRAM = (
    "import sys; sys.path += sys.argv[1:3]; del sys.argv[1:3]; "
    "from infinium_codex.background.scheduler import main; main(sys.argv)"
)
"""The scheduler's program: without `site`, an environment's `.pth` files stay out of its memory."""


def ensure_scheduler(directory: str, environ: "Mapping[str, str]", *, replace: bool = False) -> None:
    """Wake the scheduler of the schedule in `directory`, or start one in the environment `environ`.

    With `replace` a new one takes the place of the running one: what is due needs the secret in `environ`.
    """
    if not replace and wake(directory):
        return
    import infinium_config

    packages = [__file__.rsplit("/", 3)[0], infinium_config.__path__[0].rsplit("/", 1)[0]]
    arguments = [sys.executable, "-I", "-S", "-c", _PROGRAM, *packages, directory]
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    if replace:
        arguments.append("replace")
    os.posix_spawn(sys.executable, arguments, dict(environ), file_actions=null, setsid=True)


def wake(directory: str, message: bytes = WAKE) -> bool:
    """Have the scheduler read its schedule again. False if none is running."""
    try:
        fd = os.open(f"{directory}/{FIFO}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.write(fd, message)
    except BlockingIOError:
        return True  # full of messages that the scheduler has not read yet: it will read the schedule after them
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


class WakeUp:
    """The scheduler's end: it holds the lock and reads the FIFO. Leaving the `with` block gives up both."""

    def __init__(self, lock: "HeldLock", fifo: int) -> None:
        self._lock, self._fifo = lock, fifo

    def wait(self, seconds: float) -> bool:
        """Sleep until the FIFO is written to, at most `seconds`. True if a new scheduler asked for this one to end."""
        import select

        readable, _, _ = select.select([self._fifo], [], [], max(seconds, 0.0))
        return bool(readable) and REPLACE in os.read(self._fifo, 4096)

    def __enter__(self) -> "WakeUp":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fifo)
        self._lock.release()


def become_scheduler(directory: str, *, replace: bool = False) -> WakeUp | None:
    """Take the scheduler's lock and open its FIFO; None if another scheduler keeps running.

    With `replace` the running scheduler is asked to end and waited for, at most `REPLACE_SECONDS`.
    """
    lock = _take_lock(directory, replace=replace)
    return None if lock is None else WakeUp(lock, _open_fifo(directory))


def _take_lock(directory: str, *, replace: bool) -> "HeldLock | None":
    import time

    from infinium_config.locks import try_lock

    for _ in range(REPLACE_SECONDS if replace else 1):
        if replace:
            wake(directory, REPLACE)
            time.sleep(0.02)
        try:
            lock = try_lock(f"{directory}/{LOCK}")
        except OSError:  # no such directory, or a file system without locks
            return None
        if lock is not None:
            return lock
        time.sleep(1 if replace else 0)
    return None


def _open_fifo(directory: str) -> int:
    path = f"{directory}/{FIFO}"
    try:
        os.mkfifo(path, 0o600)
    except FileExistsError:
        pass
    # For writing too: a FIFO whose last writer has closed it is always readable.
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
