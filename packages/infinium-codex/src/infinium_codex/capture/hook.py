"""The hook: appends one event of the agent to the spool, and starts the worker when a turn begins or ends.

The agent waits for this program, so it must be fast and must not fail. It runs as `python -I -S hook.pyc EVENT` from a
copy in the user's data directory, uses only modules built into the interpreter, prints nothing and always exits 0. It
parses JSON only where a project file leaves doubt. `install` appends the call of `main` with the agent's names.

It imports nothing of the connector, so it has its own copy of some rules. Tests compare each copy with the original:
the spool's directory (`support.paths`), the record's frame (`capture.frame`), how a project is found
(`infinium_config.find_project`), whose project files count (`infinium_config.ownership`), what is paused, and how a
small file is read (`infinium_config.files`).
"""

import posix
from time import monotonic, sleep, time_ns

MAX_EVENT_BYTES = 64 << 20
"""A larger event is truncated here. It is then not valid JSON, and the trace is made from the transcript."""
MAX_FILE_BYTES = 1 << 20
PIPE_BYTES = 1 << 16
"""One read of stdin: a pipe holds no more, and Python would map and unmap memory for a larger buffer."""
MAX_ERRORS_BYTES = 64 << 10
MAX_PATH_BYTES = 4096
"""A longer path in a `.git` file is ignored. The system accepts none, and looking at its parts would take long."""
MAX_SPOOLED_BYTES = 512 << 20
"""With more in the spools than this no further turn is recorded: the connector was removed, or cannot work."""
SHORT_LIVED_VARIABLES = (b"container", b"KUBERNETES_SERVICE_HOST", b"JENKINS_URL", b"TEAMCITY_VERSION", b"TF_BUILD")
"""Set in containers, and by CI systems that do not set CI."""
PROJECT = ".project"
"""Name of the record before a prompt's: the project that the turn belongs to."""
PAUSED = (b"", b"", b"", b"paused")
PRIME = 1_000_000_007
"""The checksum is the payload modulo this prime. In many Pythons a CRC would need a library to be loaded."""


def main(
    argv: list[str], triggers: tuple[str, ...], session_field: bytes, session_ended: str = "", wait_limit: float = 0.0
) -> None:
    """Record the event named by `argv[1]`, read from stdin. Never raises, prints or returns.

    `argv[2]` is `user` where the hook is registered for all projects of the user: its records carry the process id as a
    negative number, so that an event of which a project's hook made a record too is traced once.

    Events in `triggers` start the worker. `session_field` is the quoted name of the field with the session's id. On
    `session_ended` the hook waits for the worker, at most `wait_limit` seconds, where the machine may end with the
    agent.
    """
    home = argv[0].rpartition("/")[0] or "."
    posix.umask(0o077)  # a stricter one would keep this hook's files from the next hook
    try:
        event = argv[1] if len(argv) > 1 else ""
        process = -posix.getpid() if argv[2:] == ["user"] else posix.getpid()
        spool = _record(event, home, process, session_field, begins_turn=event == triggers[0])
        if spool and event in triggers:
            seconds = _wait_seconds(wait_limit) if event == session_ended else 0.0
            worker = _start_worker(home, spool, event, ("wait",) if seconds > 0 else ())
            if seconds > 0:
                _wait_for(worker, seconds)
    except BaseException as error:
        _log_error(home, error)
    posix._exit(0)  # noqa: SLF001 - the public name is in os, whose import takes 1.7 ms


def _record(event: str, home: str, process: int, session_field: bytes, *, begins_turn: bool) -> str:
    """Append the event to the session's spool; return the spool's path, empty if nothing is recorded here."""
    payload = _read_stdin()
    project = _project() if payload else None
    if project is None:
        return ""
    directory = _spool_directory(home)
    session = f"{directory}/{_session_id(payload, session_field)}"
    if project is PAUSED:  # the time alone: so that nothing of the transcript is used from here to the next event
        _append(f"{session}.paused", b"%d\n" % time_ns())
        return ""
    path = f"{session}.spool"
    if _is_full(directory, begins_turn=begins_turn):
        return path
    record = _frame(event, process, payload)
    if begins_turn:  # the turn belongs to the project and the agent as they are now
        record = _frame(PROJECT, process, b"\0".join(project)) + record
    _append(path, record)
    return path


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


