"""The agenda: what is left to do later, written down for the timer.

An entry names a session's spool and the variables its settings came from, so that the session is traced later as it
would have been at once; or it is the outbox, whose next trace is due after a while. Entries hold no secret.
"""

import json
import os
import sys
from binascii import crc32
from collections.abc import Mapping
from pathlib import Path

from infinium_codex import timer

OUTBOX = "outbox"
SECRET_VARIABLE = "INFINIUM_AGENT_SECRET"  # noqa: S105 - the name of one
DEFAULT_TTL = 600.0
GRACE = 86_400.0
"""Seconds for which a stale session's spool is kept when it cannot be traced, its project file being broken, say."""
_OURS = ("INFINIUM_", "CONNECTOR_")


class Agenda:
    """The entries in `directory`, and the timer that serves them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        return (self.directory / name).exists()

    def watch(self, spool: Path, environ: Mapping[str, str], *, quiet: float | None = None) -> None:
        """Have the session looked after when its spool has stood still for `quiet` seconds, the stale time at least."""
        kept = {name: value for name, value in environ.items() if name.startswith(_OURS) and name != SECRET_VARIABLE}
        wait = stale_seconds(environ) if quiet is None else quiet
        self._write(entry_name(spool), {"watch": str(spool), "quiet": wait, "environ": kept})

    def send_after(self, seconds: float) -> None:
        """Have the outbox looked after in so many seconds."""
        self._write(OUTBOX, {"quiet": max(seconds, 0.0)})

    def forget(self, name: str) -> None:
        """Take an entry away. The timer learns of it when it next looks."""
        (self.directory / name).unlink(missing_ok=True)

    def session(self, name: str) -> tuple[Path, dict[str, str]] | None:
        """The spool and the variables of an entry; None when there is none, or it is no session's."""
        try:
            entry = json.loads((self.directory / name).read_bytes())
            environ = {str(key): str(value) for key, value in entry.get("environ", {}).items()}
            return Path(entry["watch"]), environ
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def start_timer(self, environ: Mapping[str, str], *, replace: bool = False) -> None:
        """See to it that a timer knows of the newest entry: wake the one there is, or start one.

        With `replace` a new one takes its place: what waits can be sent only with the secret in this environment.
        """
        directory = str(self.directory)
        if not replace and timer.wake_timer(directory):
            return
        more = ["replace"] if replace else []
        arguments = [sys.executable, "-I", "-S", timer.__file__, directory, *more]
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        os.posix_spawn(sys.executable, arguments, dict(environ), file_actions=null, setsid=True)

    def _write(self, name: str, entry: dict[str, object]) -> None:
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = self.directory / f".{name}.{os.getpid()}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(json.dumps(entry).encode())
        aside.replace(self.directory / name)


def entry_name(spool: Path) -> str:
    """The name of a session's entry. The same session may have spools in two places."""
    return f"{spool.stem}-{crc32(os.fsencode(spool.parent)):08x}"


def with_variables(environ: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """An environment with the variables that were kept in place of its own; its secret stays."""
    others = {name: value for name, value in environ.items() if not name.startswith(_OURS) or name == SECRET_VARIABLE}
    return others | dict(kept)


def stale_seconds(environ: Mapping[str, str]) -> float:
    """CONNECTOR_SESSION_TTL as infinium-config reads it, without loading it: this runs at every prompt."""
    try:
        seconds = float(environ.get("CONNECTOR_SESSION_TTL", ""))
    except ValueError:
        return DEFAULT_TTL
    return seconds if 0 < seconds < 1e9 else DEFAULT_TTL
