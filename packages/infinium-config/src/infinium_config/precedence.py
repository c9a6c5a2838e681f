"""Resolve the settings: environment over project file over user file over default. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from infinium_config.model import SECRET_VARIABLE, Problem, Project, ProjectFile, Setting, Source, UserFile
from infinium_config.parse import MAX_PATTERNS, REDACTION_MODES, parse_patterns, pattern_error
from infinium_config.secret import Secret
from infinium_config.settings import DECLARED, Declared, Settings

_MAX_SHOWN = 60
_USER_AND_PASSWORD = re.compile(r"//[^/@]*@")
_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/_-]{24,}")


def resolve(
    environ: Mapping[str, str],
    project: Project | None,
    file: ProjectFile | None,
    user: UserFile | None = None,
    *,
    problems: Iterable[Problem] = (),
) -> Settings:
    """Resolve every setting. An invalid variable is reported as a problem, and the setting's next source applies.

    `problems` are those found earlier, which the result has as well.
    """
    problems = list(problems)
    origin = str(project.config_path) if project else "the project file"
    settings: dict[str, Setting[Any]] = {}
    for declared in DECLARED:
        given = [
            _from_environment(declared, environ, problems),
            _from_project_file(declared, file, origin),
            _from_user_file(declared, user),
        ]
        found = [setting for setting in given if setting]
        if declared.parse is parse_patterns:
            found = [_without_invalid(setting, problems) for setting in found]
        settings[declared.name] = _choose(declared, found, problems)
    if file is not None and "agent_secret" in file.extra:
        message = f"{origin} contains agent_secret, but files must not hold secrets. Remove it and create a new secret."
        problems.append(Problem(name="agent_secret", origin=origin, message=message))
    secret = environ.get(SECRET_VARIABLE, "").strip()
    return Settings(
        **settings,
        problems=tuple(problems),
        project=project,
        environment_secret=Secret(secret) if secret else None,
    )


def _from_environment(declared: Declared, environ: Mapping[str, str], problems: list[Problem]) -> Setting[Any] | None:
    text = environ.get(declared.variable, "") if declared.variable else ""
    if not declared.variable or not text.strip():
        return None
    try:
        value = declared.parse(text)
    except ValueError as error:
        message = f"{declared.variable}={shown(text)} is invalid: {error}."
        problems.append(Problem(name=declared.name, origin=declared.variable, message=message))
        return None
    return Setting(name=declared.name, value=value, source=Source.ENVIRONMENT, origin=declared.variable)


def _from_project_file(declared: Declared, file: ProjectFile | None, origin: str) -> Setting[Any] | None:
    value = getattr(file, declared.name) if file is not None and declared.in_file else None
    if value is None:
        return None
    return Setting(name=declared.name, value=value, source=Source.PROJECT_FILE, origin=origin)


def _from_user_file(declared: Declared, user: UserFile | None) -> Setting[Any] | None:
    value = getattr(user, declared.name) if user is not None and declared.in_user_file else None
    if user is None or value is None:
        return None
    return Setting(name=declared.name, value=value, source=Source.USER_FILE, origin=str(user.path))


def _without_invalid(setting: Setting[Any], problems: list[Problem]) -> Setting[Any]:
    """The setting with the patterns that can be used. Each other one is reported, and the rest still apply."""
    valid = []
    for number, pattern in enumerate(setting.value):
        error = pattern_error(pattern) if number < MAX_PATTERNS else f"there are more than {MAX_PATTERNS}"
        if error is None:
            valid.append(pattern)
        else:
            message = f"{setting.origin}: {shown(pattern)} in {setting.name} is ignored: {error}. Correct it."
            problems.append(Problem(name=setting.name, origin=setting.origin, message=message))
    return replace(setting, value=tuple(valid))


def _choose(declared: Declared, given: list[Setting[Any]], problems: list[Problem]) -> Setting[Any]:
    """The setting that applies, of those given by the sources in the order of precedence."""
    if declared.parse is parse_patterns:
        given = [setting for setting in given if setting.value]
    if declared.name in ("redact_patterns", "safe_directories"):
        return _union(declared, given)
    if declared.name == "redaction":
        return _tightest_redaction(declared, given, problems)
    return given[0] if given else declared.unset


def _union(declared: Declared, given: list[Setting[Any]]) -> Setting[Any]:
    """The values of all sources: a source can add some and remove none."""
    given = [setting for setting in given if setting.value]
    if not given:
        return declared.unset
    return Setting(
        name=declared.name,
        value=tuple(dict.fromkeys(value for setting in given for value in setting.value)),
        source=given[0].source,
        origin=", ".join(setting.origin for setting in given),
    )


def _tightest_redaction(declared: Declared, given: list[Setting[Any]], problems: list[Problem]) -> Setting[Any]:
    """The environment's mode, or else the tighter one of the two files. A project file cannot turn redaction off."""
    if given and given[0].source is Source.ENVIRONMENT:
        return given[0]
    for setting in given:
        if setting.source is Source.PROJECT_FILE and setting.value == "off":
            message = (
                f"{setting.origin} turns redaction off, which a project file cannot do. "
                "Set CONNECTOR_REDACTION=off in your environment, or redaction in your ~/.infinium/config.json."
            )
            problems.append(Problem(name=declared.name, origin=setting.origin, message=message))
            given = [other for other in given if other is not setting]
    return max(given, key=lambda setting: REDACTION_MODES.index(setting.value), default=declared.unset)


def shown(text: str) -> str:
    """Quote an invalid value for a message. What may be a misplaced secret is replaced by asterisks."""
    text = _LONG_TOKEN.sub("***", _USER_AND_PASSWORD.sub("//***@", text))
    return repr(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")
