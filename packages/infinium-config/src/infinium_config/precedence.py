"""Environment over files over default: one pure function."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from infinium_config.declared import DECLARED, Declared
from infinium_config.model import Problem, Project, ProjectFile, Setting, Settings, Source, UserFile
from infinium_config.parse import REDACTION_MODES

T = TypeVar("T")
_SHOWN = 60
_USER_AND_PASSWORD = re.compile(r"//[^/@]*@")
_MANY_DRAWN_LETTERS = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def resolve(
    environ: Mapping[str, str], project: Project | None, file: ProjectFile | None, user: UserFile | None = None
) -> Settings:
    """The settings that hold. A variable that cannot be used becomes a problem, and the next source holds."""
    problems: list[Problem] = []
    settings: dict[str, Any] = {
        declared.name: _resolve_one(declared, environ, project, file, problems) for declared in DECLARED
    }
    settings["redact_patterns"] = _all_patterns(settings["redact_patterns"], project, file, user)
    if user is not None:
        settings |= {setting.name: setting for setting in _users_own(settings, user)}
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
            message = (
                f"{origin} turns redaction off, which only CONNECTOR_REDACTION=off in your environment "
                "or your own ~/.infinium/config.json can do."
            )
            problems.append(Problem(name=declared.name, origin=origin, message=message))
        else:
            return Setting(name=declared.name, value=told, source=Source.PROJECT_FILE, origin=origin)
    return Setting(name=declared.name, value=declared.default, source=Source.DEFAULT)


def _all_patterns(
    first: Setting[tuple[str, ...]], project: Project | None, file: ProjectFile | None, user: UserFile | None
) -> Setting[tuple[str, ...]]:
    """Those of every source: each of them can only add."""
    found = [first] if first.value else []
    if user is not None and user.redact_patterns:
        found.append(_of_user(first.name, user.redact_patterns, user))
    if first.source is Source.ENVIRONMENT and file is not None and file.redact_patterns:
        origin = str(project.config_path) if project else "project file"
        value = file.redact_patterns
        found.append(Setting(name=first.name, value=value, source=Source.PROJECT_FILE, origin=origin))
    if len(found) <= 1:
        return found[0] if found else first
    return Setting(
        name=first.name,
        value=tuple(dict.fromkeys(pattern for setting in found for pattern in setting.value)),
        source=found[0].source,
        origin=", ".join(setting.origin for setting in found),
    )


def _users_own(settings: Mapping[str, Setting[Any]], user: UserFile) -> Iterator[Setting[Any]]:
    """What only the user may set, and no variable has; a project may have asked for tighter redaction than the user."""
    if user.redact_allow is not None and settings["redact_allow"].source is Source.DEFAULT:
        yield _of_user("redact_allow", user.redact_allow, user)
    told, mode = settings["redaction"], user.redaction
    if mode is None or told.source is Source.ENVIRONMENT:
        return
    if told.source is Source.DEFAULT or REDACTION_MODES.index(mode) > REDACTION_MODES.index(told.value):
        yield _of_user("redaction", mode, user)


def _of_user(name: str, value: T, user: UserFile) -> Setting[T]:
    return Setting(name=name, value=value, source=Source.USER_FILE, origin=str(user.path))


def shown(text: str) -> str:
    """A value that cannot be used, for a message: what may be a secret in the wrong place is not repeated."""
    text = _MANY_DRAWN_LETTERS.sub("***", _USER_AND_PASSWORD.sub("//***@", text))
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
