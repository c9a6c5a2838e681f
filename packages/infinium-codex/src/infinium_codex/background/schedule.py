"""The agenda: what is left to do later, written down for the timer.

An entry names a session's spool and the variables its settings came from, so that the session is traced later as it
would have been at once; or it is the outbox, whose next trace is due after a while. Entries hold no secret. Their
fields end in zero bytes, which neither paths nor variables can hold; no JSON, since this is on the way of every prompt.
"""

import os
import sys
from binascii import crc32
from collections.abc import Mapping

from infinium_codex.background import scheduler as timer

OUTBOX = "outbox"
AGENDA_LINK = "agenda"
"""Beside the spools, a link to the agenda: following it costs a prompt less than working out where state belongs."""
SECRET_VARIABLE = "INFINIUM_AGENT_SECRET"  # noqa: S105 - the name of one
DEFAULT_TTL = 600.0
GRACE = 86_400.0
"""Seconds for which a stale session's spool is kept when it cannot be traced, its project file being broken, say."""
_OURS = ("INFINIUM_", "CONNECTOR_")


class Agenda:
    """The entries in `directory`, and the timer that serves them."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name."""
        return os.path.exists(f"{self.directory}/{name}")  # noqa: PTH110

    def watch(self, spool: str, environ: Mapping[str, str], *, quiet: float | None = None) -> None:
        """Have the session looked after when its spool has stood still for `quiet` seconds, the stale time at least."""
        kept = (f"{name}={value}" for name, value in environ.items() if _is_kept(name))
        wait = stale_seconds(environ) if quiet is None else quiet
        self._write(entry_name(spool), [str(wait), spool, *kept])

    def send_after(self, seconds: float) -> None:
        """Have the outbox looked after in so many seconds."""
        self._write(OUTBOX, [str(max(seconds, 0.0)), ""])

    def forget(self, name: str) -> None:
        """Take an entry away. The timer learns of it when it next looks."""
        try:
            os.unlink(f"{self.directory}/{name}")  # noqa: PTH108
        except FileNotFoundError:
            pass

    def session(self, name: str) -> tuple[str, dict[str, str]] | None:
        """The spool and the variables of an entry; None when there is none, or it is no session's."""
        try:
            with open(f"{self.directory}/{name}", "rb") as file:  # noqa: PTH123
                _, spool, *variables = os.fsdecode(file.read()).split("\0")[:-1]
        except (OSError, ValueError):
            return None
        kept = (variable.partition("=") for variable in variables)
        return (spool, {name: value for name, _, value in kept if _is_kept(name)}) if spool.endswith(".spool") else None

    def start_timer(self, environ: Mapping[str, str], *, replace: bool = False) -> None:
        """See to it that a timer knows of the newest entry: wake the one there is, or start one.

        With `replace` a new one takes its place: what waits can be sent only with the secret in this environment.
        """
        if not replace and timer.wake_timer(self.directory):
            return
        more = ["replace"] if replace else []
        arguments = [sys.executable, "-I", "-S", timer.__file__, self.directory, *more]
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        os.posix_spawn(sys.executable, arguments, dict(environ), file_actions=null, setsid=True)

    def _write(self, name: str, fields: list[str]) -> None:
        os.makedirs(self.directory, 0o700, exist_ok=True)  # noqa: PTH103
        aside = f"{self.directory}/.{name}.{os.getpid()}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(b"".join(os.fsencode(field) + b"\0" for field in fields))
        os.replace(aside, f"{self.directory}/{name}")  # noqa: PTH105


def entry_name(spool: str) -> str:
    """The name of a session's entry. The same session may have spools in two places."""
    directory, _, name = spool.rpartition("/")
    return f"{name.removesuffix('.spool')}-{crc32(os.fsencode(directory)):08x}"


def with_variables(environ: Mapping[str, str], kept: Mapping[str, str]) -> dict[str, str]:
    """An environment with the variables that were kept in place of its own; its secret stays."""
    return {name: value for name, value in environ.items() if not _is_kept(name)} | dict(kept)


def stale_seconds(environ: Mapping[str, str]) -> float:
    """CONNECTOR_SESSION_TTL as infinium-config reads it, without loading it."""
    try:
        seconds = float(environ.get("CONNECTOR_SESSION_TTL", ""))
    except ValueError:
        return DEFAULT_TTL
    return seconds if 0 < seconds < 1e9 else DEFAULT_TTL


def _is_kept(name: str) -> bool:
    return name.startswith(_OURS) and name != SECRET_VARIABLE
