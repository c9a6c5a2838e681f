"""Checks of the directories for events and traces: whether they belong to this user and can be written."""

import errno
import os
import stat
import sys
from pathlib import Path

from infinium_config import Settings

from infinium_codex.console.formatting import plural
from infinium_codex.doctor.checks import FIX, Check, ok, problem, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.session.elsewhere import sessions_elsewhere

TEST_BYTES = bytes(1 << 16)
"""The size of a large event."""
_CAUSES = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("your disk quota is used up", "Free some space"),
    errno.EROFS: ("it is on a read-only file system", "Mount it writable"),
    errno.EACCES: ("you have no permission", "Check its owner"),
    errno.EPERM: ("you have no permission", "Check its owner"),
    errno.ENOTDIR: ("a file is in the place of a directory", "Move the file aside"),
}
"""Cause and fix by the error of the test write."""
MOVE_SPOOL = "set CONNECTOR_SESSION_DIR"
MOVE_STATE = "set XDG_STATE_HOME"


def spool(context: CheckContext) -> Check:
    """Check the directory the hook appends to. The hook writes only to a directory of this user."""
    name, path = "spool", context.places.spool
    try:
        status = path.lstat()
    except OSError:
        status = None  # the hook creates it
    is_foreign = status is not None and sys.platform != "win32" and status.st_uid != os.getuid()
    if status is not None and (not stat.S_ISDIR(status.st_mode) or is_foreign):
        evidence = f"{path} is not a directory of this user, so the hook does not write there."
        return problem(name, evidence, f"Remove it, or {MOVE_SPOOL}.")
    return _writable(name, path, MOVE_SPOOL)


def earlier_spools(context: CheckContext) -> Check:
    """Check for events in directories that the hook used earlier: no new event leads a worker to them."""
    name = "earlier spools"
    settings = context.settings or Settings()  # the defaults, where the project file cannot be read
    left = sessions_elsewhere(context.places, settings.session_ttl.value)
    if not left:
        return ok(name, "No events are left in a directory that was used earlier.")
    directories = ", ".join(sorted({str(files.directory) for files in left}))
    evidence = f"{plural(len(left), 'session')} with events that are not traced in {directories}."
    return warning(
        name, evidence, "Run 'infinium-codex flush'. CONNECTOR_SESSION_DIR or TMPDIR had another value then."
    )


def outbox(context: CheckContext) -> Check:
    """Check the directory of queued traces."""
    return _writable("outbox", context.places.outbox, MOVE_STATE)


def ledger(context: CheckContext) -> Check:
    """Check the directory of history and errors."""
    return _writable("ledger", context.places.ledger, MOVE_STATE)


def private_directories(context: CheckContext) -> tuple[Path, ...]:
    """The directories that only this user may read."""
    return context.places.spool, context.places.state, context.places.outbox, context.places.ledger


def is_readable_by_others(path: Path) -> bool:
    """Whether other users have any access to a directory. On Windows the user's profile directory prevents that."""
    if sys.platform == "win32":
        return False
    try:
        return bool(path.stat().st_mode & 0o077)
    except OSError:
        return False


def _writable(name: str, path: Path, alternative: str) -> Check:
    error = _test_write(path)
    if error is not None:
        cause, fix = _CAUSES.get(error.errno or 0, (error.strerror or str(error), "Check the disk"))
        return problem(name, f"Cannot write {path}: {cause}.", f"{fix}, or {alternative}.")
    if is_readable_by_others(path):
        return warning(name, f"{path} is writable, but other users can read it.", FIX)
    return ok(name, f"{path} is writable." if path.exists() else f"{path} can be created when needed.")


def _test_write(directory: Path) -> OSError | None:
    """Write and remove a file: in the directory, or in the nearest existing parent."""
    while not os.path.lexists(directory):
        directory = directory.parent
    path = directory / f".doctor.{os.getpid()}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        return error
    try:
        written = os.write(fd, TEST_BYTES)
        os.fsync(fd)
        if written != len(TEST_BYTES):
            return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        return error
    finally:
        os.close(fd)
        path.unlink()
    return None
