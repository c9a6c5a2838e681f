"""The hook: records one event of the agent in the spool, and starts the worker when a turn begins or ends.

The agent waits for this program, so it must be fast and must not fail. It runs as `python -I -S hook.pyc EVENT` from a
copy in the user's data directory, uses only modules built into the interpreter, prints nothing and always exits 0. It
parses JSON only where a project file leaves doubt. `install` joins the program from this module, `hook_project` and
`hook_marker`, and appends the call of `main` with the agent's names.

It imports nothing else of the connector, so it has its own copy of some rules. Tests compare each copy with the
original: the spool's directory (`support.paths`) and the record's frame (`capture.frame`), besides those of
`hook_project`.
"""

import posix
from time import monotonic, sleep, time_ns

from infinium_codex.capture.hook_marker import make_directories, marker_path, remove_marker, set_marker
from infinium_codex.capture.hook_project import PAUSED, find_home, find_project, read_variable

MAX_EVENT_BYTES = 64 << 20
"""A larger event is truncated here. It is then not valid JSON, and the trace is made from the transcript."""
PIPE_BYTES = 1 << 16
"""One read of stdin: a pipe holds no more, and Python would map and unmap memory for a larger buffer."""
MAX_ERRORS_BYTES = 64 << 10
MAX_SPOOLED_BYTES = 512 << 20
"""With more in the spools than this no further turn is recorded: the connector was removed, or cannot work."""
SHORT_LIVED_VARIABLES = (b"container", b"KUBERNETES_SERVICE_HOST", b"JENKINS_URL", b"TEAMCITY_VERSION", b"TF_BUILD")
"""Set in containers, and by CI systems that do not set CI."""
UNIDENTIFIED = "unidentified"
"""Name of the spool for events that name no session."""
PROJECT = ".project"
"""Name of the record before a prompt's: the project that the turn belongs to."""
PRIME = 1_000_000_007
"""The checksum is the payload modulo this prime. In many Pythons a CRC would need a library to be loaded."""


def main(
    argv: list[str], triggers: tuple[str, ...], session_field: bytes, session_ended: str = "", wait_limit: float = 0.0
) -> None:
    """Record the event named by `argv[1]`, read from stdin. Never raises, prints or returns.

    Options follow. A number is the agent's process id: then the shell may record events of this turn. `user` says that
    the hook is registered for all projects of the user: its records carry the process id as a negative number, so that
    an event of which a project's hook made a record too is traced once.

    Events in `triggers` start the worker. `session_field` is the quoted name of the field with the session's id. On
    `session_ended` the hook waits for the worker, at most `wait_limit` seconds, where the machine may end with the
    agent.
    """
    home = argv[0].rpartition("/")[0] or "."
    posix.umask(0o077)  # a stricter one would keep this hook's files from the next hook
    try:
        event, options = argv[1] if len(argv) > 1 else "", argv[2:]
        agent_process = next((option for option in options if option.isdigit()), "")
        process = -posix.getpid() if "user" in options else posix.getpid()
        spool = _record(event, home, process, agent_process, session_field, begins_turn=event == triggers[0])
        if spool and event in triggers:
            seconds = _wait_seconds(wait_limit) if event == session_ended else 0.0
            worker = _start_worker(home, spool, event, ("wait",) if seconds > 0 else ())
            if seconds > 0:
                _wait_for(worker, seconds)
    except BaseException as error:
        _log_error(home, error)
    posix._exit(0)  # noqa: SLF001 - the public name is in os, whose import takes 1.7 ms


