"""A lock between the processes of one user, held as long as a file is open."""

import fcntl
import os
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
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _files.FILE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held = False
        else:
            held = True
        yield held
    finally:
        os.close(descriptor)
