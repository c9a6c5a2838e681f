"""Loads the settings of the project at a directory, and records what is wrong with them."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config import InfiniumConfigError, Settings, load

from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places


def load_settings(places: Places, cwd: Path, environ: Mapping[str, str]) -> Settings | None:
    """Load the settings that apply in `cwd`.

    Each problem is recorded as an error. Returns None when the project file cannot be read.
    """
    labels = {"directory": str(cwd)}
    try:
        settings = load(cwd, environ, home=home_directory(environ))
    except InfiniumConfigError as error:
        record_error(places, "config", str(error), labels)
        return None
    for problem in settings.problems:
        record_error(places, "config", problem.message, labels)
    return settings


def home_directory(environ: Mapping[str, str]) -> Path | None:
    """The user's home directory. The `.infinium` directory in it does not belong to a project."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) if home else None
