"""The scheduler's signal on POSIX systems: a FIFO in the schedule's directory, which has a reader while one runs."""

import os
import sys

assert sys.platform != "win32"  # for type checkers

FIFO = ".wake"
_WAKE = b"w"
_REPLACE = b"r"


def send(directory: str, *, replace: bool = False) -> bool:
    """Send the signal to the scheduler, with `replace` to make it end. False if none is running."""
    try:
        fd = os.open(f"{directory}/{FIFO}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        os.write(fd, _REPLACE if replace else _WAKE)
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
        path = f"{directory}/{FIFO}"
        try:
            os.mkfifo(path, 0o600)
        except FileExistsError:
            pass
        # For writing too: a FIFO whose last writer has closed it is always readable.
        self._fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)

    def wait(self, seconds: float) -> bool:
        """Sleep until the signal, at most `seconds`. True if the scheduler is to end."""
        import select

        readable, _, _ = select.select([self._fifo], [], [], max(seconds, 0.0))
        return bool(readable) and _REPLACE in os.read(self._fifo, 4096)

    def close(self) -> None:
        """Give the signal up."""
        os.close(self._fifo)
