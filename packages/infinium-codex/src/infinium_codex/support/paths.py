"""Where the connector keeps its things, decided in one place."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

APP = "infinium-codex"


class Places(NamedTuple):
    """The directories of one user. A named tuple, because dataclasses cost every prompt 10 ms to import."""

    data: Path
    """The hook's home: hook.py, and links to the interpreter and the environment that run it. Survives upgrades."""
    state: Path
    """Outbox, ledger, local traces, logs: survives a reboot."""
    spool: Path
    """Hook events not yet made into traces, one file a session. In the temp directory unless told otherwise."""

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
        """The user's own table of prices, where there is one."""
        return self.data / "prices.toml"

    @property
    def origins(self) -> Path:
        """The API origins approved for all connectors. Equals `infinium_config.approvals_path()`."""
        return self.state.parent / "infinium" / "origins.json"


def find_places(environ: Mapping[str, str]) -> Places:
    """The places of the user whose environment this is."""
    import platformdirs

    return Places(
        data=platformdirs.user_data_path(APP, appauthor=False),
        state=platformdirs.user_state_path(APP, appauthor=False),
        spool=spool_directory(environ),
    )


def spool_directory(environ: Mapping[str, str]) -> Path:
    """Where the hook appends: it decides by the same rule, without importing this (a test holds the two together)."""
    base = environ.get("CONNECTOR_SESSION_DIR") or environ.get("TMPDIR")
    if not base:
        import tempfile

        base = tempfile.gettempdir()
    user = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return Path(base) / f"{APP}-{user}"
