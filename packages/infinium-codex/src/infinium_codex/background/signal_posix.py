"""The scheduler's signal on POSIX systems: a FIFO in the schedule's directory, which has a reader while one runs."""

import os
import sys

from infinium_codex.support.held_secrets import is_held

assert sys.platform != "win32"  # for type checkers

FIFO = ".wake"
_END = b"\0"
"""The end of each message. A message is empty, or a variable's name and value with `=` between them."""
_MAX_MESSAGE_BYTES = 4096
"""A longer message could be mixed with that of another process."""
_MAX_FIFO_BYTES = 1 << 16


def send(directory: str, name: str = "", value: str = "") -> bool:
    """Send the signal to the scheduler, and a variable with a secret if there is one. False if none is running."""
    message = os.fsencode(f"{name}={value}") + _END if name else _END
    try:
        fd = os.open(f"{directory}/{FIFO}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.write(fd, message if len(message) <= _MAX_MESSAGE_BYTES else _END)
    except BlockingIOError:
        return True  # full of messages that the scheduler has not read yet: it will read the schedule after them
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


class Receiver:
    """The end of the signal that the scheduler holds."""

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/{FIFO}"
        try:
            os.mkfifo(self._path, 0o600)
        except FileExistsError:
            pass
        # For writing too: a FIFO whose last writer has closed it is always readable.
        self._fifo = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)

    def wait(self, seconds: float) -> dict[str, str] | None:
        """Sleep until the signal, at most `seconds`. Returns the variables that were sent with it.

        None, if the scheduler is to end, occurs on Windows only.
        """
        import select

        readable, _, _ = select.select([self._fifo], [], [], max(seconds, 0.0))
        return self._read() if readable else {}

    def close(self) -> dict[str, str]:
        """Give the signal up. Returns the variables that were sent in the meantime."""
        try:
            os.unlink(self._path)  # noqa: PTH108 - who wakes a scheduler from now on finds none and starts one
        except FileNotFoundError:
            pass
        variables = self._read()
        os.close(self._fifo)
        return variables

    def _read(self) -> dict[str, str]:
        try:
            messages = os.read(self._fifo, _MAX_FIFO_BYTES)
        except BlockingIOError:  # nothing is there
            return {}
        fields = (os.fsdecode(message).partition("=") for message in messages.split(_END) if message)
        return {name: value for name, _, value in fields if is_held(name)}
