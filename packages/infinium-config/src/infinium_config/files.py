"""Read and write small files safely: one guarded open and one atomic write.

A background worker imports this module at every prompt, so it imports only what an interpreter has already loaded.
"""

import io
import os
import stat

MAX_BYTES = 1 << 20
"""Largest size, in bytes, that `read_small_file` accepts by default."""


def open_regular(
    path: str | os.PathLike[str], *, follow_links: bool = False, only_own: bool = False
) -> io.BufferedReader | None:
    """Open a regular file for reading; None if there is none or it is something else.

    The open never blocks: a FIFO or a device is refused. By default a link in the last part of the path is refused
    as well; pass `follow_links` for a file that its owner may have replaced by a link. `only_own` refuses files of
    other users (Windows has no such check).
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow_links:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        fd = os.open(path, flags)
    except (OSError, ValueError):  # ValueError: a path that contains a zero byte
        return None
    status = os.fstat(fd)
    foreign = only_own and hasattr(os, "getuid") and status.st_uid != os.getuid()
    if foreign or not stat.S_ISREG(status.st_mode):
        os.close(fd)
        return None
    return os.fdopen(fd, "rb")


def read_small_file(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, follow_links: bool = False
) -> bytes | None:
    """Read a regular file of at most `max_bytes`; None if it is missing, larger, unreadable or not a regular file."""
    file = open_regular(path, follow_links=follow_links)
    if file is None:
        return None
    with file:
        try:
            content = file.read(max_bytes + 1)
        except OSError:
            return None
    return content if len(content) <= max_bytes else None


def read_tail(path: str | os.PathLike[str], max_bytes: int, *, follow_links: bool = False) -> bytes:
    """Read the last `max_bytes` of a regular file; empty if it is missing, unreadable or not a regular file."""
    file = open_regular(path, follow_links=follow_links)
    if file is None:
        return b""
    with file:
        try:
            file.seek(max(os.fstat(file.fileno()).st_size - max_bytes, 0))
            return file.read(max_bytes)
        except OSError:
            return b""


def write_atomically(path: str | os.PathLike[str], content: bytes, *, mode: int = 0o600, durable: bool = True) -> None:
    """Replace the content of a file in one step: readers see the old content or the new, never a part.

    The bytes go to a temporary file in the same directory, which is then renamed. The file gets `mode` whatever the
    umask. A link at `path` is replaced, not followed. With `durable` the bytes are on disk before the rename, so that
    a power failure cannot leave an empty file. Raises OSError; the temporary file is then removed.
    """
    directory, name = os.path.split(os.fspath(path))
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")  # noqa: PTH118
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    fd = os.open(temporary, flags, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(fd, mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(fd)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise
