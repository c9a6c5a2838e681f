"""The wake-up of the scheduler: one scheduler per user, woken by a signal.

A lock file says that a scheduler runs. The signal, a FIFO on POSIX systems and an event on Windows, makes it read the
schedule again. A new scheduler can ask the running one to end and then take its place.

A worker imports this module at every prompt, so it imports only what the interpreter has already loaded.
"""

import sys

from infinium_codex.support.spawn import module_command, start_detached

if sys.platform == "win32":
    from infinium_codex.background.signal_windows import Receiver, send
else:
    from infinium_codex.background.signal_posix import Receiver, send

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

    from infinium_config.locks import HeldLock

LOCK = ".lock"
REPLACE_SECONDS = 60
"""How long a new scheduler waits for the running one to end: it may be running maintenance."""
_MODULE = "infinium_codex.background.scheduler"
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
    options = ("replace",) if replace else ()
    start_detached(_command(directory, *options), environ)


def _command(*arguments: str) -> list[str]:
    if sys.platform == "win32":
        return module_command(_MODULE, *arguments)
    import infinium_config

    packages = [__file__.rsplit("/", 3)[0], infinium_config.__path__[0].rsplit("/", 1)[0]]
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, *packages, *arguments]


def wake(directory: str) -> bool:
    """Have the scheduler read its schedule again. False if none is running."""
    return send(directory)


class WakeUp:
    """The scheduler's end: it holds the lock and receives the signal. Leaving the `with` block gives up both."""

    def __init__(self, lock: "HeldLock", receiver: Receiver) -> None:
        self._lock, self._receiver = lock, receiver

    def wait(self, seconds: float) -> bool:
        """Sleep until the signal, at most `seconds`. True if a new scheduler asked for this one to end."""
        return self._receiver.wait(seconds)

    def __enter__(self) -> "WakeUp":
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.close()
        self._lock.release()


def become_scheduler(directory: str, *, replace: bool = False) -> WakeUp | None:
    """Take the scheduler's lock and its end of the signal; None if another scheduler keeps running.

    With `replace` the running scheduler is asked to end and waited for, at most `REPLACE_SECONDS`.
    """
    lock = _take_lock(directory, replace=replace)
    return None if lock is None else WakeUp(lock, Receiver(directory))


def _take_lock(directory: str, *, replace: bool) -> "HeldLock | None":
    import time

    from infinium_config.locks import try_lock

    for _ in range(REPLACE_SECONDS if replace else 1):
        if replace:
            send(directory, replace=True)
            time.sleep(0.02)
        try:
            lock = try_lock(f"{directory}/{LOCK}")
        except OSError:  # no such directory, or a file system without locks
            return None
        if lock is not None:
            return lock
        time.sleep(1 if replace else 0)
    return None
