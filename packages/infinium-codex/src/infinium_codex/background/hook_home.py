"""Brings the hook's home up to date after an upgrade of the connector or of Python.

A worker does this at every turn. Comparing each file with what would be written takes a tenth of its CPU time, so the
comparison runs only if a file of the home or of the connector changed since the last one.
"""

import os
import sys
from pathlib import Path

from infinium_config.files import read_small_file, write_atomically

import infinium_codex.capture
from infinium_codex.agent import Agent
from infinium_codex.support.paths import Places
from infinium_codex.version import VERSION

_NOTE = "hook-home.checked"
"""In the state directory, the state of all these files when they were last compared."""
_SOURCE = "hook.py"


def repair_hook_home(places: Places, agent: Agent) -> None:
    """Write what is missing or outdated in the hook's home. Without a home it does nothing. Raises OSError."""
    if not (places.data / _SOURCE).exists():  # it was removed on purpose
        return
    note = places.state / _NOTE
    if read_small_file(note) == _state_of_files(places.data, agent):
        return
    from infinium_codex.capture.install import install

    install(places, agent)
    places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(note, _state_of_files(places.data, agent), durable=False)


def _state_of_files(home: Path, agent: Agent) -> bytes:
    """Return the sizes and times of the files in the home, and of those that the content of the home depends on."""
    capture = infinium_codex.capture.__path__[0]
    environment = os.path.realpath(os.path.join(os.path.dirname(sys.executable), os.pardir))  # noqa: PTH118, PTH120
    paths = [
        entry.path for entry in os.scandir(home) if entry.name != _NOTE and not entry.is_dir(follow_symlinks=False)
    ]
    paths = [*sorted(paths), *sorted(entry.path for entry in os.scandir(capture)), f"{environment}/pyvenv.cfg"]
    facts = [VERSION, sys.version, agent.reference, *map(_state_of_file, paths)]
    return "\n".join(facts).encode("utf-8", "surrogateescape")


def _state_of_file(path: str) -> str:
    try:
        found = os.lstat(path)
        target = os.readlink(path) if os.path.islink(path) else ""  # noqa: PTH114, PTH115
    except OSError:
        return path
    return f"{path} {target} {found.st_size} {found.st_mtime_ns} {found.st_ino}"
