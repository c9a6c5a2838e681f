"""Decides which project files are used. Anyone can put one into a directory above the project, such as `/tmp`.

The rule on owners is git's: a file must belong to this user or to root, or the user must name its directory as safe.
Windows has no such check. A linked directory or file is never used, because a link can lead to another project's
settings. The hook has its own copy of both rules; a test compares them.
"""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path


def find_link(directory: Path) -> Path | None:
    """Find the link among `.infinium` and `.infinium/config.json` in `directory`; None if neither is a link."""
    folder = directory / ".infinium"
    return next((path for path in (folder, folder / "config.json") if _is_link(path)), None)


def is_trusted(directory: Path, safe_directories: Callable[[], tuple[str, ...]]) -> bool:
    """Whether the owner of the project file in `directory` is trusted.

    `safe_directories` is called only for a file of another user.
    """
    if not hasattr(os, "getuid"):
        return True
    user = os.getuid()
    sudo = os.environ.get("SUDO_UID") if user == 0 else None
    for path in (directory / ".infinium", directory / ".infinium" / "config.json"):
        owner = path.lstat().st_uid
        if owner not in (user, 0) and sudo != str(owner) and not _is_named(directory, safe_directories()):
            return False
    return True


def owner_name(path: Path) -> str:
    """Name the user that a file belongs to, by id if it has no name. Empty on Windows, where files have no user id."""
    if sys.platform == "win32":
        return ""
    import pwd

    owner = path.lstat().st_uid
    try:
        return f"the user {pwd.getpwuid(owner).pw_name}"
    except KeyError:
        return f"the user with the id {owner}"


def _is_link(path: Path) -> bool:
    """Whether the path is a symbolic link or, on Windows, a junction."""
    try:
        found = path.lstat()
    except OSError:
        return False
    tag = getattr(found, "st_reparse_tag", 0)
    return stat.S_ISLNK(found.st_mode) or (tag != 0 and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", 0))


def _is_named(directory: Path, names: tuple[str, ...]) -> bool:
    return any(name == "*" or Path(name) == directory for name in names)
