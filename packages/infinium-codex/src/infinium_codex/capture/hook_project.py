"""Finds the project that the hook runs in, and whether it is paused. A part of the hook's program (see `hook`).

It has its own copy of some rules of `infinium_config`; tests compare them: how a project is found (`find_project`),
whose project files count (`ownership`), what is paused, and how a small file is read (`files`).
"""

import posix

MAX_FILE_BYTES = 1 << 20
MAX_PATH_BYTES = 4096
"""A longer path in a `.git` file is ignored. The system accepts none, and looking at its parts would take long."""
PAUSED = (b"", b"", b"", b"paused")


def find_project() -> tuple[bytes, bytes, bytes, bytes] | None:
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
        config = read_small_file(path)
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
    allowed = read_variable(b"CONNECTOR_SAFE_DIRECTORIES").split(":")
    try:
        import json

        config = json.loads(read_small_file(f"{find_home()}/.infinium/config.json", follow_links=True) or b"{}")
        allowed += config.get("safe_directories") or ()
        return "*" in allowed or any(name.rstrip("/") == base for name in allowed if name[:1] == "/")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError):
        return False


def read_variable(name: bytes) -> str:
    return posix.environ.get(name, b"").decode("utf-8", "surrogateescape")


def find_home() -> str:
    """The user's home directory: HOME or, without it, that of the password database."""
    home = read_variable(b"HOME")
    if not home:
        import pwd  # part of the interpreter

        home = pwd.getpwuid(posix.getuid()).pw_dir
    return home.rstrip("/")


def _is_home(directory: str) -> bool:
    """Whether this is the user's home directory, whose `.infinium` is not a project's. `HOME` may be a link to it."""
    try:
        home = find_home()
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
    link = read_small_file(f"{base}/.git")
    if link is None or not link.startswith(b"gitdir:") or len(link) > MAX_PATH_BYTES:
        return None
    git_dir = _join(base, link[7:])
    common = (read_small_file(f"{git_dir}/commondir") or b"").strip()
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


def read_small_file(path: str, *, follow_links: bool = False) -> bytes | None:
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
