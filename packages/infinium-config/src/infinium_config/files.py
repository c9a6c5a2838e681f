"""Read and write small files safely: one guarded open and one atomic write.

A background worker imports this module at every prompt, so it imports only what an interpreter has already loaded.
"""

import io
import os
import stat
import sys

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

MAX_BYTES = 1 << 20
"""Largest size, in bytes, that `read_small_file` accepts by default."""
HELD_SECONDS = 2.0
"""How long a file is waited for that another Windows process, such as a virus scanner, holds open."""
_LONGEST_PLAIN_PATH = 247
"""Windows needs a prefix for a longer path: 260 less the zero and a name of 8.3 in a directory."""


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
    long = long_path(path)
    try:
        if sys.platform == "win32" and not stat.S_ISREG(os.stat(long, follow_symlinks=follow_links).st_mode):  # noqa: PTH116
            return None  # a link, or a directory, whose open fails as that of a file that is held does
        fd = while_held(lambda: os.open(long, flags))
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
    target = long_path(path)
    directory, name = os.path.split(target)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")  # noqa: PTH118
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    fd = os.open(temporary, flags, mode)
    try:
        with os.fdopen(fd, "wb") as file:
            if sys.platform != "win32":  # no file modes there; `mode` can only make a file read-only
                os.fchmod(fd, mode)
            file.write(content)
            file.flush()
            if durable:
                os.fsync(fd)
        replace_file(temporary, target)
    except BaseException:
        remove_file(temporary)
        raise


def replace_file(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Rename a file; one that exists at `target` is replaced. Raises OSError.

    On Windows this waits while another process holds one of the files open.
    """
    while_held(lambda: os.replace(long_path(source), long_path(target)))  # noqa: PTH105


def remove_file(path: str | os.PathLike[str], *, missing_ok: bool = False) -> None:
    """Remove a file. Raises OSError.

    On Windows this waits while another process holds the file open.
    """
    try:
        while_held(lambda: os.unlink(long_path(path)))  # noqa: PTH108
    except FileNotFoundError:
        if not missing_ok:
            raise


if sys.platform == "win32":

    def while_held(action: "Callable[[], T]") -> "T":
        """Call `action`; repeat it for `HELD_SECONDS` while Windows denies access, as to a file that is held open."""
        from time import monotonic, sleep

        deadline, pause = monotonic() + HELD_SECONDS, 0.002
        while True:
            try:
                return action()
            except PermissionError:
                if monotonic() >= deadline:
                    raise
            sleep(pause)
            pause = min(pause * 2, 0.1)

    def long_path(path: str | os.PathLike[str]) -> str:
        """The path in the form that Windows takes at any length."""
        plain = os.fspath(path)
        if len(plain) <= _LONGEST_PLAIN_PATH or plain.startswith("\\\\?\\"):
            return plain
        full = os.path.abspath(plain)  # noqa: PTH100
        return f"\\\\?\\UNC\\{full[2:]}" if full.startswith("\\\\") else f"\\\\?\\{full}"

else:

    def while_held(action: "Callable[[], T]") -> "T":
        """Call `action`. Only Windows denies access to a file because another process holds it open."""
        return action()

    def long_path(path: str | os.PathLike[str]) -> str:
        """The path itself. Only Windows has another form for long ones."""
        return os.fspath(path)
