"""A lock that processes of one user wait for, a bounded time, while they change a file they share."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infinium_config.errors import InfiniumConfigError

_POLL_SECONDS = 0.02


@contextmanager
def file_lock(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock file at `path` for the block. It stays: were it removed, two could hold it.

    Raises InfiniumConfigError when another process keeps it for longer than `patience` seconds. On a file system
    without locks the block runs unlocked: a user who sets up one project at a time loses nothing by that.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        deadline = time.monotonic() + patience
        while not _take(fd):
            if time.monotonic() >= deadline:
                raise InfiniumConfigError(
                    f"{path} has been held by another process for {patience:g} s. Let it finish or end it; try again."
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(fd)  # which gives the lock back, as the death of this process would


if sys.platform == "win32":

    def _take(fd: int) -> bool:
        import errno
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EDEADLK)
        return True

else:

    def _take(fd: int) -> bool:
        import fcntl

        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks
        return True
