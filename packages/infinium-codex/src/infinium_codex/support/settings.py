"""Loads the settings of the project at a directory, and records what is wrong with them."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config import InfiniumConfigError, Settings, home_directory, load

from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places

__all__ = ["home_directory", "is_set_up", "load_settings"]

_DESTINATION_VARIABLES = ("INFINIUM_AGENT_ID", "INFINIUM_BASE_URL")
_OTLP_VARIABLE = "CONNECTOR_OTLP_ENDPOINT"


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


def is_set_up(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Whether traces are recorded here: there is a project file, or the environment configures a destination."""
    if settings.project is not None or any(environ.get(name, "").strip() for name in _DESTINATION_VARIABLES):
        return True
    return environ.get(_OTLP_VARIABLE, "off") not in ("", "off")  # as the hook decides
