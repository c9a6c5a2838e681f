"""The view model: one session or turn, as every rendering shows it (terminal, HTML, Markdown, spans).

It is built from the agent's transcript (`view/from_transcript.py`), or from the trace that was sent where the
transcript is gone (`view/from_trace.py`). Texts are whole, without control characters, and redacted. Times are UTC
epoch milliseconds, durations milliseconds, costs US dollars.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from infinium_trace.events import FileChange, TokenUsage, TurnStatus
from infinium_trace.facts import TimeSplit
from msgspec import Struct, field


class DeliveryState(StrEnum):
    """What became of a turn's trace."""

    SENT = "sent"
    WAITING = "waiting"
    """Queued in the outbox."""
    DEAD = "dead"
    """A dead letter: the server rejected it."""
    DROPPED = "dropped"
    """Removed from the outbox because of its limits."""
    LOCAL = "local"
    """Stored on this machine, as its settings say."""
    SUMMARIZED = "summarized"
    """Part of the summary of its session, as its settings say."""
    RECORDED = "recorded"
    """A hook recorded the turn; the worker traces it when it has ended."""
    NOT_TRACED = "not traced"


class Delivery(Struct, frozen=True, kw_only=True):
    """The delivery of a trace."""

    state: DeliveryState = DeliveryState.NOT_TRACED
    at_ms: int | None = None
    """When the state was reached; None if it is not known."""
    trace_id: str | None = None
    """The server's id."""
    reason: str | None = None
    """Why it is a dead letter or was dropped."""


class StepKind(StrEnum):
    """Kind of a step."""

    TOOL = "tool"
    MESSAGE = "message"
    REASONING = "reasoning"
    COMPACTION = "compaction"
    PERMISSION = "permission"
    SUBAGENT = "subagent"
    CONTEXT = "context"
    """What the model was given beside the request."""


class Outcome(StrEnum):
    """How a step ended."""

    OK = "ok"
    FAILED = "failed"
    REFUSED = "refused"
    ABORTED = "interrupted"
    RUNNING = "running"
    """No end is recorded."""


class StepView(Struct, frozen=True, kw_only=True):
    """One step of a turn."""

    id: str
    """The agent's id of the call; for other steps the turn's id and the number. The same in every rendering."""
    number: int
    """From 1, in the order of the turn; the steps of a subagent follow its own."""
    kind: StepKind
    name: str
    """Name of the tool, or the kind in words."""
    title: str
    """One line on what it does: the first line of a command, the files of a patch, the beginning of a text."""
    started_at_ms: int | None = None
    duration_ms: float | None = None
    outcome: Outcome = Outcome.OK
    exit_code: int | None = None
    reason: str | None = None
    """The most telling line of a failure."""
    input: str | None = None
    """The whole command, patch, task or arguments."""
    output: str | None = None
    """The whole output or text."""
    files: tuple[FileChange, ...] = ()
    """Paths are relative to the turn's directory."""
    patch: str | None = None
    """The patch of a call that changes files; it is the input, too."""
    background: bool = False
    usage: TokenUsage | None = None
    """Tokens of the model call that made this step, on the first step of that call; of a subagent, all of its own."""
    cost_usd: float | None = None
    steps: tuple["StepView", ...] = ()
    """The steps of a subagent."""

    @property
    def ended_at_ms(self) -> int | None:
        if self.started_at_ms is None or self.duration_ms is None:
            return None
        return self.started_at_ms + round(self.duration_ms)

    def walk(self) -> "Iterator[StepView]":
        """Yield the step and the steps in it, in order."""
        yield self
        for step in self.steps:
            yield from step.walk()


class ModelCallView(Struct, frozen=True, kw_only=True):
    """One response of the model."""

    id: str
    ended_at_ms: int
    latency_ms: int | None = None
    model: str | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float | None = None
    subagent_id: str | None = None
    steps: tuple[int, ...] = ()
    """Numbers of the steps that this response began."""


class TurnSummary(Struct, frozen=True, kw_only=True):
    """The figures of a turn, as a list shows them. They include those of its subagents."""

    key: str
    """Key of its trace."""
    turn_id: str
    session_id: str
    project: str
    """Directory of the project."""
    request: str
    """First line of the request; a title where there is none."""
    status: TurnStatus
    started_at_ms: int
    ended_at_ms: int | None = None
    duration_ms: float | None = None
    tools: int = 0
    failures: int = 0
    subagents: int = 0
    tests_run: int | None = None
    tests_passed: int | None = None
    tests: str | None = None
    """The last test run in words."""
    tests_stale: bool = False
    files: int = 0
    lines_added: int = 0
    lines_removed: int = 0
    model_calls: int = 0
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float | None = None
    models: tuple[str, ...] = ()
    undone: bool = False
    delivery: Delivery = field(default_factory=Delivery)
    grade: object = None
    """What the server answered for this trace, as JSON data; None if it was not fetched."""


class TurnView(Struct, frozen=True, kw_only=True):
    """A turn with everything that is known about it."""

    summary: TurnSummary
    request: str
    """The user's whole request."""
    answer: str
    """The agent's last message."""
    plan: str | None = None
    reason: str | None = None
    """Why the turn failed or was interrupted."""
    steps: tuple[StepView, ...] = ()
    calls: tuple[ModelCallView, ...] = ()
    files: tuple[FileChange, ...] = ()
    """Each changed file once."""
    diff: str = ""
    """Unified diff of the turn, else the agent's own patches."""
    commits: tuple[tuple[str, str], ...] = ()
    """Commits made during the turn, newest first: hash and subject."""
    time: TimeSplit | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)
    """Directory, branch, effort, sandbox, approval, context and limits used, client version."""
    unpriced: tuple[str, ...] = ()
    redactions: Mapping[str, int] = field(default_factory=dict)
    """Number of redacted secrets by kind."""
    warnings: tuple[str, ...] = ()
    complete: bool = True
    """False if the transcript is gone: texts are the previews that were sent."""

    def walk(self) -> Iterator[StepView]:
        """Yield every step in order, those of subagents behind their own."""
        for step in self.steps:
            yield from step.walk()


class SessionView(Struct, frozen=True, kw_only=True):
    """A session and its turns, oldest first."""

    session_id: str
    project: str
    turns: tuple[TurnView, ...] = ()
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    client: str | None = None
    """The agent program and its version."""
    originator: str | None = None
    branch: str | None = None
    commit: str | None = None
    transcript: str | None = None
    """Path of the transcript; None if it is gone."""
    spawned_by: str | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Number of unknown or unreadable records, by kind."""