def _session_id(payload: bytes, field: bytes) -> str:
    """The text in the first occurrence of the field. It is used as a file name, so only letters, digits and '-'."""
    start = payload.find(field)
    end = start + len(field)
    quoted = payload[end : end + 108].lstrip(b" \t\r\n:") if start >= 0 else b""
    name = quoted[1:].split(b'"', 1)[0] if quoted[:1] == b'"' else b""
    if 0 < len(name) <= 64 and name.replace(b"-", b"").isalnum():
        return name.decode("ascii")
    return "unidentified"


def _project() -> tuple[bytes, bytes, bytes, bytes] | None:
    """The project's file, the variables that name agent and address, and the file's content.

    None if tracing is not set up here; PAUSED if it is paused.
    """
    environ = posix.environ
    agent, address = environ.get(b"INFINIUM_AGENT_ID", b""), environ.get(b"INFINIUM_BASE_URL", b"")
    try:
        found = _project_config(posix.getcwd())
    except OSError:  # the directory was removed; the worker decides
        return b"", agent, address, b""
    if found is None:
        otlp = environ.get(b"CONNECTOR_OTLP_ENDPOINT", b"off") not in (b"", b"off")
        return (b"", agent, address, b"") if agent or address or otlp else None
    path, config = found
    if _is_paused(config):
        return PAUSED
    return path.encode("utf-8", "surrogateescape"), agent, address, _without_secret(config)


def _project_config(directory: str) -> tuple[str, bytes] | None:
    """The nearest project file at or above a directory; from a linked worktree, in its main checkout too."""
    in_main_checkout = False
    while True:
        base = directory.rstrip("/")
        path = f"{base}/.infinium/config.json"
        config = _read_small_file(path)
        if config is not None and not _is_home(directory) and _is_used(base):
            return path, config
        if not in_main_checkout and (main_checkout := _main_checkout(base)):
            in_main_checkout = True
            directory = main_checkout
        elif base:
            directory = base.rpartition("/")[0] or "/"
        else:
            return None


def _is_used(base: str) -> bool:
    """Whether a project file is used: the user or root owns it, or the user trusts its directory; and it is no link.

    Anyone can put a file into a directory above the project, such as the system's temp directory. A linked `.infinium`
    can hold the settings of another project. A linked file was not read.
    """
    user = posix.getuid()
    for name in (".infinium", ".infinium/config.json"):
        found = posix.lstat(f"{base}/{name}")
        if found.st_mode & 0o170000 == 0o120000:
            return False
        if found.st_uid not in (user, 0) and not _is_allowed(base, found.st_uid):
            return False
    return True


def _is_allowed(base: str, owner: int) -> bool:
    """Whether the user trusts files of another user in this directory. Few projects need this, so it may load JSON."""
    if posix.getuid() == 0 and posix.environ.get(b"SUDO_UID") == b"%d" % owner:
        return True
    allowed = _variable(b"CONNECTOR_SAFE_DIRECTORIES").split(":")
    try:
        import json

        config = json.loads(_read_small_file(f"{_home()}/.infinium/config.json", follow_links=True) or b"{}")
        allowed += config.get("safe_directories") or ()
        return "*" in allowed or any(name.rstrip("/") == base for name in allowed if name[:1] == "/")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return False


def _variable(name: bytes) -> str:
    return posix.environ.get(name, b"").decode("utf-8", "surrogateescape")


def _home() -> str:
    """The user's home directory: HOME or, without it, that of the password database."""
    home = _variable(b"HOME")
    if not home:
        import pwd  # part of the interpreter

        home = pwd.getpwuid(posix.getuid()).pw_dir
    return home.rstrip("/")


def _is_home(directory: str) -> bool:
    """Whether this is the user's home directory, whose `.infinium` is not a project's. `HOME` may be a link to it."""
    try:
        home = _home()
    except KeyError:  # a user whom the password database does not know
        return False
    if directory.startswith(f"{home}/"):  # below it, which is the usual case
        return False
    try:
        found, own = posix.stat(directory), posix.stat(home)
    except OSError:
        return False
    return (found.st_ino, found.st_dev) == (own.st_ino, own.st_dev)


