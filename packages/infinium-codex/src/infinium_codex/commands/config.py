"""`infinium-codex config`: read and change what the project file, or the user's own file, can hold."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from infinium_config import (
    DECLARED,
    LOCAL,
    ApprovedOrigins,
    Declared,
    load,
    read_project_file,
    value_text,
    write_project_file,
    write_user_setting,
)
from infinium_config.parse import parse_patterns, pattern_error
from infinium_config.project import CONFIG
from msgspec.structs import replace

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.support.project_files import require_project
from infinium_codex.support.result import CommandContext, CommandError, Result, Row
from infinium_codex.support.settings import home_directory

Name = Annotated[str, Parameter(help="Name of the setting; 'config list' shows all.")]
ForUser = Annotated[
    bool, Parameter(name="--user", negative="", help="Use ~/.infinium/config.json, which holds for every project.")
]


def get(name: Name, /, *, ctx: Context, json: AsJson = False) -> Result:
    """Print the value that a setting has here, whatever its source."""
    declared = _declared(name)
    setting = getattr(load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ)), declared.name)
    data = {"name": name, "value": setting.value, "source": setting.source, "origin": setting.origin}
    return Result.success((value_text(setting.value),), data)


def list_settings(*, ctx: Context, json: AsJson = False) -> Result:
    """List the settings that a file can hold, with value, source and meaning."""
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    found = [(declared, getattr(settings, declared.name)) for declared in DECLARED if _files(declared)]
    rows = tuple(Row(cells=(declared.name, f"{setting}", declared.doc)) for declared, setting in found)
    data = [
        {"name": declared.name, "value": setting.value, "source": setting.source, "files": _files(declared)}
        for declared, setting in found
    ]
    return Result(ok=True, exit_code=0, rows=rows, data={"settings": data})


def set_value(
    name: Name,
    value: Annotated[str, Parameter(allow_leading_hyphen=True, help="The new value.")],
    /,
    *,
    user: ForUser = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Write a setting to the project file; with `--user`, to the user's own file."""
    declared = _declared(name, in_file="user" if user else "project")
    try:
        parsed = declared.parse(value)
        _check_patterns(declared, parsed)
    except ValueError as error:
        raise CommandError(f"Invalid {name} '{value}': {error}.", exit_code=2) from None
    if name == "redaction" and parsed == "off" and not user:
        hint = "A project file can only tighten redaction. Use: infinium-codex config set redaction off --user"
        raise CommandError("A project cannot turn redaction off.", hint, exit_code=2)
    return _write(ctx, declared, parsed, user=user)


def _check_patterns(declared: Declared, value: object) -> None:
    """Raise ValueError for a regular expression that would be ignored where the file is read."""
    for pattern in value if declared.parse is parse_patterns and isinstance(value, tuple) else ():
        if error := pattern_error(pattern):
            raise ValueError(error)


def unset(name: Name, /, *, user: ForUser = False, ctx: Context, json: AsJson = False) -> Result:
    """Remove a setting from the project file; its next source, or the default, applies then."""
    return _write(ctx, _declared(name, in_file="user" if user else "project"), None, user=user)


def _declared(name: str, *, in_file: str = "") -> Declared:
    declared = next((one for one in DECLARED if one.name == name), None)
    if declared is None:
        names = ", ".join(one.name for one in DECLARED if _files(one))
        if name in ("agent_secret", "secret"):
            hint = "Store it with 'infinium-codex update-credentials', or set INFINIUM_AGENT_SECRET."
            raise CommandError("No file holds the secret.", hint, exit_code=2)
        raise CommandError(f"There is no setting '{name}'.", f"Settings: {names}.", exit_code=2)
    if in_file and in_file not in _files(declared):
        if others := _files(declared):
            hint = "Use it with --user." if "user" in others else "Use it without --user."
        else:
            hint = f"Set the variable {declared.variable} instead."
        raise CommandError(f"The {in_file} file cannot hold {name}.", hint, exit_code=2)
    return declared


def _files(declared: Declared) -> list[str]:
    """The files that may hold a setting."""
    return [*(["project"] if declared.in_file else []), *(["user"] if declared.in_user_file else [])]


def _write(ctx: CommandContext, declared: Declared, value: Any, *, user: bool) -> Result:
    path = _write_user(ctx, declared, value) if user else _write_project(ctx, declared, value)
    did = f"{declared.name} is now {value_text(value)}" if value is not None else f"{declared.name} is not set any more"
    lines = [f"{did} in {path}."]
    setting = getattr(load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ)), declared.name)
    if value is not None and setting.value != value:
        lines.append(f"It does not apply here: {declared.name} is {setting}.")
    return Result.success(tuple(lines), {"name": declared.name, "value": value, "file": str(path)})


def _write_project(ctx: CommandContext, declared: Declared, value: Any) -> Path:
    project = require_project(ctx)
    file = replace(read_project_file(project.config_path), **{declared.name: value})
    write_project_file(project.config_path, file)
    if declared.name == "base_url" and value not in (None, LOCAL) and file.agent_id is not None:
        # The user states the address here, as `init --base-url` does: that approves it for the agent's secret.
        ApprovedOrigins(ctx.places.origins).approve(file.agent_id, value)
    return project.config_path


def _write_user(ctx: CommandContext, declared: Declared, value: Any) -> Path:
    home = home_directory(ctx.environ)
    if home is None:
        raise CommandError("HOME is not set, so there is no user's file.", exit_code=2)
    path = home / CONFIG
    write_user_setting(path, declared.name, list(value) if isinstance(value, tuple) else value)
    return path
