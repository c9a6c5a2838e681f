"""Every setting, declared once: its variable, its key in the project file, its default, its parser, its meaning."""

from collections.abc import Callable

from msgspec import Struct

from infinium_config import parse
from infinium_config.model import DEFAULT_BASE_URL


class Declared(Struct, frozen=True, kw_only=True):
    """One setting."""

    name: str
    variable: str | None
    in_file: bool
    default: object
    parse: Callable[[str], object]
    doc: str


DECLARED = (
    Declared(name="agent_id", variable="INFINIUM_AGENT_ID", in_file=True, default=None, parse=parse.parse_agent_id,
             doc="The agent traces go to (a UUID)"),
    Declared(name="base_url", variable="INFINIUM_BASE_URL", in_file=True, default=DEFAULT_BASE_URL,
             parse=parse.parse_base_url, doc="The API's address, or `local` to keep traces on this machine"),
    Declared(name="paused", variable=None, in_file=True, default=False, parse=parse.parse_bool,
             doc="Nothing is recorded"),
    Declared(name="quiet", variable="CONNECTOR_QUIET", in_file=False, default=False, parse=parse.parse_bool,
             doc="No log and no progress; errors and requested output stay"),
    Declared(name="flush_on_stop", variable="CONNECTOR_FLUSH_ON_STOP", in_file=True, default=True,
             parse=parse.parse_bool, doc="A trace for every turn"),
    Declared(name="flush_on_session_end", variable="CONNECTOR_FLUSH_ON_SESSION_END", in_file=True, default=True,
             parse=parse.parse_bool, doc="A summary when a session ends"),
    Declared(name="session_ttl", variable="CONNECTOR_SESSION_TTL", in_file=False, default=600.0,
             parse=parse.parse_seconds, doc="Seconds without an event after which a session counts as over"),
    Declared(name="session_dir", variable="CONNECTOR_SESSION_DIR", in_file=False, default=None,
             parse=parse.parse_directory, doc="Where events wait to be traced; the system's temp directory by default"),
    Declared(name="max_input_preview", variable="CONNECTOR_MAX_INPUT_PREVIEW", in_file=False, default=200,
             parse=parse.parse_count, doc="Characters of a step's input"),
    Declared(name="max_output_preview", variable="CONNECTOR_MAX_OUTPUT_PREVIEW", in_file=False, default=300,
             parse=parse.parse_count, doc="Characters of a step's output"),
    Declared(name="max_input_summary", variable="CONNECTOR_MAX_INPUT_SUMMARY", in_file=False, default=3_000,
             parse=parse.parse_count, doc="Characters of the prompt"),
    Declared(name="max_output_summary", variable="CONNECTOR_MAX_OUTPUT_SUMMARY", in_file=False, default=8_000,
             parse=parse.parse_count, doc="Characters of the agent's last message"),
    Declared(name="timeout", variable="INFINIUM_TIMEOUT", in_file=False, default=30.0, parse=parse.parse_seconds,
             doc="Seconds for one request"),
    Declared(name="max_retries", variable="INFINIUM_MAX_RETRIES", in_file=False, default=3, parse=parse.parse_count,
             doc="Further tries of one run; later runs go on"),
    Declared(name="verify_ssl", variable="INFINIUM_VERIFY_SSL", in_file=False, default=True, parse=parse.parse_bool,
             doc="Check the server's certificate"),
    Declared(name="redaction", variable="CONNECTOR_REDACTION", in_file=True, default="on",
             parse=parse.parse_redaction, doc="on, off, or metadata-only; a project file can only tighten it"),
    Declared(name="redact_patterns", variable="CONNECTOR_REDACT_PATTERNS", in_file=True, default=(),
             parse=parse.parse_patterns,
             doc="Regular expressions of further secrets, one a line; those of every source hold"),
    Declared(name="redact_allow", variable="CONNECTOR_REDACT_ALLOW", in_file=False, default=(),
             parse=parse.parse_patterns, doc="Regular expressions of values that stay, one a line"),
)  # fmt: skip
