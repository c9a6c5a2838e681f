"""Find the project of a directory and load its settings."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from infinium_config.checkout import main_checkout
from infinium_config.errors import ProjectFileError
from infinium_config.files import read_small_file
from infinium_config.model import Problem, Project, UserFile
from infinium_config.ownership import is_trusted, owner_name
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
    project, passed_over = _find(Path() if start is None else start, home, lambda: _safe_directories(environ, user))
    file = read_project_file(project.config_path) if project else None
    return resolve(environ, project, file, user, problems=[_not_trusted(config) for config in passed_over])


def find_project(
    start: Path | None = None, *, home: Path | None = None, environ: Mapping[str, str] | None = None
) -> Project | None:
    """Find the nearest project at or above `start`, as git finds `.git`; None if there is none.

    In a linked worktree the search continues in its main checkout. A project file of another user than this one and
    root is passed over, unless `safe_directories` names its directory. `start` is by default the working directory,
    `environ` this process's environment and `home` the user's home directory, whose own `.infinium` is not a project.
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
    if not home and hasattr(os, "getuid"):
        import pwd

        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            return None
    return Path(home) if home else None


def _find(
    start: Path, home: Path | None, safe_directories: Callable[[], tuple[str, ...]]
) -> tuple[Project | None, list[Path]]:
    """The project, and the files of other users that were passed over. `safe_directories` is asked only for those."""
    passed_over: list[Path] = []
    homes = () if home is None else (home, home.resolve())  # the working directory has its links resolved
    start = start.absolute()
    worktree: Path | None = None
    pending = [start, *start.parents]
    while pending:
        directory = pending.pop(0)
        config = directory / CONFIG
        if directory not in homes and read_small_file(config) is not None:
            if is_trusted(directory, safe_directories):
                return Project(root=directory, config_path=config, via_worktree=worktree), passed_over
            passed_over.append(config)
        if worktree is None and (main := main_checkout(directory)) is not None:
            worktree = directory
            pending = [main, *main.parents]
    return None, passed_over


def _safe_directories(environ: Mapping[str, str], user: UserFile | None) -> tuple[str, ...]:
    return resolve(environ, None, None, user).safe_directories.value


def _not_trusted(config: Path) -> Problem:
    message = (
        f"{config} belongs to {owner_name(config)} and is not used. If you trust it, add {config.parent.parent} to "
        "safe_directories in your ~/.infinium/config.json, or to CONNECTOR_SAFE_DIRECTORIES."
    )
    return Problem(name="project", origin=str(config), message=message)
