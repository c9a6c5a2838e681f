"""A lock between processes: try it once, or wait for it a limited time.

The lock belongs to the process, not to the file's existence: it is released when its holder ends, even by a kill.
Lock files are not removed, because two processes could then each lock a different file of the same name. Only the
holder may remove one, and only where every process asks `HeldLock.is_at` after it got the lock.
A background worker imports this module at every prompt, so it imports almost nothing.
"""

import os
import sys
import time

from infinium_config.errors import LockTimeoutError
from infinium_config.files import long_path, while_held

_POLL_SECONDS = 0.02


class HeldLock:
    """A lock that this process holds. Leaving its `with` block, or calling `release`, releases it."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        """Release the lock. Further calls do nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def is_at(self, path: str | os.PathLike[str]) -> bool:
        """Whether the file that is locked still has this path. Ask where lock files are removed while they are held."""
        try:
            held, named = os.fstat(self._fd), os.stat(path)  # noqa: PTH116 - pathlib is not loaded at a prompt
        except OSError:
            return False
        return (held.st_ino, held.st_dev) == (named.st_ino, named.st_dev)

    def __enter__(self) -> "HeldLock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def try_lock(path: str | os.PathLike[str]) -> HeldLock | None:
    """Take the lock file at `path`, created if missing; None at once if another process holds it.

    Raises OSError if the file cannot be opened or its file system has no locks.
    """
    fd = _open(path)
    try:
        if _take(fd):
            return HeldLock(fd)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def wait_for_lock(path: str | os.PathLike[str], wait: float) -> HeldLock:
    """Take the lock file at `path`, created if missing, waiting at most `wait` seconds.

    Raises LockTimeoutError if another process still holds it then, and OSError if the file cannot be opened. On a
    file system without locks the result holds nothing: use this form for short changes that a person makes.
    """
    fd = _open(path)
    deadline = time.monotonic() + wait
    try:
        while not _take(fd):
            if time.monotonic() >= deadline:
                raise LockTimeoutError(
                    f"Another process has held {os.fspath(path)} for {wait:g} s. Wait for it or end it, then try again."
                )
            time.sleep(_POLL_SECONDS)
    except OSError:
        pass  # a file system without locks
    except BaseException:
        os.close(fd)
        raise
    return HeldLock(fd)


def _open(path: str | os.PathLike[str]) -> int:
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    return while_held(lambda: os.open(long_path(path), flags, 0o600))


if sys.platform == "win32":

    def _take(fd: int) -> bool:
        import errno
        import msvcrt

        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno == errno.EINVAL:  # a file system without locks
                raise
            return False  # with EACCES, but Wine sets no number
        return True

else:

    def _take(fd: int) -> bool:
        import fcntl

        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
