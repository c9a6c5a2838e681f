"""Codex's background daemon: the terminal UI's hooks run in it, with the environment of the shell that started it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from infinium_codex.diagnosis.checks import Check, ok, unknown, warning
from infinium_codex.diagnosis.situation import Situation
from infinium_codex.paths import codex_home

PROC = Path("/proc")
MATTERS = (
    *("HOME", "TMPDIR", "XDG_DATA_HOME", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"),
    *("PYTHON_KEYRING_BACKEND", "HTTPS_PROXY", "NO_PROXY", "https_proxy", "no_proxy", "SSL_CERT_FILE", "PATH"),
)
"""Beside INFINIUM_* and CONNECTOR_*: where our files are, how the keyring is reached, and the way to the API."""
_FREELY = ("PATH",)
"""Differs from shell to shell, and does no harm: the hook's command has whole paths."""


def variables(s: Situation) -> Check:
    """Whether hooks in the daemon see the variables this shell has. Names are told, values never."""
    name = "daemon"
    if not PROC.is_dir():
        return unknown(name, "whether Codex's daemon has the variables of this shell is not seen on this system")
    daemons = list(_daemons(s))
    if not daemons:
        return ok(name, "none runs: hooks will have the variables of the shell that starts Codex")
    pid, theirs = daemons[0]
    told = [words for word in sorted({*theirs, *s.environ}) if (words := _difference(word, theirs, s.environ))]
    grave = [words for words in told if not words.startswith(_FREELY)]
    known = f"Codex's daemon (process {pid})"
    if grave:
        evidence = f"hooks of the terminal UI run in {known}, which has other variables: {', '.join(told)}"
        fix = "Run 'codex app-server daemon restart' in a shell that has them right; or set them in the project file."
        return warning(name, evidence, fix)
    return ok(name, f"{known} has the same variables" + (f", but for {', '.join(told)}" if told else ""))


def _difference(name: str, theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    if not name.startswith(("INFINIUM_", "CONNECTOR_")) and name not in MATTERS:
        return ""
    there, here = theirs.get(name, ""), ours.get(name, "")
    if there == here:
        return ""
    if not there or not here:
        return f"{name} (only {'here' if here else 'there'})"
    return f"{name} (another value)"


def _daemons(s: Situation) -> Iterator[tuple[int, dict[str, str]]]:
    """The daemons of this user that serve this CODEX_HOME, with their environments."""
    home = codex_home(s.environ).resolve()
    for directory in sorted(PROC.iterdir()):
        if not directory.name.isdigit():
            continue
        try:
            if directory.stat().st_uid != os.getuid() or not _is_daemon((directory / "cmdline").read_bytes()):
                continue
            environ = _variables((directory / "environ").read_bytes())
        except OSError:
            continue  # ended meanwhile, or not ours to look into
        served = environ.get("CODEX_HOME") or f"{environ.get('HOME', '')}/.codex"
        if Path(served).resolve() == home:
            yield int(directory.name), environ


def _is_daemon(command: bytes) -> bool:
    program, *arguments = os.fsdecode(command).split("\0")
    named = any(Path(word).name.startswith("codex") for word in (program, *arguments[:1]))
    return named and "app-server" in arguments and "--managed-daemon" in arguments


def _variables(block: bytes) -> dict[str, str]:
    pairs = (os.fsdecode(item).partition("=") for item in block.split(b"\0") if item)
    return {name: value for name, _, value in pairs}