def _record(event: str, home: str, process: int, agent_process: str, session_field: bytes, *, begins_turn: bool) -> str:
    """Record the event; return the path of the session's spool, empty if nothing is recorded here.

    It is appended to the spool. While the inbox has events of the shell, it is written to the inbox, because the worker
    appends those to the spool in the order of their times.
    """
    payload = _read_stdin()
    project = find_project() if payload else None
    directory = _spool_directory(home) if project is not None else ""
    is_full = project is not None and project is not PAUSED and _is_full(directory, begins_turn=begins_turn)
    inbox = f"{directory}/inbox/{agent_process}.{session_field[1:-1].decode()}" if agent_process else ""
    if begins_turn and agent_process:
        _mark_session(home, agent_process, inbox, b"" if project is None or is_full else project[0])
    if project is None:
        return ""
    session = session_of(payload, session_field)
    path = f"{directory}/{session}.spool"
    if project is PAUSED:  # the time alone: so that nothing of the transcript is used from here to the next event
        append_record(f"{directory}/{session}.paused", b"%d\n" % time_ns())
        return ""
    if is_full:
        return path
    record = _frame(event, process, payload)
    if begins_turn:  # the turn belongs to the project and the agent as they are now
        record = _frame(PROJECT, process, b"\0".join(project)) + record
    if inbox and _has_files(inbox):
        _write_file(inbox, f"{session}.{time_ns()}.{posix.getpid()}.records", record)
    else:
        append_record(path, record)
    return path


def _mark_session(home: str, agent_process: str, inbox: str, config: bytes) -> None:
    """Let the shell record the turn's events that start no worker; not where `config`, the project file, is empty.

    Under `sudo` the home is another user's: no files are left there.
    """
    try:
        marker = marker_path(home, agent_process)
        if config and posix.lstat(home).st_uid == posix.getuid():
            set_marker(marker, inbox, config.decode("utf-8", "surrogateescape"))
        else:
            remove_marker(marker)
    except OSError:  # such as a path that is too long, or a read-only home: the hook's program records each event
        return


def _frame(event: str, process: int, payload: bytes) -> bytes:
    return b"\x1eI3 %s %d %d %d %d\n%s\n" % (
        event.encode("ascii", "replace").replace(b" ", b"?"),
        time_ns(),
        process,
        len(payload),
        int.from_bytes(payload, "little") % PRIME,
        payload,
    )


