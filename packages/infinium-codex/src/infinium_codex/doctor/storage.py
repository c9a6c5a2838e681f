"""Where events and traces are kept: whether it is this user's own, and something can really be written there."""

import errno
import os
import stat
from pathlib import Path

from infinium_codex.doctor.checks import Check, ok, problem, warning
from infinium_codex.doctor.situation import Situation

BLOCK = bytes(1 << 16)
"""As much as a large event."""
_WAYS_OUT = {
    errno.ENOSPC: ("the disk is full", "Make room on it."),
    errno.EDQUOT: ("your quota is used up", "Make room."),
    errno.EROFS: ("it is on a read-only file system", "Mount it writable"),
    errno.EACCES: ("it is not yours to write in", "Check who owns it"),
    errno.EPERM: ("it is not yours to write in", "Check who owns it"),
    errno.ENOTDIR: ("something that is no directory is in its place", "Move that aside"),
}


def spool(s: Situation) -> Check:
    """The directory the hook appends to, by the hook's own rule: a directory of this user's, or nothing is written."""
    name, path = "spool", s.places.spool
    move = "or set CONNECTOR_SESSION_DIR"
    try:
        status = path.lstat()
    except OSError:
        status = None  # the hook makes it
    if status is not None and (not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid()):
        return problem(name, f"{path} is not a directory of your own, so no hook writes there", f"Remove it, {move}.")
    return _writable(name, path, move)


def outbox(s: Situation) -> Check:
    """The directory where traces wait."""
    return _writable("outbox", s.places.outbox, "or set XDG_STATE_HOME")


def ledger(s: Situation) -> Check:
    """The directory of what was sent and what went wrong."""
    return _writable("ledger", s.places.ledger, "or set XDG_STATE_HOME")


def private_directories(s: Situation) -> tuple[Path, ...]:
    """The directories that nobody else should look into."""
    return s.places.spool, s.places.state, s.places.outbox, s.places.ledger


def is_open_to_others(path: Path) -> bool:
    """Whether others may look into a directory of ours."""
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _writable(name: str, path: Path, move: str) -> Check:
    error = _try(path)
    if error is not None:
        what, fix = _WAYS_OUT.get(error.errno or 0, (error.strerror or str(error), "Check the disk"))
        return problem(name, f"{path} cannot be written: {what}", f"{fix.rstrip('.')}, {move}.")
    if is_open_to_others(path):
        return warning(name, f"{path} can be written, and others may look into it", "infinium-codex doctor --fix")
    return ok(name, f"{path} can be written" if path.exists() else f"{path} can be made when it is needed")


def _try(directory: Path) -> OSError | None:
    """Write a file and remove it: in the directory, or where it would be made."""
    while not os.path.lexists(directory):
        directory = directory.parent
    path = directory / f".doctor.{os.getpid()}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        return error
    try:
        written = os.write(fd, BLOCK)
        os.fsync(fd)
        if written != len(BLOCK):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        return error
    finally:
        os.close(fd)
        path.unlink()
    return None
