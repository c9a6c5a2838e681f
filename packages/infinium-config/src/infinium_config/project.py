"""Find the project of a directory and load its settings."""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from infinium_config.checkout import main_checkout
from infinium_config.errors import ProjectFileError
from infinium_config.files import read_small_file
from infinium_config.model import Problem, Project, UserFile
from infinium_config.ownership import find_link, is_trusted, owner_name
from infinium_config.precedence import resolve
from infinium_config.project_file import read_project_file, read_user_file
from infinium_config.settings import Settings

CONFIG = Path(".infinium") / "config.json"


def load(start: Path | None = None, environ: Mapping[str, str] | None = None, *, home: Path | None = None) -> Settings:
    """Load the settings that apply in a directory.

    `start` is by default the working directory, `environ` this process's environment and `home` the home directory
    that `environ` names. Raises ProjectFileError for an invalid file.
    """
    environ = os.environ if environ is None else environ
    home = home_directory(environ) if home is None else home
    user = user_file(home)
    project, problems = _find(Path() if start is None else start, home, lambda: _safe_directories(environ, user))
    file = read_project_file(project.config_path) if project else None
    return resolve(environ, project, file, user, problems=problems)


def find_project(
    start: Path | None = None, *, home: Path | None = None, environ: Mapping[str, str] | None = None
) -> Project | None:
    """Find the nearest project at or above `start`, as git finds `.git`; None if there is none.

    In a linked worktree the search continues in its main checkout. A project file of another user than this one and
    root is passed over, unless `safe_directories` names its directory. So is a project file, or the `.infinium` around
    it, that is a symbolic link; `load` reports both as problems. `start` is by default the working directory, `environ`
    this process's environment and `home` the user's home directory, whose own `.infinium` is not a project.
    """
    environ = os.environ if environ is None else environ
    home = home_directory(environ) if home is None else home

    def safe_directories() -> tuple[str, ...]:
        try:
            return _safe_directories(environ, user_file(home))
        except ProjectFileError:
            return _safe_directories(environ, None)

    return _find(Path() if start is None else start, home, safe_directories)[0]


def user_file(home: Path | None) -> UserFile | None:
    """The user's own file, in the home directory; None if there is none. Raises ProjectFileError."""
    return None if home is None else read_user_file(home / CONFIG)


def home_directory(environ: Mapping[str, str]) -> Path | None:
    """The home directory that the environment names, else that of the password database; None if there is none."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if not home and sys.platform != "win32":
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    return Path(home) if home else None


def _find(
    start: Path, home: Path | None, safe_directories: Callable[[], tuple[str, ...]]
) -> tuple[Project | None, list[Problem]]:
    """Find the project, and the files that are not used. `safe_directories` is called only for files of other users."""
    problems: list[Problem] = []
    homes = () if home is None else (home, home.resolve())  # the working directory has its links resolved
    start = start.absolute()
    worktree: Path | None = None
    pending = [start, *start.parents]
    while pending:
        directory = pending.pop(0)
        config = directory / CONFIG
        if directory not in homes:
            if (link := find_link(directory)) is not None:
                problems.append(_is_linked(link))
            elif read_small_file(config) is not None:
                if is_trusted(directory, safe_directories):
                    return Project(root=directory, config_path=config, via_worktree=worktree), problems
                problems.append(_not_trusted(config))
        if worktree is None and (main := main_checkout(directory)) is not None:
            worktree = directory
            pending = [main, *main.parents]
    return None, problems


def _safe_directories(environ: Mapping[str, str], user: UserFile | None) -> tuple[str, ...]:
    return resolve(environ, None, None, user).safe_directories.value


def _not_trusted(config: Path) -> Problem:
    message = (
        f"{config} belongs to {owner_name(config)} and is not used. If you trust it, add {config.parent.parent} to "
        "safe_directories in your ~/.infinium/config.json, or to CONNECTOR_SAFE_DIRECTORIES."
    )
    return Problem(name="project", origin=str(config), message=message)


def _is_linked(link: Path) -> Problem:
    owner = f" It belongs to {name}." if (name := owner_name(link)) else ""
    message = (
        f"{link} is a link that leads to {os.path.realpath(link)} and is not used.{owner} Replace the link "
        "by a file or directory of the project, or remove it."
    )
    return Problem(name="project", origin=str(link), message=message)
