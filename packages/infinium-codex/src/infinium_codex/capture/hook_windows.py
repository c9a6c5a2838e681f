"""The hook for Windows, with the rules of `hook`: the same table of tests runs against both.

It runs as `pythonw -I -S hook.pyc LAUNCHER EVENT [user]`: `install` writes the launcher, a program without a window.
Like `hook` it uses only modules built into the interpreter and imports nothing of the connector. What differs:

- Another process cannot remove a file that is open, unless the one that opened it permits that. The hook does.
- Files have no user id or mode to check. The temp directory is in the user's profile, which other users cannot read.
- The worker is started outside the agent's console and job, which may end all its processes with the agent.
"""

import sys

assert sys.platform == "win32"  # for type checkers; hooks run with assertions compiled out

import _winapi  # noqa: E402
import msvcrt  # noqa: E402
import nt  # noqa: E402
from time import monotonic, sleep, time_ns  # noqa: E402

MAX_EVENT_BYTES = 64 << 20
"""A larger event is truncated here. It is then not valid JSON, and the trace is made from the transcript."""
MAX_FILE_BYTES = 1 << 20
PIPE_BYTES = 1 << 16
MAX_ERRORS_BYTES = 64 << 10
MAX_SPOOLED_BYTES = 512 << 20
"""With more in the spools than this no further turn is recorded: the connector was removed, or cannot work."""
PROJECT = ".project"
"""Name of the record before a prompt's: the project that the turn belongs to."""
PAUSED = (b"", b"", b"", b"paused")
PRIME = 1_000_000_007
LONGEST_PLAIN_PATH = 247
LOCK_SECONDS = 1.0
"""How long other hooks that append to the spool are waited for. Windows ends the lock of a process that is killed."""
LAST_BYTE = 0x7FFF_FFFE
"""The byte of the spool that an appending hook locks; no spool has it."""
FILE_READ_DATA, FILE_APPEND_DATA = 0x1, 0x4
FILE_SHARE_ALL = 0x7
OPEN_ALWAYS = 4
ACCESS_DENIED = 5
MOUNT_POINT = 0xA000_0003
CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW = 0x0000_0200, 0x0800_0000
CREATE_BREAKAWAY_FROM_JOB = 0x0100_0000
BELOW_NORMAL_PRIORITY_CLASS = 0x4000

ENVIRON = {name.upper(): value for name, value in nt.environ.items()}


def main(argv: list[str], triggers: tuple[str, ...], session_field: bytes) -> None:
    """Record the event named by `argv[2]`, read from stdin. Never raises, prints or returns.

    `argv[3]` is `user` where the hook is registered for all projects of the user, as in `hook`. cmd.exe gives the whole
    of `EVENT; exit 0` as arguments; PowerShell and sh end the command at the semicolon.

    Events in `triggers` start the worker. `session_field` is the quoted name of the field with the session's id.
    """
    home = _parent(argv[0])
    try:
        event, _, _ = " ".join(argv[2:]).partition(";")
        event, _, scope = event.partition(" ")
        process = -nt.getpid() if scope == "user" else nt.getpid()
        spool = _record(event, home, process, session_field, begins_turn=event == triggers[0])
        if spool and event in triggers:
            _start_worker(home, spool, event)
    except BaseException as error:
        _log_error(home, error)
    _winapi.ExitProcess(0)


def _record(event: str, home: str, process: int, session_field: bytes, *, begins_turn: bool) -> str:
    """Append the event to the session's spool; return the spool's path, empty if nothing is recorded here."""
    payload = _read_stdin()
    project = _project() if payload else None
    if project is None:
        return ""
    directory = _spool_directory(home)
    session = f"{directory}\\{_session_id(payload, session_field)}"
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
    msvcrt.setmode(0, nt.O_BINARY)
    chunks = []
    size = 0
    while size < MAX_EVENT_BYTES and (chunk := nt.read(0, PIPE_BYTES)):
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
    names = ("INFINIUM_AGENT_ID", "INFINIUM_BASE_URL")
    agent, address = (ENVIRON.get(name, "").encode("utf-8", "surrogatepass") for name in names)
    try:
        found = _project_config(nt.getcwd())
    except OSError:  # the directory was removed; the worker decides
        return b"", agent, address, b""
    if found is None:
        otlp = ENVIRON.get("CONNECTOR_OTLP_ENDPOINT", "off") not in ("", "off")
        return (b"", agent, address, b"") if agent or address or otlp else None
    path, config = found
    if _is_paused(config):
        return PAUSED
    return path.encode("utf-8", "surrogatepass"), agent, address, _without_secret(config)


