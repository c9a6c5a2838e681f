"""Finds Codex's background daemon and compares its environment with this shell's.

The terminal UI (0.160 and later) runs sessions, and their hooks, in a daemon with the environment of the shell that
started it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.program import codex_home, is_codex
from infinium_codex.support.processes import environ_of, own_processes

_RELEVANT_PREFIXES = ("INFINIUM_", "CONNECTOR_")
_RELEVANT = frozenset({
    "HOME", "TMPDIR", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR",
    "PYTHON_KEYRING_BACKEND", "HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy", "SSL_CERT_FILE",
})  # fmt: skip
"""Variables that locate our files, the keyring and the way to the API."""
_HARMLESS = frozenset({"PATH"})
"""Variables whose difference is only mentioned: Codex adds to PATH itself, and hook commands have absolute paths."""
RESTART = "Run 'codex app-server daemon restart' in a shell with the right values, or set them in the project file."


class Daemon(Struct, frozen=True, kw_only=True):
    """A running daemon."""

    pid: int
    differs: tuple[str, ...]
    """Names of relevant variables whose value is not that of this shell, with the kind of difference."""
    harmless: tuple[str, ...]
    """The same for variables that affect nothing."""


def find_daemon(environ: Mapping[str, str]) -> Daemon | None:
    """Return the daemon that serves this user's CODEX_HOME. None if none runs, or its variables cannot be read."""
    home = codex_home(environ).resolve()
    for process in own_processes():
        if not _is_daemon(process.arguments):
            continue
        theirs = environ_of(process.pid)
        if theirs and _served_home(theirs).resolve() == home:
            differences = list(_differences(theirs, environ))
            return Daemon(
                pid=process.pid,
                differs=tuple(text for name, text in differences if _is_relevant(name)),
                harmless=tuple(text for name, text in differences if name in _HARMLESS),
            )
    return None


def _is_daemon(command: tuple[str, ...]) -> bool:
    return is_codex(command) and "app-server" in command and "--managed-daemon" in command


def _served_home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("CODEX_HOME") or f"{environ.get('HOME', '')}/.codex")


def _differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each variable that differs, with a text that says how. An empty variable counts as unset."""
    for name in sorted({*theirs, *ours}):
        there, here = theirs.get(name, ""), ours.get(name, "")
        if there != here:
            yield name, f"{name} ({_difference(there, here)})"


def _difference(there: str, here: str) -> str:
    if there and here:
        return "different value"
    return "set only in this shell" if here else "set only in the daemon"


def _is_relevant(name: str) -> bool:
    return name.startswith(_RELEVANT_PREFIXES) or name in _RELEVANT
