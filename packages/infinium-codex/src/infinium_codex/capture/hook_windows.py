"""The hook for systems without the module `posix`: Windows.

It follows the rules of `hook` and runs the same tests: same spool, same record, same projects, prints nothing, always
exits 0. It needs only `os`. On Windows an append is not atomic, so hooks write one at a time: each first creates a lock
file beside the spool. Tested on Linux only: the worker takes POSIX locks.
"""

import os
import sys
from time import sleep, time, time_ns

MAX_EVENT_BYTES = 64 << 20
MAX_FILE_BYTES = 1 << 20
MAX_ERRORS_BYTES = 64 << 10
PRIME = 1_000_000_007
LOCK_SECONDS = 2.0
"""A hook that holds the lock file for longer was killed."""
_BINARY: int = getattr(os, "O_BINARY", 0)


def main(argv: list[str], triggers: tuple[str, ...], session_field: bytes) -> None:
    """Record the event named by `argv[1]`, read from stdin. Never raises, prints or returns."""
    home = os.path.dirname(argv[0])  # noqa: PTH120 - pathlib costs more than the whole hook, here and below
    try:
        _record(argv[1] if len(argv) > 1 else "", home, triggers, session_field)
    except BaseException as error:
        _log_error(home, error)
    os._exit(0)


def _record(event: str, home: str, triggers: tuple[str, ...], session_field: bytes) -> None:
    payload = _read_stdin()
    if not payload or not _is_recording():
        return
    path = os.path.join(_spool_directory(), f"{_session_id(payload, session_field)}.spool")  # noqa: PTH118
    name = event.encode("ascii", "replace").replace(b" ", b"?")
    checksum = int.from_bytes(payload, "little") % PRIME
    head = b"\x1eI3 %s %d %d %d %d\n" % (name, time_ns(), os.getpid(), len(payload), checksum)
    _append(path, head + payload + b"\n")
    if event in triggers:
        _start_worker(home, path, event)


def _read_stdin() -> bytes:
    chunks = []
    size = 0
    while size < MAX_EVENT_BYTES and (chunk := os.read(0, 1 << 20)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _session_id(payload: bytes, field: bytes) -> str:
    start = payload.find(field)
    end = start + len(field)
    quoted = payload[end : end + 108].lstrip(b" \t\r\n:") if start >= 0 else b""
    name = quoted[1:].split(b'"', 1)[0] if quoted[:1] == b'"' else b""
    return name.decode("ascii") if 0 < len(name) <= 64 and name.replace(b"-", b"").isalnum() else "unidentified"


def _is_recording() -> bool:
    """Whether tracing is set up here and not paused."""
    try:
        directory = os.getcwd()  # noqa: PTH109
    except OSError:
        return True
    config = _project_config(directory)
    if config is None:
        return bool(os.environ.get("INFINIUM_AGENT_ID") or os.environ.get("INFINIUM_BASE_URL"))
    return not _is_paused(config)


def _project_config(directory: str) -> bytes | None:
    """The nearest project file at or above a directory; from a linked worktree, in its main checkout too."""
    in_main_checkout = False
    while True:
        config = _read_small_file(os.path.join(directory, ".infinium", "config.json"))  # noqa: PTH118
        if config is not None and not _is_home(directory):
            return config
        parent = os.path.dirname(directory)  # noqa: PTH120
        if not in_main_checkout and (main_checkout := _main_checkout(directory)):
            in_main_checkout = True
            directory = main_checkout
        elif parent != directory:
            directory = parent
        else:
            return None


def _is_home(directory: str) -> bool:
    try:
        home = os.environ.get("HOME") or os.environ.get("USERPROFILE") or ""
        return os.path.samefile(directory, home)  # noqa: PTH121
    except OSError:
        return False


def _main_checkout(directory: str) -> str | None:
    """The main checkout of the linked worktree at `directory`; None if it is not one."""
    link = _read_small_file(os.path.join(directory, ".git"))  # noqa: PTH118
    if link is None or not link.startswith(b"gitdir:"):
        return None
    git_dir = os.path.join(directory, os.fsdecode(link[7:].strip()))  # noqa: PTH118
    common = os.fsdecode((_read_small_file(os.path.join(git_dir, "commondir")) or b"").strip())  # noqa: PTH118
    shared = os.path.normpath(os.path.join(git_dir, common))  # noqa: PTH118
    return os.path.dirname(shared) if common and os.path.basename(shared) == ".git" else None  # noqa: PTH119, PTH120


def _read_small_file(path: str) -> bytes | None:
    """The content of a regular file of at most 1 MiB; None for anything else, such as a link."""
    try:
        status = os.lstat(path)
        if status.st_mode & 0o170000 != 0o100000 or status.st_size > MAX_FILE_BYTES:
            return None
        fd = os.open(path, os.O_RDONLY | _BINARY)
    except (OSError, ValueError):
        return None
    try:
        return os.read(fd, MAX_FILE_BYTES)
    except OSError:
        return None
    finally:
        os.close(fd)


def _is_paused(config: bytes) -> bool:
    after = config.partition(b'"paused"')[2].lstrip()
    return after[:1] == b":" and after[1:].lstrip().startswith(b"true")


def _spool_directory() -> str:
    names = ("CONNECTOR_SESSION_DIR", "TMPDIR", "TEMP", "TMP")
    base = next(filter(None, map(os.environ.get, names)), None) or os.path.expanduser("~")  # noqa: PTH111
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    path = os.path.join(base, f"infinium-codex-{user}")  # noqa: PTH118
    os.makedirs(path, 0o700, exist_ok=True)  # noqa: PTH103
    if os.lstat(path).st_mode & 0o170000 != 0o040000:
        raise PermissionError(f"{path} is not a directory that this user owns")
    return path


def _append(path: str, record: bytes) -> None:
    """Append a record while no other hook writes to the spool."""
    lock = f"{path}.busy"
    _create_lock(lock)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | _BINARY, 0o600)
        try:
            os.lseek(fd, 0, os.SEEK_END)
            written = os.write(fd, record)
            if written != len(record):
                raise OSError(f"only {written} of {len(record)} bytes of an event could be written to {path}")
        finally:
            os.close(fd)
    finally:
        try:
            os.unlink(lock)  # noqa: PTH108
        except OSError:
            pass  # another hook took it over, as this one was slow


def _create_lock(lock: str) -> None:
    """Create the lock file, waiting while another hook has it. One that a killed hook left is taken over."""
    deadline = time() + LOCK_SECONDS
    while True:
        try:
            os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except (FileExistsError, PermissionError):  # Windows denies access to a file that is being removed
            if time() > deadline:
                return
            sleep(0.002)
        else:
            return


def _start_worker(home: str, spool: str, event: str) -> None:
    """Start the worker, detached and without a descriptor of this process."""
    import subprocess

    flags: int = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    null = subprocess.DEVNULL
    arguments = [sys.executable, "-I", os.path.join(home, "worker.py"), spool, event]  # noqa: PTH118
    subprocess.Popen(arguments, stdin=null, stdout=null, stderr=null, creationflags=flags, start_new_session=True)


def _log_error(home: str, error: BaseException) -> None:
    """Append the error to `hook.errors`. Does nothing if that fails."""
    try:
        path = os.path.join(home, "hook.errors")  # noqa: PTH118
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
        if os.fstat(fd).st_size < MAX_ERRORS_BYTES:
            os.write(fd, f"{time_ns()} {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    except BaseException:
        return
