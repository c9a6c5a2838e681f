"""Settings of the traces that a connector builds."""

from collections.abc import Mapping
from typing import Literal, get_args

from msgspec import Struct, field

from infinium_trace.fit import MAX_BODY_BYTES
from infinium_trace.prices import PriceTable, packaged_prices
from infinium_trace.redact import Redactor

RedactionMode = Literal["on", "off", "metadata-only"]


class TraceOptions(Struct, frozen=True, kw_only=True):
    """Options of a connector's traces. Only the names of the agent program and the connector's version have no default.

    The names equal those of the settings in `infinium-config`. Raises ValueError for an unknown redaction mode.
    """

    program: str
    """Name of the agent program, such as "foo". Sent as `framework`."""
    version: str
    """Version of the connector. Sent as `sdk_version`."""
    tags: tuple[str, ...] = ()
    """Further tags of the trace. The name of the agent program is always the first tag."""
    custom_tags: Mapping[str, str] = field(default_factory=dict)
    """Further custom tags by name. They replace built-in tags of the same name."""
    redaction: str = "on"
    """A `RedactionMode`. "off" still removes `secrets`; "metadata-only" omits prompts, commands, outputs and texts."""
    redact_patterns: tuple[str, ...] = ()
    """Regular expressions of further secrets, of the user or of the project."""
    redact_allow: tuple[str, ...] = ()
    """Regular expressions of values that are never redacted. They match whole values."""
    secrets: tuple[str, ...] = ()
    """Values that no trace may contain in any redaction mode, such as the secret of the Infinium agent."""
    max_input_preview: int = 200
    """Characters of a step's input preview."""
    max_output_preview: int = 300
    """Characters of a step's output preview."""
    max_failure_preview: int = 1_200
    """Characters of the output preview of a call that failed."""
    max_diff: int = 20_000
    """Characters of the unified diff of a turn."""
    max_input_summary: int = 3_000
    """Characters of `input_summary`: the prompts."""
    max_output_summary: int = 8_000
    """Characters of `output_summary`: the last messages."""
    reasoning: bool = True
    """Whether summaries of the model's reasoning are steps."""
    max_body_bytes: int = MAX_BODY_BYTES
    """Bytes of the whole body."""
    prices: PriceTable = field(default_factory=packaged_prices)
    """Prices from which the cost is estimated. The default is the table in this package."""

    def __post_init__(self) -> None:
        modes = get_args(RedactionMode)
        if self.redaction not in modes:
            raise ValueError(f"Unknown redaction mode '{self.redaction}'. Use one of: {', '.join(modes)}.")

    @property
    def metadata_only(self) -> bool:
        """Whether traces contain no prompt, command, output or message."""
        return self.redaction == "metadata-only"

    def redactor(self) -> Redactor:
        """Return a new redactor, which has counted nothing yet. Raises RedactionPatternError."""
        return Redactor(
            secrets=self.secrets,
            patterns=self.redact_patterns,
            allow=self.redact_allow,
            enabled=self.redaction != "off",
        )
