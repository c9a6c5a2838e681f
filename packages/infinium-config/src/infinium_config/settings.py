"""All settings. Each is declared once, as a field of `Settings`: its default, variable, parser and meaning.

A setting that project files or the user's file may hold is also a field of `ProjectFile` or `UserFile`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from msgspec import Struct

from infinium_config.model import (
    DEFAULT_BASE_URL,
    LOCAL,
    Granularity,
    Problem,
    Project,
    ProjectFile,
    Setting,
    Source,
    UserFile,
)
from infinium_config.parse import (
    parse_agent_id,
    parse_base_url,
    parse_count,
    parse_directory,
    parse_patterns,
    parse_redaction,
    parse_safe_directories,
)
from infinium_config.secret import Secret
from infinium_config.variables import (
    QUIET_VARIABLE,
    SESSION_TTL_SECONDS,
    SESSION_TTL_VARIABLE,
    parse_bool,
    parse_seconds,
    parse_wait,
)

LOCAL_AGENT = "local"
"""The agent id of local traces without an agent."""

T = TypeVar("T")


class Declared(Struct, frozen=True, kw_only=True):
    """The declaration of one setting."""

    name: str
    variable: str | None
    default: object
    parse: Callable[[str], object]
    doc: str

    @property
    def in_file(self) -> bool:
        """Whether a project file may set it."""
        return self.name in ProjectFile.__struct_fields__

    @property
    def in_user_file(self) -> bool:
        """Whether the user's own file may set it."""
        return self.name in UserFile.__struct_fields__

    @property
    def unset(self) -> Setting[Any]:
        """The setting with its default value."""
        return Setting(name=self.name, value=self.default, source=Source.DEFAULT)


_declared: list[Declared] = []


