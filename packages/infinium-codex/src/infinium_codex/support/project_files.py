"""Guards what commands read and write in a project: no link that leads out of it, no device, FIFO or endless file."""

import os
import stat
from pathlib import Path

from infinium_config import Project, load
from infinium_config.files import read_small_file
from infinium_config.ownership import find_link
from infinium_config.project import CONFIG

from infinium_codex.support.result import CommandContext, CommandError
from infinium_codex.support.settings import home_directory

_KINDS = {stat.S_IFDIR: "a directory", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}


def require_project(ctx: CommandContext) -> Project:
    """Find the project at the working directory.

    Raises CommandError where there is none. The error names the project files that are not used, and why. Raises
    ProjectFileError for an invalid file.
    """
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    if settings.project is not None:
        return settings.project
    message = f"No Infinium project in {ctx.cwd} or a parent directory."
    unused = [problem.message for problem in settings.problems if problem.name == "project"]
    raise CommandError(" ".join([message, *unused]), "" if unused else "Run 'infinium-codex init'.")


def check_project_file(root: Path) -> None:
    """Raise CommandError unless the project file in `root` is a regular file, or missing, and no link leads to it."""
    link = find_link(root)
    if link is not None:
        hint = "Nothing was changed. Replace the link by a file or directory of the project, or remove it."
        raise CommandError(f"{link} is a link that leads to {os.path.realpath(link)}.", hint)
    check_file(root / CONFIG, root)


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
