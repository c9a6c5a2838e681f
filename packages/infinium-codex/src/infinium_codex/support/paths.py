"""The directories that the connector uses."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

APP = "infinium-codex"
HOOK_HOME = f".local/share/{APP}"
"""The hook's home below the home directory on every POSIX system. The registered command has it for every user."""


class Places(NamedTuple):
    """The directories of one user. A named tuple, because a dataclass takes 10 ms longer to import."""

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
    import platformdirs

    return Places(
        data=_hook_home(environ),
        state=platformdirs.user_state_path(APP, appauthor=False),
        spool=spool_directory(environ),
    )


def _hook_home(environ: Mapping[str, str]) -> Path:
    if os.name == "posix":
        return (Path(home) if (home := environ.get("HOME")) else Path.home()) / HOOK_HOME
    import platformdirs

    return platformdirs.user_data_path(APP, appauthor=False)


def spool_directory(environ: Mapping[str, str]) -> Path:
    """The directory of the spool files. The hook has its own copy of this rule; a test compares them."""
    base = environ.get("CONNECTOR_SESSION_DIR") or environ.get("TMPDIR")
    if not base:
        import tempfile

        base = tempfile.gettempdir()
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return Path(base) / f"{APP}-{user}"
