"""The hook where there is no `posix`: Windows, where Codex runs `infinium-codex hook <Event>`.

It keeps the rules of `hook` (same spool, same record, same projects, nothing printed, always exit 0), and needs nothing
but `os`. Appending is not one step on Windows, so a file beside the spool, waited for briefly, lets one hook write at a
time. Tried on Linux alone: the worker it starts takes POSIX locks so far.
"""

import os
import sys
from time import sleep, time, time_ns

TRIGGERS = ("UserPromptSubmit", "Stop", "Interrupt", "SessionEnd", "SubagentStop")
MAX_EVENT_BYTES = 64 << 20
MAX_ERRORS_BYTES = 64 << 10
PRIME = 1_000_000_007
TURN_SECONDS = 2.0
"""A hook that holds its turn for longer was killed."""
_BINARY: int = getattr(os, "O_BINARY", 0)


def main(argv: list[str]) -> None:
    """Record the event named by `argv[1]` from stdin. Never raises, never prints, never returns."""
    try:
        _record(argv[1] if len(argv) > 1 else "", os.path.dirname(argv[0]))  # noqa: PTH120 - pathlib costs more than the whole hook, here and below
    except BaseException as error:
        _note(os.path.dirname(argv[0]), error)  # noqa: PTH120
    os._exit(0)


def _record(event: str, home: str) -> None:
    payload = _read_stdin()
    if not payload or not _wanted():
        return
    path = os.path.join(_spool_directory(), f"{_session_id(payload)}.spool")  # noqa: PTH118
    name = event.encode("ascii", "replace").replace(b" ", b"?")
    checksum = int.from_bytes(payload, "little") % PRIME
    head = b"\x1eI3 %s %d %d %d %d\n" % (name, time_ns(), os.getpid(), len(payload), checksum)
    _append(path, head + payload + b"\n")
    if event in TRIGGERS:
        _start_worker(home, path, event)


def _read_stdin() -> bytes:
    chunks = []
    size = 0
    while size < MAX_EVENT_BYTES and (chunk := os.read(0, 1 << 20)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _session_id(payload: bytes) -> str:
    start = payload.find(b'"session_id"')
    quoted = payload[start + 12 : start + 120].lstrip(b" \t\r\n:") if start >= 0 else b""
    name = quoted[1:].split(b'"', 1)[0] if quoted[:1] == b'"' else b""
    return name.decode("ascii") if 0 < len(name) <= 64 and name.replace(b"-", b"").isalnum() else "unidentified"


def _wanted() -> bool:
    """Whether the project is set up and not paused."""
    configured = bool(os.environ.get("INFINIUM_AGENT_ID") or os.environ.get("INFINIUM_BASE_URL"))
    try:
        directory = os.getcwd()  # noqa: PTH109
    except OSError:
        return True
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE") or ""
    followed = False
    while True:
        if directory != home.rstrip("/\\"):
            text = _small_file(os.path.join(directory, ".infinium", "config.json"))  # noqa: PTH118
            if text is not None:
                after = text.partition(b'"paused"')[2].lstrip()
                return not (after[:1] == b":" and after[1:].lstrip().startswith(b"true"))
        if not followed and (main := _main_checkout(directory)):
            followed, directory = True, main
            continue
        parent = os.path.dirname(directory)  # noqa: PTH120
        if parent == directory:
            return configured
        directory = parent


def _main_checkout(directory: str) -> str | None:
    """The checkout a linked worktree belongs to."""
    link = _small_file(os.path.join(directory, ".git"))  # noqa: PTH118
    if link is None or not link.startswith(b"gitdir:"):
        return None
    own = os.path.join(directory, os.fsdecode(link[7:].strip()))  # noqa: PTH118
    common = os.fsdecode((_small_file(os.path.join(own, "commondir")) or b"").strip())  # noqa: PTH118
    git = os.path.normpath(os.path.join(own, common))  # noqa: PTH118
    return os.path.dirname(git) if common and os.path.basename(git) == ".git" else None  # noqa: PTH119, PTH120


def _small_file(path: str) -> bytes | None:
    try:
        if os.lstat(path).st_mode & 0o170000 != 0o100000:
            return None
        fd = os.open(path, os.O_RDONLY | _BINARY)
    except OSError:
        return None
    try:
        return os.read(fd, 1 << 20)
    except OSError:
        return None
    finally:
        os.close(fd)


def _spool_directory() -> str:
    names = ("CONNECTOR_SESSION_DIR", "TMPDIR", "TEMP", "TMP")
    base = next(filter(None, map(os.environ.get, names)), None) or os.path.expanduser("~")  # noqa: PTH111
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    path = os.path.join(base, f"infinium-codex-{user}")  # noqa: PTH118
    os.makedirs(path, 0o700, exist_ok=True)  # noqa: PTH103
    if os.lstat(path).st_mode & 0o170000 != 0o040000:
        raise PermissionError(f"{path} is not a directory of this user's own")
    return path


def _append(path: str, record: bytes) -> None:
    busy = f"{path}.busy"
    _take_turn(busy)
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
            os.unlink(busy)  # noqa: PTH108
        except OSError:
            pass  # taken over, since this took so long


def _take_turn(busy: str) -> None:
    """Make the file `busy`. One that a killed hook has left is taken over."""
    patience = time() + TURN_SECONDS
    while True:
        try:
            os.close(os.open(busy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except (FileExistsError, PermissionError):  # Windows denies access to a file that is just being removed
            if time() > patience:
                return
            sleep(0.002)
        else:
            return


def _start_worker(home: str, spool: str, event: str) -> None:
    import subprocess

    flags: int = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    null = subprocess.DEVNULL
    arguments = [sys.executable, "-I", os.path.join(home, "worker.py"), spool, event]  # noqa: PTH118
    subprocess.Popen(arguments, stdin=null, stdout=null, stderr=null, creationflags=flags, start_new_session=True)


def _note(home: str, error: BaseException) -> None:
    try:
        path = os.path.join(home, "hook.errors")  # noqa: PTH118
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o600)
        if os.fstat(fd).st_size < MAX_ERRORS_BYTES:
            os.write(fd, f"{time_ns()} {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    except BaseException:
        return


if __name__ == "__main__":
    main(sys.argv)
