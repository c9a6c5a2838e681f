"""Decides whose project files are obeyed: anyone can put one into a directory above the project, such as `/tmp`.

The rule is git's: a file must belong to this user or to root, or the user must name its directory as safe. The hook has
its own copy of this rule; a test compares them. Windows has no such check.
"""

import os
from collections.abc import Callable
from pathlib import Path


def is_trusted(directory: Path, safe_directories: Callable[[], tuple[str, ...]]) -> bool:
    """Whether the project file in `directory` is to be obeyed. `safe_directories` is called only in case of doubt."""
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
    """The user that a file belongs to, by name if it has one."""
    owner = path.lstat().st_uid
    try:
        import pwd

        return f"the user {pwd.getpwuid(owner).pw_name}"
    except (ImportError, KeyError):
        return f"the user with the id {owner}"


def _is_named(directory: Path, names: tuple[str, ...]) -> bool:
    return any(name == "*" or Path(name) == directory for name in names)
