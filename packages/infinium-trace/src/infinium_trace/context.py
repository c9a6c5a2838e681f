"""What a payload needs to know that no event tells, and how long its texts may be."""

from collections.abc import Mapping

from msgspec import Struct, field

from infinium_trace.prices import PriceTable


class TraceContext(Struct, frozen=True, kw_only=True):
    """Who traced what, where."""

    session_id: str
    connector_version: str
    agent_program: str = "codex"
    runtime: str | None = None
    """The interpreter that built the trace, such as "CPython 3.12.1"."""
    os: str | None = None
    project_name: str | None = None
    git_branch: str | None = None
    """Where the session's events do not say."""
    git_commit: str | None = None
    extra_tags: Mapping[str, str] = field(default_factory=dict)
    prices: PriceTable = field(default_factory=PriceTable)
    """What a model's tokens cost; without one no cost is estimated."""
    redaction: str = "on"
    """on, off, or metadata-only: then no prompt, command, output or message is sent."""

    @property
    def metadata_only(self) -> bool:
        return self.redaction == "metadata-only"


class Limits(Struct, frozen=True, kw_only=True):
    """Lengths of texts in characters, of the whole body in bytes."""

    input_preview: int = 200
    output_preview: int = 300
    input_summary: int = 3_000
    output_summary: int = 8_000
    body_bytes: int = 1_048_576