def _project_config(directory: str) -> tuple[str, bytes] | None:
    """The nearest project file at or above a directory; from a linked worktree, in its main checkout too."""
    in_main_checkout = False
    while True:
        base = directory.rstrip("\\")
        path = f"{base}\\.infinium\\config.json"
        config = _read_small_file(path)
        if config is not None and not _is_home(directory) and not _is_link(f"{base}\\.infinium"):
            return path, config
        parent = _parent(base)
        if not in_main_checkout and (main_checkout := _main_checkout(base)):
            in_main_checkout = True
            directory = main_checkout
        elif parent.strip("\\"):
            directory = f"{parent}\\" if parent.endswith(":") else parent
        else:
            return None


def _is_link(path: str) -> bool:
    """Whether a directory is a link or a junction, which can lead to the settings of another project."""
    found = nt.lstat(_long(path))
    return found.st_mode & 0o170000 == 0o120000 or found.st_reparse_tag == MOUNT_POINT


def _is_home(directory: str) -> bool:
    """Whether this is the user's home directory, whose `.infinium` is not a project's."""
    try:
        found, own = nt.stat(directory), nt.stat(_home())
    except OSError:
        return False
    return (found.st_ino, found.st_dev) == (own.st_ino, own.st_dev)


def _main_checkout(base: str) -> str | None:
    """The main checkout of the linked worktree at `base`; None if it is not one. Its `.git` is then a file."""
    link = _read_small_file(f"{base}\\.git")
    if link is None or not link.startswith(b"gitdir:"):
        return None
    git_dir = _join(base, link[7:])
    common = (_read_small_file(f"{git_dir}\\commondir") or b"").strip()
    if not common:
        return None
    shared = nt._getfullpathname(_join(git_dir, common))  # type: ignore[attr-defined]  # noqa: SLF001 - os.path.abspath
    return _parent(shared) if shared.endswith("\\.git") else None


def _join(directory: str, path: bytes) -> str:
    name = path.strip().decode("utf-8", "replace").replace("/", "\\")
    return name if name.startswith("\\") or name[1:2] == ":" else f"{directory}\\{name}"


def _parent(path: str) -> str:
    return path.replace("/", "\\").rpartition("\\")[0]


def _read_small_file(path: str) -> bytes | None:
    """The content of a regular file of at most 1 MiB; None for anything else, such as a link."""
    long = _long(path)
    try:
        status = nt.lstat(long)
        if status.st_mode & 0o170000 != 0o100000 or status.st_size > MAX_FILE_BYTES:
            return None
        fd = nt.open(long, nt.O_RDONLY | nt.O_BINARY | nt.O_NOINHERIT)
    except (OSError, ValueError):
        return None
    try:
        return nt.read(fd, status.st_size)
    except OSError:
        return None
    finally:
        nt.close(fd)


def _long(path: str) -> str:
    """The path in the form that Windows takes at any length."""
    if len(path) <= LONGEST_PLAIN_PATH or path.startswith("\\\\?\\"):
        return path
    return f"\\\\?\\UNC\\{path[2:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


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


def _home() -> str:
    return ENVIRON.get("HOME") or ENVIRON.get("USERPROFILE") or ""


def _spool_directory(home: str) -> str:
    """The directory of all spools: the user's choice, else in the temp directory, else in the hook's home."""
    chosen = ENVIRON.get("CONNECTOR_SESSION_DIR", "").replace("/", "\\")
    if chosen == "~" or chosen.startswith("~\\"):
        chosen = _home() + chosen[1:]
    for base in (chosen, ENVIRON.get("TEMP", ""), ENVIRON.get("TMP", "")):
        if base[1:3] in (":\\", ":/") or base.startswith("\\\\"):
            try:
                return _directory(base.replace("/", "\\").rstrip("\\"), make_parents=base is chosen)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError:  # another file has the name, or this user may not write here
                break
    return _directory(home, make_parents=False)


