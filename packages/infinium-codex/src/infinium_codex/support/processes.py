"""What `/proc` says about other processes of the user."""

import os
from pathlib import Path


def is_held_open(path: Path) -> bool:
    """Whether a process has this file open. False if that cannot be known, as on systems without `/proc`."""
    try:
        file = path.stat()
        processes = os.listdir("/proc")  # noqa: PTH208
    except OSError:
        return False
    return any(name.isdigit() and _has_open(f"/proc/{name}/fd", file) for name in processes)


def _has_open(descriptors: str, file: os.stat_result) -> bool:
    try:
        names = os.listdir(descriptors)  # noqa: PTH208
    except OSError:
        return False  # the process has ended, or belongs to another user
    for name in names:
        try:
            opened = os.stat(f"{descriptors}/{name}")  # noqa: PTH116
        except OSError:
            continue
        if (opened.st_dev, opened.st_ino) == (file.st_dev, file.st_ino):
            return True
    return False
