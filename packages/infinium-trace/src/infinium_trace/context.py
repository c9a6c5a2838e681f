"""What a payload needs to know that no event tells, and how long its texts may be."""

from collections.abc import Mapping

from msgspec import Struct, field

from infinium_trace.prices import PriceTable


class HeadMove(Struct, frozen=True, kw_only=True):
    """HEAD went from one commit to another, as the checkout's reflog tells it."""

    at_ms: int
    """To the second, as the log has it."""
    before: str | None
    """None where there was no commit yet."""
    after: str


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
    """What is checked out now; None where HEAD is detached."""
    git_commit: str | None = None
    """Where HEAD stands now."""
    git_moves: tuple[HeadMove, ...] = ()
    """How it came there, oldest first; empty where that is not known."""
    extra_tags: Mapping[str, str] = field(default_factory=dict)
    prices: PriceTable = field(default_factory=PriceTable)
    """What a model's tokens cost; without one no cost is estimated."""
    redaction: str = "on"
    """on, off, or metadata-only: then no prompt, command, output or message is sent."""

    def commit_at(self, ms: int) -> str | None:
        """Where HEAD stood at a time (milliseconds since the epoch), where the moves tell."""
        for move in reversed(self.git_moves):
            if move.at_ms <= ms:
                return move.after
        return self.git_moves[0].before if self.git_moves else None

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