def _directory(base: str, *, make_parents: bool) -> str:
    path = f"{base}\\infinium-codex-user"
    try:
        nt.mkdir(path)
    except FileExistsError:
        pass
    except FileNotFoundError:
        if not make_parents:
            raise
        _make_directories(path)
    if nt.lstat(path).st_mode & 0o170000 != 0o040000:
        raise PermissionError(f"{path} is not a directory")
    return path


def _make_directories(path: str) -> None:
    made, *parts = path.split("\\")
    for part in parts:
        made += f"\\{part}"
        try:
            nt.mkdir(made)
        except (FileExistsError, PermissionError):  # a drive, or a directory of others
            continue


def _is_full(directory: str, *, begins_turn: bool) -> bool:
    """Whether the spools hold so much that no turn is recorded; decided when a turn begins, for all of its events."""
    mark = f"{directory}\\full"
    if not begins_turn:
        return nt.access(mark, nt.F_OK)
    spools = (f"{directory}\\{name}" for name in nt.listdir(directory) if name.endswith(".spool"))
    if sum(nt.lstat(spool).st_size for spool in spools) > MAX_SPOOLED_BYTES:
        nt.close(nt.open(mark, nt.O_WRONLY | nt.O_CREAT | nt.O_NOINHERIT, 0o600))
        return True
    if nt.access(mark, nt.F_OK):
        nt.unlink(mark)
    return False


def _append(path: str, record: bytes) -> None:
    """Append a record. If the worker renamed the spool meanwhile to remove it, append to a new one.

    The open permits renaming and appends in one step on a local disk; the lock is for network drives, which may not.
    """
    access = FILE_READ_DATA | FILE_APPEND_DATA
    for _ in range(3):
        handle = _winapi.CreateFile(_long(path), access, FILE_SHARE_ALL, 0, OPEN_ALWAYS, 0, 0)
        fd = msvcrt.open_osfhandle(handle, nt.O_APPEND | nt.O_BINARY | nt.O_NOINHERIT)
        try:
            _lock(fd)
            written = nt.write(fd, record)
            if written != len(record):
                raise OSError(f"only {written} of {len(record)} bytes of an event could be written to {path}")
            opened, named = nt.fstat(fd), nt.lstat(path)
            if (opened.st_ino, opened.st_dev) == (named.st_ino, named.st_dev):
                return
        except FileNotFoundError:
            continue  # the worker has just renamed the file
        finally:
            nt.close(fd)


def _lock(fd: int) -> None:
    """Lock the spool against other hooks. After LOCK_SECONDS the event is appended without the lock."""
    deadline = 0.0
    nt.lseek(fd, LAST_BYTE, 0)
    while True:
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            deadline = deadline or monotonic() + LOCK_SECONDS
            if monotonic() > deadline:
                return
            sleep(0.001)
        else:
            return


class _StartupInfo:
    """What CreateProcess is given beside the command: nothing. The worker inherits no handle."""

    dwFlags = wShowWindow = 0  # noqa: N815 - Windows' names
    hStdInput = hStdOutput = hStdError = lpAttributeList = None  # noqa: N815


def _start_worker(home: str, spool: str, event: str) -> None:
    """Start the worker, without a window, outside the agent's job where that is permitted."""
    command = f'"{sys.executable}" -I -S "{home}\\worker.py" "{spool}" {event}'
    flags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | BELOW_NORMAL_PRIORITY_CLASS
    start: object = _StartupInfo
    for job in (CREATE_BREAKAWAY_FROM_JOB, 0):
        try:
            process, thread, _, _ = _winapi.CreateProcess(
                sys.executable,
                command,
                None,
                None,
                False,
                flags | job,
                None,  # type: ignore[arg-type]  # this process's environment
                None,
                start,
            )
        except PermissionError as error:
            if not job or error.winerror != ACCESS_DENIED:
                raise
        else:
            _winapi.CloseHandle(process)
            _winapi.CloseHandle(thread)
            return


def _log_error(home: str, error: BaseException) -> None:
    """Append the error to `hook.errors`, from where the worker and `doctor` read it. Does nothing if that fails."""
    try:
        flags = nt.O_WRONLY | nt.O_APPEND | nt.O_CREAT | nt.O_BINARY | nt.O_NOINHERIT
        fd = nt.open(f"{home}\\hook.errors", flags, 0o600)
        if nt.fstat(fd).st_size < MAX_ERRORS_BYTES:
            nt.write(fd, f"{time_ns()} {type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    except BaseException:
        return
