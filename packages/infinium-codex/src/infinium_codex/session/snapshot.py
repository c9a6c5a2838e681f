"""The project of a turn as it was when the turn began: it decides where the turn's trace goes."""

import os
from collections.abc import Mapping
from pathlib import Path

from infinium_config import (
    InfiniumConfigError,
    Project,
    Settings,
    find_project,
    parse_project_file,
    read_project_file,
    resolve,
)
from infinium_config.files import read_small_file
from infinium_config.project import user_file
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import home_directory, load_settings

AGENT_VARIABLE, ADDRESS_VARIABLE = "INFINIUM_AGENT_ID", "INFINIUM_BASE_URL"


class ProjectSnapshot(Struct, frozen=True, kw_only=True):
    """A project file and the variables that override its agent and address, at the start of a turn."""

    cwd: str
    """The session's directory."""
    config_path: bytes = b""
    """The project file; empty if there was none."""
    config: bytes = b""
    """Its content."""
    agent_variable: str = ""
    address_variable: str = ""


def from_record(payload: bytes, cwd: str) -> ProjectSnapshot:
    """The snapshot that a hook wrote before a prompt (`capture.frame`)."""
    path, agent, address, config = [*payload.split(b"\0", 3), b"", b"", b""][:4]
    return ProjectSnapshot(
        cwd=cwd,
        config_path=path,
        config=config,
        agent_variable=agent.decode("utf-8", "replace"),
        address_variable=address.decode("utf-8", "replace"),
    )


def take_snapshot(cwd: str, environ: Mapping[str, str]) -> ProjectSnapshot:
    """The project at `cwd` as it is now, for a turn whose first events have no snapshot."""
    project = find_project(Path(cwd), home=home_directory(environ))
    return ProjectSnapshot(
        cwd=cwd,
        config_path=os.fsencode(project.config_path) if project else b"",
        config=(read_small_file(project.config_path) or b"") if project else b"",
        agent_variable=environ.get(AGENT_VARIABLE, ""),
        address_variable=environ.get(ADDRESS_VARIABLE, ""),
    )


def settings_of(snapshot: ProjectSnapshot, places: Places, environ: Mapping[str, str]) -> Settings | None:
    """The settings of a turn: agent and address as they were when it began, everything else as it is now.

    If they named no agent then, the settings that apply now decide. None, with an error in the ledger, if a file
    cannot be read.
    """
    try:
        settings = _settings_then(snapshot, environ)
    except InfiniumConfigError:
        settings = None
    if settings is None or not settings.names_agent:
        return load_settings(places, Path(snapshot.cwd), environ)
    for problem in settings.problems:
        record_error(places, "config", problem.message, {"directory": snapshot.cwd})
    return settings


def _settings_then(snapshot: ProjectSnapshot, environ: Mapping[str, str]) -> Settings:
    environ = {**environ, AGENT_VARIABLE: snapshot.agent_variable, ADDRESS_VARIABLE: snapshot.address_variable}
    user = user_file(home_directory(environ))
    if not snapshot.config_path:
        return resolve(environ, None, None, user)
    path = Path(os.fsdecode(snapshot.config_path))
    then = parse_project_file(path, snapshot.config)
    try:
        now = read_project_file(path)
    except InfiniumConfigError:  # the project was moved or removed, or its file is invalid now
        now = then
    file = replace(now, agent_id=then.agent_id, base_url=then.base_url)
    return resolve(environ, Project(root=path.parent.parent, config_path=path), file, user)
