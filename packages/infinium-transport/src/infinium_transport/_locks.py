"""A lock between the processes of one user, held as long as a file is open."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infinium_transport import _files


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Lock the file at `path` for the block; yields False at once when another process has the lock.

    The operating system frees the lock when its process dies. Raises StorageError when the file cannot be opened.
    """
    with _files.storing("lock", path):
        descriptor = _files.open_guarded(path, os.O_RDWR | os.O_CREAT)
    try:
        yield _take(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":

    def _take(descriptor: int) -> bool:
        return _files.lock_byte(descriptor)

else:

    def _take(descriptor: int) -> bool:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
