"""Loads the settings of the project at a directory, and records what is wrong with them."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config import InfiniumConfigError, Settings, home_directory, load

from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places

__all__ = ["home_directory", "load_settings"]


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
