"""Files that only their owner can read, written so that a crash leaves either the old state or the new one.

On Windows, where modes mean nothing, the files are as private as the user's profile directory. There a file that
another process holds open can be neither replaced nor removed: these functions then try again for a while.
"""

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final, TypeVar

from infinium_transport.errors import StorageError

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
TEMPORARY: Final = ".tmp"
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Larger files are not read: nothing this package writes becomes as large."""
HELD_SECONDS: Final = 2.0
"""How long a file is waited for that another Windows process, such as a virus scanner, holds open."""
_GUARDS: Final[int] = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT"))
_LONGEST_PLAIN_PATH: Final = 247
"""Windows needs a prefix for a longer path: 260 less the zero and a name of 8.3 in a directory."""

T = TypeVar("T")


class NotAFileError(OSError):
    """The path is not a regular file of bounded size."""


def make_private_directory(directory: Path) -> None:
    """Create a directory and its missing parents with mode 0700 whatever the umask; set that on an existing one."""
    missing = []
    ancestor = directory
    while not ancestor.exists():
        missing.append(ancestor)
        ancestor = ancestor.parent
    for path in reversed(missing):
        with suppress(FileExistsError):  # another process may be doing the same
            path.mkdir(DIRECTORY_MODE)
        path.chmod(DIRECTORY_MODE)
    if stat.S_IMODE(directory.stat().st_mode) != DIRECTORY_MODE:
        directory.chmod(DIRECTORY_MODE)


def read_file(path: Path | str, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """Read a regular file. It follows no link and does not wait for a FIFO.

    Raises OSError; NotAFileError when the path is something else or larger than `max_bytes`.
    """
    if sys.platform == "win32" and not stat.S_ISREG(os.lstat(_long(path)).st_mode):
        raise NotAFileError(0, "not a regular file", str(path))  # its open would be denied, as that of a held file is
    descriptor = open_guarded(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFileError(0, "not a regular file", str(path))
        if status.st_size > max_bytes:
            raise NotAFileError(0, f"larger than {max_bytes:,} bytes", str(path))
        parts = [os.read(descriptor, status.st_size + 1)]  # one byte more, so that one call sees the end
        while parts[-1] and len(parts[-1]) != status.st_size:
            parts.append(os.read(descriptor, 1 << 20))
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(descriptor)


def write_temporary(path: Path, data: bytes, *, durable: bool, modified: float | None = None) -> Path:
    """Write a temporary file beside `path`, for the caller to link or rename to it.

    `durable` waits until the data is on disk; `modified` is the file's time, in seconds since the epoch.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}{TEMPORARY}")
    try:
        descriptor = open_guarded(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            _set_mode(descriptor)
            _write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if modified is not None:
            set_time(temporary, modified)
    except OSError:
        remove_file(temporary)
        raise
    return temporary


def write_file(path: Path, data: bytes, *, durable: bool = False, modified: float | None = None) -> None:
    """Create or replace a file in one step; see `write_temporary`."""
    temporary = write_temporary(path, data, durable=durable, modified=modified)
    try:
        move(temporary, path)
    except OSError:
        remove_file(temporary)
        raise
    if durable:
        sync(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Append a line in one write, so that the lines of concurrent writers do not mix.

    After a line without its end, as a crash leaves it, the new one starts on a line of its own.
    """
    descriptor = open_guarded(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    try:
        with _only_appender(descriptor):
            status = os.fstat(descriptor)
            if stat.S_IMODE(status.st_mode) != FILE_MODE:
                _set_mode(descriptor)
            torn = False
            if status.st_size > 0:
                os.lseek(descriptor, status.st_size - 1, os.SEEK_SET)
                torn = os.read(descriptor, 1) != b"\n"
            _write_all(descriptor, b"\n" * torn + line + b"\n")
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Wait until a file's data, or a directory's entries, are on disk. A missing file is no error."""
    if sys.platform == "win32" and path.is_dir():
        return  # Windows opens no directory; it keeps the order of its entries itself
    with suppress(FileNotFoundError):
        descriptor = open_guarded(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def set_time(path: Path, when: float) -> None:
    """Set a file's modification time, in seconds since the epoch; a time out of a file system's range is clipped."""
    nanoseconds = int(min(max(when, 0.0), 2.0**33) * 1e9) if when == when else 0  # NaN differs from itself
    os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=os.utime not in os.supports_follow_symlinks)


def move(source: Path | str, target: Path | str) -> None:
    """Rename a file; one that exists at `target` is replaced. Raises OSError."""
    _while_held(lambda: os.replace(_long(source), _long(target)))  # noqa: PTH105


def remove_file(path: Path | str) -> None:
    """Remove a file. A missing one is no error. Raises OSError."""
    with suppress(FileNotFoundError):
        _while_held(lambda: os.unlink(_long(path)))  # noqa: PTH108


def open_guarded(path: Path | str, flags: int) -> int:
    """Open a file for this process alone, following no link; return the descriptor. Raises OSError."""
    return _while_held(lambda: os.open(_long(path), flags | _GUARDS, FILE_MODE))


def entries(directory: Path) -> list[os.DirEntry[str]]:
    """A directory's entries; none when it does not exist."""
    try:
        with os.scandir(directory) as found:
            return list(found)
    except FileNotFoundError:
        return []


def remove(paths: list[Path], *, dry_run: bool) -> list[Path]:
    """Remove files, unless `dry_run`; return them."""
    for path in () if dry_run else paths:
        remove_file(path)
    return paths


class storing:  # noqa: N801 - used like a function
    """Turns an OSError of the block into a StorageError that says what failed, where, and what to check.

    A class, because a generator as context manager takes as long as a read of a small file.
    """

    __slots__ = ("_action", "_path")

    def __init__(self, action: str, path: Path | str) -> None:
        self._action, self._path = action, path

    def __enter__(self) -> None: ...

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, OSError):
            reason = error.strerror or str(error)
            raise StorageError(
                f"Could not {self._action} {self._path}: {reason}. "
                "Check that you own the directory and that the disk is not full."
            ) from error


def _write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: a disk that becomes full may accept a part and report the error only at the next write."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if sys.platform == "win32":
    import msvcrt

    def lock_byte(descriptor: int) -> bool:
        """Lock the byte at the descriptor's position; False if another process has. Raises OSError without locks."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno == errno.EINVAL:  # a file system without locks
                raise
            return False  # with EACCES, but Wine sets no number
        return True

    _LAST_BYTE: Final = 0x7FFF_FFFE
    """The byte that an appending process locks: no file that is appended to has it."""

    @contextmanager
    def _only_appender(descriptor: int) -> Iterator[None]:
        """Let one process at a time append: Windows seeks to the end and writes in two steps."""

        def lock() -> None:
            os.lseek(descriptor, _LAST_BYTE, os.SEEK_SET)
            if not lock_byte(descriptor):
                raise PermissionError(errno.EACCES, "another process appends to the file")

        _while_held(lock)
        try:
            yield
        finally:
            os.lseek(descriptor, _LAST_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

    def _set_mode(descriptor: int) -> None:
        """Do nothing: Windows has no modes."""

    def _while_held(action: Callable[[], T]) -> T:
        """Call `action`; repeat it for `HELD_SECONDS` while access is denied, as to a file that is held open."""
        deadline, pause = time.monotonic() + HELD_SECONDS, 0.002
        while True:
            try:
                return action()
            except PermissionError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    def _long(path: Path | str) -> str:
        """The path in the form that Windows takes at any length."""
        plain = str(path)
        if len(plain) <= _LONGEST_PLAIN_PATH or plain.startswith("\\\\?\\"):
            return plain
        full = os.path.abspath(plain)  # noqa: PTH100
        return f"\\\\?\\UNC\\{full[2:]}" if full.startswith("\\\\") else f"\\\\?\\{full}"

else:
    _NO_LOCK: Final = nullcontext()

    def _only_appender(_descriptor: int) -> AbstractContextManager[None]:
        """Do nothing: POSIX appends in one step."""
        return _NO_LOCK

    def _set_mode(descriptor: int) -> None:
        """Set the mode whatever the umask."""
        os.fchmod(descriptor, FILE_MODE)

    def _while_held(action: Callable[[], T]) -> T:
        """Call `action`. Only Windows denies access to a file because another process holds it open."""
        return action()

    def _long(path: Path | str) -> str:
        """The path itself. Only Windows has another form for long ones."""
        return os.fspath(path)
