"""Settings and where each came from."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct, field

DEFAULT_BASE_URL = "https://platform.i42m.ai/api/v1"
LOCAL = "local"
"""The base URL of the destination on this machine: no agent id and no secret are needed."""

T = TypeVar("T")


class Source(StrEnum):
    """Where a setting's value came from."""

    ENVIRONMENT = "environment"
    PROJECT_FILE = "project file"
    USER_FILE = "user file"
    KEYRING = "keyring"
    DEFAULT = "default"


class Granularity(StrEnum):
    """What is traced: every turn, one summary a session, or both."""

    TURN = "turn"
    SESSION = "session"
    BOTH = "both"


class Setting(Struct, Generic[T], frozen=True, kw_only=True):
    """A value that knows its source."""

    name: str
    value: T
    source: Source
    origin: str = ""
    """The variable or the file it came from; empty for a default."""

    def __str__(self) -> str:
        where = f"from {self.origin}" if self.origin else "default"
        return f"{self.value} ({where})"


class Problem(Struct, frozen=True, kw_only=True):
    """A value that was passed over; the setting's next source holds."""

    name: str
    origin: str
    message: str
    """What is wrong, where, and what to do."""


class Project(Struct, frozen=True, kw_only=True):
    """A directory with a project file."""

    root: Path
    """The directory that holds `.infinium`."""
    config_path: Path
    via_worktree: Path | None = None
    """The linked worktree from which its main checkout was found."""


class ProjectFile(Struct, frozen=True, kw_only=True):
    """What `.infinium/config.json` says; None where it says nothing."""

    agent_id: str | None = None
    base_url: str | None = None
    paused: bool | None = None
    flush_on_stop: bool | None = None
    flush_on_session_end: bool | None = None
    redaction: str | None = None
    redact_patterns: tuple[str, ...] | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    """Keys of other connectors, kept as they are."""


class UserFile(Struct, frozen=True, kw_only=True):
    """What `~/.infinium/config.json` says: how the user wants every project's traces redacted."""

    path: Path
    redaction: str | None = None
    redact_patterns: tuple[str, ...] | None = None
    redact_allow: tuple[str, ...] | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set, resolved."""

    agent_id: Setting[str | None]
    base_url: Setting[str]
    paused: Setting[bool]
    quiet: Setting[bool]
    flush_on_stop: Setting[bool]
    flush_on_session_end: Setting[bool]
    session_ttl: Setting[float]
    session_dir: Setting[Path | None]
    max_input_preview: Setting[int]
    max_output_preview: Setting[int]
    max_input_summary: Setting[int]
    max_output_summary: Setting[int]
    timeout: Setting[float]
    max_retries: Setting[int]
    verify_ssl: Setting[bool]
    redaction: Setting[str]
    redact_patterns: Setting[tuple[str, ...]]
    redact_allow: Setting[tuple[str, ...]]
    problems: tuple[Problem, ...] = ()
    project: Project | None = None

    @property
    def granularity(self) -> Granularity | None:
        """What the two flush settings amount to; None when neither is on."""
        flags = (self.flush_on_stop.value, self.flush_on_session_end.value)
        return next((granularity for granularity, pair in _FLAGS.items() if pair == flags), None)


_FLAGS = {Granularity.TURN: (True, False), Granularity.SESSION: (False, True), Granularity.BOTH: (True, True)}


def granularity_flags(granularity: Granularity) -> tuple[bool, bool]:
    """`flush_on_stop` and `flush_on_session_end` for a granularity."""
    return _FLAGS[granularity]
