"""The wake-up of the scheduler: one scheduler per user, woken by a signal.

A lock file says that a scheduler runs. The signal, a FIFO on POSIX systems and an event on Windows, makes it read the
schedule again. On POSIX systems it can also carry the secret of an agent or a session (`support.held_secrets`), which
the scheduler keeps in its environment; on Windows a new scheduler with the secret takes the running one's place.

A worker imports this module at every prompt, so it imports only what the interpreter has already loaded.
"""

import sys

from infinium_codex.support.held_secrets import SECRET_VARIABLE, held_value
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
_MODULE = "infinium_codex.background.scheduler"
_PROGRAM = (
    "import sys; sys.path += sys.argv[1:3]; del sys.argv[1:3]; "
    "from infinium_codex.background.scheduler import main; main(sys.argv)"
)
"""The scheduler's program: without `site`, an environment's `.pth` files stay out of its memory."""


def ensure_scheduler(directory: str, environ: "Mapping[str, str]", held_as: str = "") -> None:
    """Wake the scheduler of the schedule in `directory`, or start one in the environment `environ`.

    `held_as` is the variable in which the scheduler keeps the secret in `environ`; without it the secret is not handed
    over, because it is not known whose it is.
    """
    value = held_value(environ) if held_as else ""
    if wake(directory, held_as if value else "", value):
        return
    variables = {name: text for name, text in environ.items() if name != SECRET_VARIABLE}
    start_scheduler(directory, {**variables, held_as: value} if value else variables)


def start_scheduler(directory: str, environ: "Mapping[str, str]") -> None:
    """Start a scheduler. If one runs, it hands its secrets over to that one and ends."""
    start_detached(_command(directory), environ)


def _command(*arguments: str) -> list[str]:
    if sys.platform == "win32":
        return module_command(_MODULE, *arguments)
    import infinium_config

    packages = [__file__.rsplit("/", 3)[0], infinium_config.__path__[0].rsplit("/", 1)[0]]
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, *packages, *arguments]


def wake(directory: str, name: str = "", value: str = "") -> bool:
    """Have the scheduler read its schedule again, and keep a variable if there is one. False if none is running."""
    return send(directory, name, value)


class WakeUp:
    """The scheduler's end: it holds the lock and receives the signal. `close` gives up both."""

    def __init__(self, lock: "HeldLock", receiver: Receiver) -> None:
        self._lock, self._receiver = lock, receiver

    def wait(self, seconds: float) -> dict[str, str] | None:
        """Sleep until the signal, at most `seconds`. Returns variables to keep; None if the scheduler is to end."""
        return self._receiver.wait(seconds)

    def close(self) -> dict[str, str]:
        """Give up signal and lock. Returns variables to keep that came in the meantime."""
        variables = self._receiver.close()
        self._lock.release()
        return variables


def become_scheduler(directory: str) -> WakeUp | None:
    """Take the scheduler's lock and its end of the signal; None if another scheduler runs."""
    from infinium_config.locks import try_lock

    try:
        lock = try_lock(f"{directory}/{LOCK}")
    except OSError:  # no such directory, or a file system without locks
        return None
    return None if lock is None else WakeUp(lock, Receiver(directory))
