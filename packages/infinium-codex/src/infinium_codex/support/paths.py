"""The directories that the connector uses."""

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

APP = "infinium-codex"
_TEMP_VARIABLES = ("TEMP", "TMP") if sys.platform == "win32" else ("TMPDIR", "TEMP", "TMP")
_TEMP = "" if sys.platform == "win32" else "/tmp"  # noqa: S108 - the directory in it is private
HOOK_HOME = f".local/share/{APP}"
"""The hook's home below the home directory on every POSIX system. The registered command has it for every user."""


class Places(NamedTuple):
    """The directories of one user. A named tuple, because msgspec takes too long to import at a prompt."""

    data: Path
    """The hook's home: its program, and links to the interpreter and environment that run it. Survives upgrades."""
    state: Path
    """Outbox, ledger, local traces, schedule and logs. Survives a reboot."""
    spool: Path
    """Events that are not traced yet, one file per session. In the temp directory by default."""

    @property
    def outbox(self) -> Path:
        return self.state / "outbox"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger"

    @property
    def local(self) -> Path:
        return self.state / "local"

    @property
    def schedule(self) -> Path:
        """What is to be done later, for the scheduler."""
        return self.state / "schedule"

    @property
    def snapshots(self) -> Path:
        """Snapshots of checkouts after their last turn."""
        return self.state / "snapshots"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def prices(self) -> Path:
        """The user's own table of prices, which may not exist."""
        return self.data / "prices.toml"

    @property
    def origins(self) -> Path:
        """The API origins approved for all connectors. Equals `infinium_config.approvals_path()`."""
        return self.state.parent / "infinium" / "origins.json"


def find_places(environ: Mapping[str, str]) -> Places:
    """The directories of the user with this environment."""
    home = _hook_home(environ)
    state = home if sys.platform == "win32" else state_directory()
    return Places(data=home, state=state, spool=spool_directory(environ))


def state_directory() -> Path:
    """The user's state directory by the convention of the platform.

    On Linux it is computed here, because every worker needs it and platformdirs takes a tenth of a worker's CPU time to
    import. A test compares the two.
    """
    if sys.platform == "linux":
        chosen, home = os.environ.get("XDG_STATE_HOME", ""), os.environ.get("HOME", "")
        for base in (Path(chosen), Path(home, ".local", "state")):
            if base.is_absolute():
                return base / APP
    import platformdirs

    return platformdirs.user_state_path(APP, appauthor=False)


def _hook_home(environ: Mapping[str, str]) -> Path:
    if os.name == "posix":
        return Path(_home(environ)) / HOOK_HOME
    local = environ.get("LOCALAPPDATA")  # where the hook's launcher looks
    return (Path(local) if local else Path.home() / "AppData" / "Local") / APP


def _home(environ: Mapping[str, str]) -> str:
    profile = environ.get("USERPROFILE") if sys.platform == "win32" else None
    return environ.get("HOME") or profile or str(Path.home())


def spool_directory(environ: Mapping[str, str], data: Path | None = None) -> Path:
    """The directory of the spool files: the user's choice, else in the temp directory, else in the hook's home.

    The hook has its own copy of this rule and creates the directory; a test compares them. `data` is the hook's home,
    by default the one of this environment.
    """
    chosen = environ.get("CONNECTOR_SESSION_DIR", "")
    if chosen == "~" or chosen.startswith(("~/", f"~{os.sep}")):
        chosen = f"{_home(environ)}{chosen[1:]}"
    name = f"{APP}-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    for base in (chosen, *(environ.get(variable, "") for variable in _TEMP_VARIABLES), _TEMP):
        if not os.path.isabs(base):  # noqa: PTH117
            continue
        usable = _is_usable(Path(base), name, make_parents=base is chosen)
        if usable:
            return Path(base) / name
        if usable is False:
            break
    return (data or _hook_home(environ)) / name


def _is_usable(base: Path, name: str, *, make_parents: bool) -> bool | None:
    """Whether `name` in `base` is a private directory or can become one; None if `base` does not exist."""
    try:
        found = (base / name).lstat()
    except (FileNotFoundError, NotADirectoryError):
        if base.is_dir():
            return os.access(base, os.W_OK | os.X_OK)
        existing = next(parent for parent in base.parents if parent.exists())
        if not make_parents or existing == Path(base.anchor) or not existing.is_dir():
            return None
        return os.access(existing, os.W_OK | os.X_OK)
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())


def is_same_path(one: Path | str, other: Path) -> bool:
    """Whether two paths lead to the same file. Their names may differ in case where the file system ignores it."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:  # one of them does not exist
        return Path(one).resolve() == other.resolve()
