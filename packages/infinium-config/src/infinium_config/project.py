"""Find the project of a directory and load its settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from infinium_config.checkout import main_checkout
from infinium_config.files import read_small_file
from infinium_config.model import Project, UserFile
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
    project = _find(Path() if start is None else start, home)
    file = read_project_file(project.config_path) if project else None
    return resolve(environ, project, file, user_file(home))


def find_project(start: Path | None = None, *, home: Path | None = None) -> Project | None:
    """Find the nearest project at or above `start`, as git finds `.git`; None if there is none.

    In a linked worktree the search continues in its main checkout. `start` is by default the working directory and
    `home` the user's home directory, whose own `.infinium` is not a project.
    """
    return _find(Path() if start is None else start, home_directory(os.environ) if home is None else home)


def user_file(home: Path | None) -> UserFile | None:
    """The user's own file, in the home directory; None if there is none. Raises ProjectFileError."""
    return None if home is None else read_user_file(home / CONFIG)


def home_directory(environ: Mapping[str, str]) -> Path | None:
    """The home directory that the environment names; None if it names none."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) if home else None


def _find(start: Path, home: Path | None) -> Project | None:
    homes = () if home is None else (home, home.resolve())  # the working directory has its links resolved
    start = start.absolute()
    worktree: Path | None = None
    pending = [start, *start.parents]
    while pending:
        directory = pending.pop(0)
        config = directory / CONFIG
        if directory not in homes and read_small_file(config) is not None:
            return Project(root=directory, config_path=config, via_worktree=worktree)
        if worktree is None and (main := main_checkout(directory)) is not None:
            worktree = directory
            pending = [main, *main.parents]
    return None