def _main_checkout(base: str) -> str | None:
    """The main checkout of the linked worktree at `base`; None if it is not one. Its `.git` is then a file."""
    link = _read_small_file(f"{base}/.git")
    if link is None or not link.startswith(b"gitdir:") or len(link) > MAX_PATH_BYTES:
        return None
    git_dir = _join(base, link[7:])
    common = (_read_small_file(f"{git_dir}/commondir") or b"").strip()
    if not 0 < len(common) <= MAX_PATH_BYTES:
        return None
    parts = _collapse(_join(git_dir, common))
    return "/" + "/".join(parts[:-1]) if parts and parts[-1] == ".git" else None


def _join(directory: str, path: bytes) -> str:
    name = path.strip().decode("utf-8", "surrogateescape")
    return name if name.startswith("/") else f"{directory}/{name}"


def _collapse(path: str) -> list[str]:
    """The parts of an absolute path without `.` and `..`. Links are not resolved."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _read_small_file(path: str, *, follow_links: bool = False) -> bytes | None:
    """The content of a regular file of at most 1 MiB; None for anything else, such as a link or a FIFO."""
    no_follow = 0 if follow_links else posix.O_NOFOLLOW
    try:
        fd = posix.open(path, posix.O_RDONLY | no_follow | posix.O_NONBLOCK | posix.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = posix.fstat(fd)
        if status.st_mode & 0o170000 != 0o100000 or status.st_size > MAX_FILE_BYTES:
            return None
        return posix.read(fd, status.st_size)
    except OSError:
        return None
    finally:
        posix.close(fd)


def _is_paused(config: bytes) -> bool:
    """Whether the key `paused` of the file itself is true. JSON is only loaded for a file that leaves doubt: 7 ms."""
    if b"\\" not in config and b"\0" not in config:  # no character is escaped, and the encoding is UTF-8
        found = config.count(b'"paused"')
        if found == 0:
            return False
        if found == 1 and config.count(b"{") == 1:
            after = config.partition(b'"paused"')[2].lstrip()
            return after[:1] == b":" and after[1:].lstrip().startswith(b"true")
    try:
        import json

        record = json.loads(config)
        return isinstance(record, dict) and record.get("paused") is True
    except (ValueError, RecursionError):
        return False


def _without_secret(config: bytes) -> bytes:
    """The project file's content without a secret that was put there by mistake; empty if it is then not JSON."""
    if b"agent_secret" not in config and b"\\u" not in config and b"\0" not in config:  # no key is escaped either
        return config
    try:
        import json

        record = json.loads(config)
        if not isinstance(record, dict) or "agent_secret" not in record:
            return config
        del record["agent_secret"]
        return json.dumps(record).encode()
    except (ValueError, RecursionError):
        return b""


def _spool_directory(home: str) -> str:
    """The private directory of all spools: the user's choice, else in the temp directory, else in the hook's home."""
    name = f"infinium-codex-{posix.getuid()}"
    chosen = _variable(b"CONNECTOR_SESSION_DIR")
    if chosen == "~" or chosen.startswith("~/"):
        chosen = _home() + chosen[1:]
    for base in (chosen, *map(_variable, (b"TMPDIR", b"TEMP", b"TMP")), "/tmp"):  # noqa: S108 - checked below
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
        _make_directories(path)
    found = posix.lstat(path)
    if found.st_mode & 0o170000 != 0o040000 or found.st_uid != posix.getuid():
        raise PermissionError(f"{path} is not a directory that this user owns")
    if found.st_mode & 0o777 != 0o700:
        posix.chmod(path, 0o700)
    return path


def _make_directories(path: str) -> None:
    """Create a directory and its missing parents, but none in the root directory."""
    first, *others = path.split("/")[1:]
    made = f"/{first}"
    for part in others:
        made += f"/{part}"
        try:
            posix.mkdir(made, 0o700)
        except FileExistsError:
            continue


def _is_full(directory: str, *, begins_turn: bool) -> bool:
    """Whether the spools hold so much that no turn is recorded; decided when a turn begins, for all of its events."""
    mark = f"{directory}/full"
    if not begins_turn:
        return posix.access(mark, posix.F_OK)
    spools = (f"{directory}/{name}" for name in posix.listdir(directory) if name.endswith(".spool"))
    if sum(posix.lstat(spool).st_size for spool in spools) > MAX_SPOOLED_BYTES:
        posix.close(posix.open(mark, posix.O_WRONLY | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW, 0o600))
        return True
    if posix.access(mark, posix.F_OK):
        posix.unlink(mark)
    return False


def _append(path: str, record: bytes) -> None:
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
