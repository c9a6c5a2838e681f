"""Environment over project file over default: one pure function."""

import re
from collections.abc import Mapping
from typing import Any

from infinium_config.declared import DECLARED, Declared
from infinium_config.model import Problem, Project, ProjectFile, Setting, Settings, Source

_SHOWN = 60
_USER_AND_PASSWORD = re.compile(r"//[^/@]*@")
_MANY_DRAWN_LETTERS = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def resolve(environ: Mapping[str, str], project: Project | None, file: ProjectFile | None) -> Settings:
    """The settings that hold. A variable that cannot be used becomes a problem, and the next source holds."""
    problems: list[Problem] = []
    settings: dict[str, Any] = {
        declared.name: _resolve_one(declared, environ, project, file, problems) for declared in DECLARED
    }
    if file is not None and "agent_secret" in file.extra:
        origin = str(project.config_path) if project else "the project file"
        message = (
            f"{origin} holds an agent_secret, and a secret does not belong in a file: remove it and make a new one."
        )
        problems.append(Problem(name="agent_secret", origin=origin, message=message))
    return Settings(**settings, problems=tuple(problems), project=project)


def _resolve_one(
    declared: Declared,
    environ: Mapping[str, str],
    project: Project | None,
    file: ProjectFile | None,
    problems: list[Problem],
) -> Setting[Any]:
    text = environ.get(declared.variable, "") if declared.variable else ""
    if declared.variable and text.strip():
        try:
            value = declared.parse(text)
        except ValueError as error:
            message = f"{declared.variable}={shown(text)} cannot be used: {error}."
            problems.append(Problem(name=declared.name, origin=declared.variable, message=message))
        else:
            return Setting(name=declared.name, value=value, source=Source.ENVIRONMENT, origin=declared.variable)
    told = getattr(file, declared.name) if file is not None and declared.in_file else None
    if told is not None:
        origin = str(project.config_path) if project else "project file"
        if declared.name == "redaction" and told == "off":
            message = f"{origin} turns redaction off, which only CONNECTOR_REDACTION=off in your environment can do."
            problems.append(Problem(name=declared.name, origin=origin, message=message))
        else:
            return Setting(name=declared.name, value=told, source=Source.PROJECT_FILE, origin=origin)
    return Setting(name=declared.name, value=declared.default, source=Source.DEFAULT)


def shown(text: str) -> str:
    """A value that cannot be used, for a message: what may be a secret in the wrong place is not repeated."""
    text = _MANY_DRAWN_LETTERS.sub("***", _USER_AND_PASSWORD.sub("//***@", text))
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
