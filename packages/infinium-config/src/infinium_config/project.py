"""Find the project a directory belongs to, as git finds `.git`; from a linked worktree, in its main checkout too."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config.checkout import main_checkout
from infinium_config.files import read_small_file
from infinium_config.model import Project
from infinium_config.precedence import resolve
from infinium_config.project_file import read_project_file, read_user_file
from infinium_config.settings import Settings

CONFIG = Path(".infinium") / "config.json"


def find_project(start: Path, *, home: Path | None) -> Project | None:
    """The nearest project at or above `start`. `.infinium` in `home` itself is not a project's."""
    homes = () if home is None else (home, home.resolve())  # the working directory comes with links resolved
    worktree: Path | None = None
    pending = [*_upwards(start.absolute())]
    while pending:
        directory = pending.pop(0)
        config = directory / CONFIG
        if directory not in homes and read_small_file(config) is not None:
            return Project(root=directory, config_path=config, via_worktree=worktree)
        if worktree is None and (main := main_checkout(directory)) is not None:
            worktree = directory
            pending = [*_upwards(main)]
    return None


def load(start: Path, environ: Mapping[str, str], *, home: Path | None) -> Settings:
    """The settings that hold in `start`. Raises ProjectFileError for a file that cannot be used."""
    project = find_project(start, home=home)
    user = read_user_file(home / CONFIG) if home is not None else None
    return resolve(environ, project, read_project_file(project.config_path) if project else None, user)


def _upwards(directory: Path) -> list[Path]:
    return [directory, *directory.parents]