def _read_stdin() -> bytes:
    chunks = []
    size = 0
    while size < MAX_EVENT_BYTES and (chunk := posix.read(0, PIPE_BYTES)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def session_of(payload: bytes, field: bytes) -> str:
    """The text in the first occurrence of the field. It is used as a file name, so only letters, digits and '-'."""
    start = payload.find(field)
    end = start + len(field)
    quoted = payload[end : end + 108].lstrip(b" \t\r\n:") if start >= 0 else b""
    name, end_quote, _ = quoted[1:].partition(b'"') if quoted[:1] == b'"' else (b"", b"", b"")
    if end_quote and 0 < len(name) <= 64 and name.replace(b"-", b"").isalnum():
        return name.decode("ascii")
    return UNIDENTIFIED


def _spool_directory(home: str) -> str:
    """The private directory of all spools: the user's choice, else in the temp directory, else in the hook's home."""
    name = f"infinium-codex-{posix.getuid()}"
    chosen = read_variable(b"CONNECTOR_SESSION_DIR")
    if chosen == "~" or chosen.startswith("~/"):
        chosen = find_home() + chosen[1:]
    for base in (chosen, *map(read_variable, (b"TMPDIR", b"TEMP", b"TMP")), "/tmp"):  # noqa: S108 - checked below
        if base.startswith("/"):
            try:
                return _private_directory(f"{base.rstrip('/')}/{name}", make_parents=base is chosen)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:  # another user has taken the name, or may write here and this user may not
                break
    return _private_directory(f"{home}/{name}", make_parents=False)


def _private_directory(path: str, *, make_parents: bool) -> str:
    try:
        posix.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        if not make_parents:
            raise
        make_directories(path)
    found = posix.lstat(path)
    if found.st_mode & 0o170000 != 0o040000 or found.st_uid != posix.getuid():
        raise PermissionError(f"{path} is not a directory that this user owns")
    if found.st_mode & 0o777 != 0o700:
        posix.chmod(path, 0o700)
    return path


def _has_files(directory: str) -> bool:
    try:
        with posix.scandir(directory) as found:
            return next(found, None) is not None
    except FileNotFoundError:
        return False


def _write_file(directory: str, name: str, content: bytes) -> None:
    """Write a file that other processes find only when it is complete."""
    unfinished = f"{directory}/.{name}"
    append_record(unfinished, content)
    posix.rename(unfinished, f"{directory}/{name}")


def _is_full(directory: str, *, begins_turn: bool) -> bool:
    """Whether the spools hold so much that no turn is recorded; decided when a turn begins, for all of its events."""
    mark = f"{directory}/full"
    if not begins_turn:
        return posix.access(mark, posix.F_OK)
    if _spooled_bytes(directory) > MAX_SPOOLED_BYTES:
        posix.close(posix.open(mark, posix.O_WRONLY | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW, 0o600))
        return True
    if posix.access(mark, posix.F_OK):
        posix.unlink(mark)
    return False


def _spooled_bytes(directory: str) -> int:
    """The size of all spools and inboxes."""
    files = [f"{directory}/{name}" for name in posix.listdir(directory) if name.endswith(".spool")]
    try:
        for inbox in posix.listdir(f"{directory}/inbox"):
            files += [f"{directory}/inbox/{inbox}/{name}" for name in posix.listdir(f"{directory}/inbox/{inbox}")]
    except OSError:  # there is none, or the worker has just removed one
        pass
    total = 0
    for path in files:
        try:
            total += posix.lstat(path).st_size
        except FileNotFoundError:  # the worker has just removed it
            continue
    return total


def append_record(path: str, record: bytes) -> None:
    """Append a record in one write. If the worker renamed the spool meanwhile to remove it, append to a new one."""
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
    for _ in range(3):
        fd = posix.open(path, flags, 0o600)
        try:
            written = posix.write(fd, record)
            if written != len(record):
                raise OSError(f"only {written} of {len(record)} bytes of an event could be written to {path}")
            opened, named = posix.fstat(fd), posix.lstat(path)
            if (opened.st_ino, opened.st_dev) == (named.st_ino, named.st_dev):
                return
        except FileNotFoundError:
            continue  # the worker has just renamed the file
        finally:
            posix.close(fd)
    raise OSError(f"{path} was removed each time that an event was written to it")


def _start_worker(home: str, spool: str, event: str, options: tuple[str, ...]) -> int:
    """Start the worker in a session of its own; return its process id.

    It inherits no descriptor: the agent waits until all are closed.
    """
    python = f"{home}/venv/bin/python"
    arguments = [python, "-I", "-S", f"{home}/worker.py", spool, event, *options]
    for name in posix.listdir("/dev/fd"):
        try:
            posix.set_inheritable(int(name), False)
        except OSError:
            continue  # the descriptor of the listing itself, which is closed by now
    null = [(posix.POSIX_SPAWN_OPEN, fd, "/dev/null", posix.O_RDWR, 0) for fd in (0, 1, 2)]
    return posix.posix_spawn(python, arguments, posix.environ, file_actions=null, setsid=True)


def _wait_seconds(limit: float) -> float:
    """How long to wait at the end of a session: 0, unless CONNECTOR_WAIT_ON_END or a container or CI asks for it."""
    environ = posix.environ
    try:
        return min(float(environ.get(b"CONNECTOR_WAIT_ON_END") or limit * _is_short_lived()), limit)
    except ValueError:
        return limit * _is_short_lived()


def _is_short_lived() -> bool:
    """Whether this machine is a container or a CI job, whose processes and files may end with the agent."""
    environ = posix.environ
    if environ.get(b"CI", b"").lower() not in (b"", b"0", b"false"):
        return True
    if any(name in environ for name in SHORT_LIVED_VARIABLES):
        return True
    for path in ("/.dockerenv", "/run/.containerenv"):
        try:
            posix.stat(path)
        except OSError:
            continue
        return True
    return False


def _wait_for(worker: int, seconds: float) -> None:
    """Wait until the worker ends, at most this long."""
    deadline = monotonic() + seconds
    while not posix.waitpid(worker, posix.WNOHANG)[0] and monotonic() < deadline:
        sleep(0.01)


def _log_error(home: str, error: BaseException) -> None:
    """Append the error to `hook.errors`, from where the worker and `doctor` read it. Does nothing if that fails."""
    try:
        fd = posix.open(f"{home}/hook.errors", posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC, 0o600)
        if posix.fstat(fd).st_size < MAX_ERRORS_BYTES:
            posix.write(fd, f"{time_ns()} {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    except BaseException:
        return
