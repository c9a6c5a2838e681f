"""Files that only their owner can read, written so that a crash leaves either the old state or the new one."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from infinium_transport.errors import StorageError

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
TEMPORARY: Final = ".tmp"
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""Larger files are not read: nothing this package writes becomes as large."""


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
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
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
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            os.fchmod(descriptor, FILE_MODE)
            _write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if modified is not None:
            set_time(temporary, modified)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def write_file(path: Path, data: bytes, *, durable: bool = False, modified: float | None = None) -> None:
    """Create or replace a file in one step; see `write_temporary`."""
    temporary = write_temporary(path, data, durable=durable, modified=modified)
    try:
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync(path.parent)


def append_line(path: Path, line: bytes) -> None:
    """Append a line in one write, so that the lines of concurrent writers do not mix.

    After a line without its end, as a crash leaves it, the new one starts on a line of its own.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        status = os.fstat(descriptor)
        if stat.S_IMODE(status.st_mode) != FILE_MODE:
            os.fchmod(descriptor, FILE_MODE)
        torn = status.st_size > 0 and os.pread(descriptor, 1, status.st_size - 1) != b"\n"
        _write_all(descriptor, b"\n" * torn + line + b"\n")
    finally:
        os.close(descriptor)


def sync(path: Path) -> None:
    """Wait until a file's data, or a directory's entries, are on disk. A missing file is no error."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def set_time(path: Path, when: float) -> None:
    """Set a file's modification time, in seconds since the epoch; a time out of a file system's range is clipped."""
    nanoseconds = int(min(max(when, 0.0), 2.0**33) * 1e9) if when == when else 0  # NaN differs from itself
    os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


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
        path.unlink(missing_ok=True)
    return paths


@contextmanager
def storing(action: str, path: Path | str) -> Iterator[None]:
    """Turn an OSError into a StorageError that says what failed, where, and what to check."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"Could not {action} {path}: {reason}. Check that you own the directory and that the disk is not full."
        ) from error


def _write_all(descriptor: int, data: bytes) -> None:
    """Write every byte: a disk that becomes full may accept a part and report the error only at the next write."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