def _setting(name: str, variable: str | None, default: T, parse: Callable[[str], T], doc: str) -> Setting[T]:
    """Declare a setting; return it with its default value, which is the field's default."""
    declared = Declared(name=name, variable=variable, default=default, parse=parse, doc=doc)
    _declared.append(declared)
    return declared.unset


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting with its value and source."""

    agent_id: Setting[str | None] = _setting(
        "agent_id", "INFINIUM_AGENT_ID", None, parse_agent_id, "The agent that receives the traces (a UUID)"
    )
    base_url: Setting[str] = _setting(
        "base_url",
        "INFINIUM_BASE_URL",
        DEFAULT_BASE_URL,
        parse_base_url,
        "The API's address, or `local` to keep traces on this machine",
    )
    paused: Setting[bool] = _setting("paused", None, False, parse_bool, "Record nothing")
    quiet: Setting[bool] = _setting(
        "quiet",
        QUIET_VARIABLE,
        False,
        parse_bool,
        "No log, no progress messages; errors and requested output remain",
    )
    flush_on_stop: Setting[bool] = _setting(
        "flush_on_stop", "CONNECTOR_FLUSH_ON_STOP", True, parse_bool, "Send a trace for every turn"
    )
    flush_on_session_end: Setting[bool] = _setting(
        "flush_on_session_end",
        "CONNECTOR_FLUSH_ON_SESSION_END",
        True,
        parse_bool,
        "Send a summary when a session ends",
    )
    session_ttl: Setting[float] = _setting(
        "session_ttl",
        SESSION_TTL_VARIABLE,
        SESSION_TTL_SECONDS,
        parse_seconds,
        "Seconds without an event after which a session times out",
    )
    wait_on_end: Setting[float | None] = _setting(
        "wait_on_end",
        "CONNECTOR_WAIT_ON_END",
        None,
        parse_wait,
        "Seconds that the end of a session waits until its traces are sent, within the agent's limit; not set: as long "
        "as the agent allows in a container or CI job, else 0",
    )
    session_dir: Setting[Path | None] = _setting(
        "session_dir",
        "CONNECTOR_SESSION_DIR",
        None,
        parse_directory,
        "Directory of events that are not traced yet; by default in the system's temp directory",
    )
    max_input_preview: Setting[int] = _setting(
        "max_input_preview", "CONNECTOR_MAX_INPUT_PREVIEW", 200, parse_count, "Characters kept of a step's input"
    )
    max_output_preview: Setting[int] = _setting(
        "max_output_preview", "CONNECTOR_MAX_OUTPUT_PREVIEW", 300, parse_count, "Characters kept of a step's output"
    )
    max_failure_preview: Setting[int] = _setting(
        "max_failure_preview",
        "CONNECTOR_MAX_FAILURE_PREVIEW",
        1_200,
        parse_count,
        "Characters kept of the output of a call that failed",
    )
    max_input_summary: Setting[int] = _setting(
        "max_input_summary", "CONNECTOR_MAX_INPUT_SUMMARY", 3_000, parse_count, "Characters kept of the prompt"
    )
    max_output_summary: Setting[int] = _setting(
        "max_output_summary",
        "CONNECTOR_MAX_OUTPUT_SUMMARY",
        8_000,
        parse_count,
        "Characters kept of the agent's last message",
    )
    reasoning: Setting[bool] = _setting(
        "reasoning", "CONNECTOR_REASONING", True, parse_bool, "Keep summaries of the model's reasoning as steps"
    )
    timeout: Setting[float] = _setting("timeout", "INFINIUM_TIMEOUT", 30.0, parse_seconds, "Seconds for one request")
    max_retries: Setting[int] = _setting(
        "max_retries", "INFINIUM_MAX_RETRIES", 3, parse_count, "Retries in one run; later runs retry again"
    )
    verify_ssl: Setting[bool] = _setting(
        "verify_ssl", "INFINIUM_VERIFY_SSL", True, parse_bool, "Check the server's certificate"
    )
    redaction: Setting[str] = _setting(
        "redaction",
        "CONNECTOR_REDACTION",
        "on",
        parse_redaction,
        "on, off or metadata-only; a project file can only tighten it",
    )
    redact_patterns: Setting[tuple[str, ...]] = _setting(
        "redact_patterns",
        "CONNECTOR_REDACT_PATTERNS",
        (),
        parse_patterns,
        "Regular expressions of further secrets, one a line; those of all sources apply",
    )
    redact_allow: Setting[tuple[str, ...]] = _setting(
        "redact_allow",
        "CONNECTOR_REDACT_ALLOW",
        (),
        parse_patterns,
        "Regular expressions of values not to redact, one a line",
    )
    safe_directories: Setting[tuple[str, ...]] = _setting(
        "safe_directories",
        "CONNECTOR_SAFE_DIRECTORIES",
        (),
        parse_safe_directories,
        "Directories whose project file is used although it belongs to another user; * for all",
    )
    problems: tuple[Problem, ...] = ()
    project: Project | None = None
    environment_secret: Secret | None = None
    """The secret in INFINIUM_AGENT_SECRET; it belongs to the agent of these settings."""

    @property
    def granularity(self) -> Granularity | None:
        """The granularity of the two flush settings; None if both are off."""
        flags = (self.flush_on_stop.value, self.flush_on_session_end.value)
        return next((granularity for granularity, pair in _FLAGS.items() if pair == flags), None)

    @property
    def names_agent(self) -> bool:
        """Whether an agent is configured. Local traces need none."""
        return self.agent_id.value is not None or self.base_url.value == LOCAL

    def destination(self) -> "Destination | None":
        """Agent and address of new traces; None if recording is paused or no agent is configured.

        The values are those of the arguments of the same name in `infinium_transport`. Local traces need no agent.
        """
        agent_id, base_url = self.agent_id.value, self.base_url.value
        if base_url == LOCAL:
            agent_id = agent_id or LOCAL_AGENT
        if self.paused.value or agent_id is None:
            return None
        return Destination(agent_id=agent_id, base_url=base_url)

    def trace_options(self) -> "TraceOptionValues":
        """The settings of a trace's content, under the names of the options in `infinium_trace`.

        They include the secret in the environment, so that no trace contains it. If only the limit of a preview is set,
        the longer text of the same kind has no more characters.
        """
        secret = self.environment_secret
        return TraceOptionValues(
            redaction=self.redaction.value,
            redact_patterns=self.redact_patterns.value,
            redact_allow=self.redact_allow.value,
            secrets=(secret.reveal(),) if secret else (),
            max_input_preview=self.max_input_preview.value,
            max_output_preview=self.max_output_preview.value,
            max_failure_preview=_unless_set(self.max_failure_preview, self.max_output_preview),
            max_input_summary=_unless_set(self.max_input_summary, self.max_input_preview),
            max_output_summary=self.max_output_summary.value,
            reasoning=self.reasoning.value,
        )

    def delivery_options(self) -> "DeliveryOptionValues":
        """The settings of requests, under the names of the options in `infinium_transport`."""
        return DeliveryOptionValues(
            timeout=self.timeout.value, verify_ssl=self.verify_ssl.value, max_retries=self.max_retries.value
        )


DECLARED = tuple(_declared)


def _unless_set(limit: Setting[int], preview: Setting[int]) -> int:
    """Return the limit of a text; if it has no value of its own, at most the one that is set for its preview."""
    if limit.source is Source.DEFAULT and preview.source is not Source.DEFAULT:
        return min(limit.value, preview.value)
    return limit.value


class Destination(TypedDict):
    """Where traces are sent."""

    agent_id: str
    base_url: str


class DeliveryOptionValues(TypedDict):
    """Keyword arguments for `infinium_transport.DeliveryOptions`."""

    timeout: float
    verify_ssl: bool
    max_retries: int


class TraceOptionValues(TypedDict):
    """Keyword arguments for `infinium_trace.TraceOptions`."""

    redaction: str
    redact_patterns: tuple[str, ...]
    redact_allow: tuple[str, ...]
    secrets: tuple[str, ...]
    max_input_preview: int
    max_output_preview: int
    max_failure_preview: int
    max_input_summary: int
    max_output_summary: int
    reasoning: bool


_FLAGS = {Granularity.TURN: (True, False), Granularity.SESSION: (False, True), Granularity.BOTH: (True, True)}


def granularity_flags(granularity: Granularity) -> tuple[bool, bool]:
    """The values of `flush_on_stop` and `flush_on_session_end` for a granularity."""
    return _FLAGS[granularity]
