"""Remembers the directories that held spools: CONNECTOR_SESSION_DIR or TMPDIR may be set to another one later.

A worker imports this module at the first prompt of a session, so it imports only what an interpreter has loaded.
"""

import os

from infinium_config.files import read_small_file, write_atomically

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from pathlib import Path

    from infinium_codex.support.paths import Places

NAME = ".spools"
"""Name of the list, in the directory of the schedule. A path in it ends with a zero byte, which no path can contain."""
_MOST = 50
"""The newest directories are remembered."""


def remember_spool_directory(schedule: str, directory: str) -> None:
    """Add a directory to the list beside the schedule. Raises OSError."""
    known = _read(schedule)
    if directory in known:
        return
    kept = [path for path in known if os.path.isdir(path)][1 - _MOST :]  # noqa: PTH112
    os.makedirs(schedule, 0o700, exist_ok=True)  # noqa: PTH103
    content = b"".join(os.fsencode(path) + b"\0" for path in (*kept, directory))
    write_atomically(f"{schedule}/{NAME}", content, durable=False)


def find_spool_directories(places: "Places") -> "list[Path]":
    """The directories with spools of this user: the present one, and those used earlier that still exist.

    A remembered directory counts only if it has the name of a spool directory and belongs to this user.
    """
    from pathlib import Path

    earlier = (Path(path) for path in _read(str(places.schedule)))
    found = [path for path in earlier if path != places.spool and path.name == places.spool.name and _is_own(path)]
    return [places.spool, *dict.fromkeys(found)]


def _read(schedule: str) -> list[str]:
    return os.fsdecode(read_small_file(f"{schedule}/{NAME}") or b"").split("\0")[:-1]


def _is_own(path: "Path") -> bool:
    return path.is_dir() and not path.is_symlink() and (not hasattr(os, "getuid") or path.stat().st_uid == os.getuid())
