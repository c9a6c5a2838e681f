"""The hook Codex runs on every lifecycle event: append it to the spool, start the worker when a turn begins or ends.

Codex waits for this program, so it is alone: it runs as `python -I -S hook.pyc <Event>` from a copy in the user's data
directory, imports what is built into the interpreter, parses no JSON, prints nothing and always exits 0. It shares
three rules with the rest of the connector, each held by a test: the spool's directory (`paths.spool_directory`), the
record's frame (`spool.read_records`) and where a project's file is found (`infinium_config.find_project`).
"""

import posix
import sys
from time import time_ns

TRIGGERS = ("UserPromptSubmit", "Stop", "Interrupt", "SessionEnd", "SubagentStop")
"""Events after which there may be a trace to build; and the prompt, so that a timer stands behind every turn."""
MAX_EVENT_BYTES = 64 << 20
"""A larger event is cut here; its record then says so by not being JSON, and the transcript tells the story."""
MAX_ERRORS_BYTES = 64 << 10
PRIME = 1_000_000_007
"""What a payload leaves when it is divided by this is its checksum: in many Pythons a CRC is a file to be loaded."""


def main(argv: list[str]) -> None:
    """Record the event named by `argv[1]` from stdin. Never raises, never prints, never returns."""
    try:
        _record(argv[1] if len(argv) > 1 else "", _home(argv[0]))
    except BaseException as error:
        _note(_home(argv[0]), error)
    posix._exit(0)  # noqa: SLF001 - its public name, in os, is 1.7 ms away


def _record(event: str, home: str) -> None:
    payload = _read_stdin()
    if not payload or not _wanted():
        return
    path = f"{_spool_directory()}/{_session_id(payload)}.spool"
    frame = b"\x1eI3 %s %d %d %d %d\n" % (
        event.encode("ascii", "replace").replace(b" ", b"?"),
        time_ns(),
        posix.getpid(),
        len(payload),
        int.from_bytes(payload, "little") % PRIME,
    )
    _append(path, frame + payload + b"\n")
    if event in TRIGGERS:
        _start_worker(home, path, event)


def _read_stdin() -> bytes:
    chunks = []
    size = 0
    while size < MAX_EVENT_BYTES and (chunk := posix.read(0, 1 << 20)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _session_id(payload: bytes) -> str:
    """The session's id as Codex writes it, first in the object; never anything that could be a path."""
    start = payload.find(b'"session_id"')
    quoted = payload[start + 12 : start + 120].lstrip(b" \t\r\n:") if start >= 0 else b""
    name = quoted[1:].split(b'"', 1)[0] if quoted[:1] == b'"' else b""
    if 0 < len(name) <= 64 and name.replace(b"-", b"").isalnum():
        return name.decode("ascii")
    return "unidentified"


def _wanted() -> bool:
    """Whether the project is set up and not paused. Paused means nothing is recorded at all."""
    environ = posix.environ
    configured = bool(environ.get(b"INFINIUM_AGENT_ID") or environ.get(b"INFINIUM_BASE_URL"))
    try:
        directory = posix.getcwd()
    except OSError:
        return True
    home = environ.get(b"HOME", b"").decode("utf-8", "surrogateescape").rstrip("/")
    followed = False
    while True:
        base = directory.rstrip("/")
        if directory != home:
            text = _small_file(f"{base}/.infinium/config.json")
            if text is not None:
                return not _says_paused(text)
        if not followed and (main := _main_checkout(base)):
            followed = True
            directory = main
            continue
        if not base:
            return configured
        directory = base.rpartition("/")[0] or "/"


def _main_checkout(base: str) -> str | None:
    """For a linked worktree (`.git` is a file) the checkout it belongs to, whose hooks Codex reads."""
    link = _small_file(f"{base}/.git")
    if link is None or not link.startswith(b"gitdir:"):
        return None
    gitdir = link[7:].strip().decode("utf-8", "surrogateescape")
    gitdir = gitdir if gitdir.startswith("/") else f"{base}/{gitdir}"
    common = (_small_file(f"{gitdir}/commondir") or b"").strip().decode("utf-8", "surrogateescape")
    if not common:
        return None
    parts: list[str] = []
    for part in (common if common.startswith("/") else f"{gitdir}/{common}").split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts[:-1]) if parts and parts[-1] == ".git" else None


def _small_file(path: str) -> bytes | None:
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        return posix.read(fd, 1 << 20) if posix.fstat(fd).st_mode & 0o170000 == 0o100000 else None
    except OSError:
        return None
    finally:
        posix.close(fd)


def _says_paused(text: bytes) -> bool:
    after = text.partition(b'"paused"')[2].lstrip()
    return after[:1] == b":" and after[1:].lstrip().startswith(b"true")


def _spool_directory() -> str:
    environ = posix.environ
    base = environ.get(b"CONNECTOR_SESSION_DIR") or environ.get(b"TMPDIR") or b"/tmp"
    path = f"{base.decode('utf-8', 'surrogateescape').rstrip('/')}/infinium-codex-{posix.getuid()}"
    try:
        posix.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:  # a CONNECTOR_SESSION_DIR nobody has made yet
        _make_directories(path)
    found = posix.lstat(path)
    if found.st_mode & 0o170000 != 0o040000 or found.st_uid != posix.getuid():
        raise PermissionError(f"{path} is not a directory of this user's own")
    if found.st_mode & 0o777 != 0o700:
        posix.chmod(path, 0o700)
    return path


def _make_directories(path: str) -> None:
    made = ""
    for part in path.split("/")[1:]:
        made += f"/{part}"
        try:
            posix.mkdir(made, 0o700)
        except FileExistsError:
            continue


def _append(path: str, record: bytes) -> None:
    """Add one record in one write. Into a spool that lost its name to the worker meanwhile it does not count."""
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    for _ in range(3):
        fd = posix.open(path, flags, 0o600)
        try:
            written = posix.write(fd, record)
            if written != len(record):
                raise OSError(f"only {written} of {len(record)} bytes of an event could be written to {path}")
            mine, named = posix.fstat(fd), posix.lstat(path)
            if (mine.st_ino, mine.st_dev) == (named.st_ino, named.st_dev):
                return
        except FileNotFoundError:
            continue  # no file of that name: the worker has just taken it away
        finally:
            posix.close(fd)


def _start_worker(home: str, spool: str, event: str) -> None:
    """Start the detached worker in a session of its own, with no descriptor of Codex's."""
    python = f"{home}/venv/bin/python"
    arguments = [python, "-I", "-S", f"{home}/worker.py", spool, event]
    for name in posix.listdir("/dev/fd"):
        try:
            posix.set_inheritable(int(name), False)
        except OSError:
            continue  # the descriptor of the listing itself, closed by now
    null = [(posix.POSIX_SPAWN_OPEN, fd, "/dev/null", posix.O_RDWR, 0) for fd in (0, 1, 2)]
    posix.posix_spawn(python, arguments, posix.environ, file_actions=null, setsid=True)


def _home(program: str) -> str:
    return program.rpartition("/")[0] or "."


def _note(home: str, error: BaseException) -> None:
    """Leave a line for the next worker or `doctor`, if even that can be written."""
    try:
        fd = posix.open(f"{home}/hook.errors", posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
        if posix.fstat(fd).st_size < MAX_ERRORS_BYTES:
            posix.write(fd, f"{time_ns()} {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    except BaseException:
        return


if __name__ == "__main__":
    main(sys.argv)
