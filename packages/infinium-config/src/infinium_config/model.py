"""The values that describe a project, its files and the source of a setting."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct, field

DEFAULT_BASE_URL = "https://platform.i42m.ai/api/v1"
LOCAL = "local"
"""The base URL that keeps traces on this machine. It needs no agent id and no secret."""
SECRET_VARIABLE = "INFINIUM_AGENT_SECRET"  # noqa: S105 - the name of the variable

T = TypeVar("T")


class Source(StrEnum):
    """Where a value came from."""

    ENVIRONMENT = "environment"
    PROJECT_FILE = "project file"
    USER_FILE = "user file"
    KEYRING = "keyring"
    DEFAULT = "default"


class Granularity(StrEnum):
    """What becomes a trace: every turn, every session, or both."""

    TURN = "turn"
    SESSION = "session"
    BOTH = "both"


class Setting(Struct, Generic[T], frozen=True, kw_only=True):
    """The value of one setting and its source."""

    name: str
    value: T
    source: Source
    origin: str = ""
    """The variable or file that holds the value; empty for a default."""

    def __str__(self) -> str:
        return f"{value_text(self.value)} ({f'from {self.origin}' if self.origin else 'default'})"


class Problem(Struct, frozen=True, kw_only=True):
    """An invalid value that was ignored; the setting has the value of its next source."""

    name: str
    origin: str
    message: str
    """What is wrong, on which value, from where, and what to do."""


class Project(Struct, frozen=True, kw_only=True):
    """A directory with a project file."""

    root: Path
    """The directory that holds `.infinium`."""
    config_path: Path
    via_worktree: Path | None = None
    """The linked worktree that led to `root`, its main checkout."""


class ProjectFile(Struct, frozen=True, kw_only=True):
    """The content of `.infinium/config.json`. None means that the file does not set the key."""

    agent_id: str | None = None
    base_url: str | None = None
    paused: bool | None = None
    flush_on_stop: bool | None = None
    flush_on_session_end: bool | None = None
    redaction: str | None = None
    redact_patterns: tuple[str, ...] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    """Keys of other connectors, written back unchanged."""


class UserFile(Struct, frozen=True, kw_only=True):
    """The content of `~/.infinium/config.json`: redaction of all projects, and foreign projects to trust."""

    path: Path
    redaction: str | None = None
    redact_patterns: tuple[str, ...] | None = None
    redact_allow: tuple[str, ...] | None = None
    safe_directories: tuple[str, ...] | None = None


def value_text(value: object) -> str:
    """A setting's value as users read it: no Python literals."""
    if value is None or value == ():
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
