"""Guards what commands read and write in a project: no link that leads out of it, no device, FIFO or endless file."""

import os
import stat
from pathlib import Path

from infinium_config.files import read_small_file

from infinium_codex.support.result import CommandError

_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


def check_file(path: Path, root: Path | None) -> None:
    """Raise CommandError unless `path` is a regular file, or missing; with `root`, one below that directory.

    The error names where a link leads to.
    """
    target = Path(os.path.realpath(path))
    if root is not None and not target.is_relative_to(os.path.realpath(root)):
        hint = "Nothing was changed. Replace the link by a file or directory of the project, or remove it."
        raise CommandError(f"{path} leads to {target}, outside of {root}.", hint)
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", "Nothing was changed.") from None
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a device")
        leads = "" if target == path.absolute() else f" (it leads to {target})"
        raise CommandError(f"{path} is {kind}, not a file{leads}.", "Nothing was changed. Move it aside.")


def read_text(path: Path, root: Path | None) -> str | None:
    """Return the text of a file that `check_file` accepts; None if it is missing. Raises CommandError."""
    check_file(path, root)
    if not path.exists():
        return None
    content = read_small_file(path, follow_links=True)
    if content is None:
        raise CommandError(f"{path} cannot be read: it must be at most 1 MiB and readable.", "Nothing was changed.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} cannot be read: {error}.", "Correct it, or move it aside.") from None
