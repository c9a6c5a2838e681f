"""Files only their owner can read, written so that a crash leaves the old state or the new one."""

import fcntl
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


def make_private_directory(directory: Path) -> None:
    """Create a directory and its missing parents, 0700 whatever the umask; narrow an existing one to that."""
    missing = []
    here = directory
    while not here.exists():
        missing.append(here)
        here = here.parent
    for each in reversed(missing):
        with suppress(FileExistsError):  # another process may be doing the same
            each.mkdir(DIRECTORY_MODE)
        each.chmod(DIRECTORY_MODE)
    if stat.S_IMODE(directory.stat().st_mode) != DIRECTORY_MODE:
        directory.chmod(DIRECTORY_MODE)


def write_aside(path: Path, data: bytes, *, durable: bool) -> Path:
    """Write data next to where it belongs, under a name of its own; the caller links or renames it into place."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}{TEMPORARY}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
        try:
            os.fchmod(descriptor, FILE_MODE)
            write_all(descriptor, data)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    return aside


def replace(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put data in place of a file's, in one step."""
    aside = write_aside(path, data, durable=durable)
    try:
        aside.rename(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a full disk may take a part, and say so only at the next attempt."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def append_line(path: Path, line: bytes) -> None:
    """Append a line in one write, so that writers at work at the same time do not mix.

    Behind a line that a crash left without its end, the new one begins on its own.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)
    try:
        status = os.fstat(descriptor)
        if stat.S_IMODE(status.st_mode) != FILE_MODE:
            os.fchmod(descriptor, FILE_MODE)
        torn = status.st_size > 0 and os.pread(descriptor, 1, status.st_size - 1) != b"\n"
        write_all(descriptor, b"\n" * torn + line + b"\n")
    finally:
        os.close(descriptor)


def read_regular(path: Path | str) -> bytes:
    """Read a file, provided it is one: no link is followed, no FIFO waited on.

    Raises OSError; for anything that is not a regular file with errno 0.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotAFileError(0, "not a regular file", str(path))
        parts = [os.read(descriptor, status.st_size + 1)]  # one more than there is: then its end is seen at once
        while parts[-1] and len(parts[-1]) != status.st_size:
            parts.append(os.read(descriptor, 1 << 20))
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        os.close(descriptor)


class NotAFileError(OSError):
    """Something that is no regular file stands where one belongs."""


def sync(path: Path) -> None:
    """Have a file's bytes on disk; nothing to do where there is no such file."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Have a directory's entries on disk."""
    sync(directory)


def open_lock(path: Path) -> int:
    """Open a lock file; closing the descriptor, or the death of its owner, frees the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE)


def lock(descriptor: int) -> bool:
    """Take the lock without waiting; False when another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def set_time(path: Path, when: float) -> None:
    """Give a file a modification time, in seconds since the epoch; a time no file can have is brought in range."""
    nanoseconds = int(min(max(when, 0.0), 2.0**33) * 1e9) if when == when else 0
    os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


def entries(directory: Path) -> list[os.DirEntry[str]]:
    """What a directory holds; nothing, where there is no such directory."""
    try:
        with os.scandir(directory) as found:
            return list(found)
    except FileNotFoundError:
        return []


def remove(paths: list[Path], *, dry_run: bool) -> list[Path]:
    """Remove files, or with `dry_run` only give them."""
    for path in () if dry_run else paths:
        path.unlink(missing_ok=True)
    return paths


@contextmanager
def storing(action: str, path: Path | str) -> Iterator[None]:
    """Turn what the operating system objects to into a StorageError that says what was tried, and where."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(
            f"Could not {action} {path}: {reason}. Check that the directory is yours and the disk is not full."
        ) from error
