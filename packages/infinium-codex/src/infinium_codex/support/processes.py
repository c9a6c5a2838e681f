"""What other processes of the user's are at, as far as /proc tells."""

import os
from pathlib import Path


def is_held_open(path: Path) -> bool:
    """Whether a process has this file open; False too where that cannot be known."""
    try:
        wanted = path.stat()
        processes = os.listdir("/proc")  # noqa: PTH208
    except OSError:
        return False
    return any(name.isdigit() and _holds(f"/proc/{name}/fd", wanted) for name in processes)


def _holds(descriptors: str, wanted: os.stat_result) -> bool:
    try:
        names = os.listdir(descriptors)  # noqa: PTH208
    except OSError:
        return False  # ended meanwhile, or somebody else's
    for name in names:
        try:
            found = os.stat(f"{descriptors}/{name}")  # noqa: PTH116
        except OSError:
            continue
        if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
            return True
    return False
