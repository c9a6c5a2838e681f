"""Codex's background daemon: the terminal UI's hooks run in it, with the environment of the shell that started it."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.program import codex_home

PROC = Path("/proc")
MATTERS = (
    *("HOME", "TMPDIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"),
    *("PYTHON_KEYRING_BACKEND", "HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy", "SSL_CERT_FILE"),
)
"""Beside INFINIUM_* and CONNECTOR_*: where our files are, how the keyring is reached, and the way to the API."""
HARMLESS = ("PATH",)
"""Worth a word, and no more: Codex itself puts a directory before it, and the hook's command has whole paths."""
RESTART = "Run 'codex app-server daemon restart' in a shell that has them right; or set them in the project file."


class Daemon(Struct, frozen=True, kw_only=True):
    """A daemon that runs."""

    pid: int
    differs: tuple[str, ...]
    """Variables that matter to us and are not as in this shell: their names, never their values."""
    harmless: tuple[str, ...]
    """Others that are not as in this shell."""


def find_daemon(environ: Mapping[str, str]) -> Daemon | None:
    """The daemon that serves this CODEX_HOME for this user; None where none runs, or where no /proc tells of it."""
    home = codex_home(environ).resolve()
    for directory in PROC.iterdir() if PROC.is_dir() else ():
        if not directory.name.isdigit():
            continue
        try:
            if directory.stat().st_uid != os.getuid() or not _is_daemon((directory / "cmdline").read_bytes()):
                continue
            theirs = _variables((directory / "environ").read_bytes())
        except OSError:
            continue  # ended meanwhile, or not ours to look into
        served = theirs.get("CODEX_HOME") or f"{theirs.get('HOME', '')}/.codex"
        if Path(served).resolve() == home:
            names = [name for name in sorted({*theirs, *environ}) if theirs.get(name, "") != environ.get(name, "")]
            return Daemon(
                pid=int(directory.name),
                differs=tuple(_told(name, theirs, environ) for name in names if _matters(name)),
                harmless=tuple(_told(name, theirs, environ) for name in names if name in HARMLESS),
            )
    return None


def _matters(name: str) -> bool:
    return name.startswith(("INFINIUM_", "CONNECTOR_")) or name in MATTERS


def _told(name: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    if theirs.get(name) and ours.get(name):
        return f"{name} (another value)"
    return f"{name} (only {'here' if ours.get(name) else 'there'})"


def _is_daemon(command: bytes) -> bool:
    program, *arguments = os.fsdecode(command).split("\0")
    named = any(Path(word).name.startswith("codex") for word in (program, *arguments[:1]))
    return named and "app-server" in arguments and "--managed-daemon" in arguments


def _variables(block: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(item).partition("=") for item in block.split(b"\0") if item)
    return {name: value for name, _, value in pairs}
