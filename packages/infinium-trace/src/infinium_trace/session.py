"""The model of an agent's session. Times are UTC epoch milliseconds, durations are milliseconds, texts are complete."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from infinium_trace.events import ContextItem, EventSource, FileChange, TokenUsage, TurnStatus


class Answer(StrEnum):
    """Answer to a permission request."""

    GRANTED = "granted"
    REFUSED = "refused"
    NOT_RUN = "refused or interrupted"
    """The call was aborted. The agent does not report whether before the answer or by it."""


class ToolCall(Struct, frozen=True, kw_only=True):
    """One call of a tool."""

    call_id: str
    tool: str
    started_at_ms: int
    ended_at_ms: int | None = None
    duration_ms: float | None = None
    """As measured by the agent, at most the time from start to end; None for a call without an end."""
    arguments: Mapping[str, object] | str | None = None
    options: Mapping[str, object] | None = None
    """How the call was to run (directory, limits, sandbox)."""
    output: str | None = None
    exit_code: int | None = None
    failed: bool = False
    """The call failed by itself: the user neither refused nor interrupted it."""
    error: str | None = None
    """Reason of a failure without exit code."""
    refused: bool = False
    """The user refused the call."""
    aborted: bool = False
    """The user interrupted the call."""
    waits_for: str | None = None
    """The call of a background command whose end this call waited for. The time is counted there."""
    cwd: str | None = None
    changes: tuple[FileChange, ...] = ()
    finished: bool = False
    background: bool = False
    """The command continued while the agent did other work."""
    parent_call_id: str | None = None
    """The call that ran this one. The work is counted here, not there."""


class Message(Struct, frozen=True, kw_only=True):
    """A message of the agent before its last one."""

    started_at_ms: int
    text: str


class Reasoning(Struct, frozen=True, kw_only=True):
    """A summary of the model's reasoning."""

    started_at_ms: int
    text: str


class Compaction(Struct, frozen=True, kw_only=True):
    """A compaction of the conversation."""

    started_at_ms: int
    duration_ms: float | None = None
    trigger: str | None = None
    summary: str | None = None
    """The text that replaced the conversation."""


class PermissionRequest(Struct, frozen=True, kw_only=True):
    """A request for the user's permission to call a tool."""

    started_at_ms: int
    tool: str
    arguments: Mapping[str, object] | str | None = None
    reason: str | None = None
    """Why the agent asked, in its own words."""
    call_id: str | None = None
    """The requested call; None if no call matches."""
    answer: Answer | None = None
    """None if unknown."""
    waited_ms: float | None = None
    """Time until the answer, in milliseconds; None if unknown."""
    reviewed: bool = False
    """An automatic review answered, not the user."""
    risk: str | None = None
    """The risk that the review found."""


class Subagent(Struct, frozen=True, kw_only=True):
    """An agent that a turn started. Its work is counted in that turn only."""

    subagent_id: str
    started_at_ms: int
    ended_at_ms: int | None = None
    agent_type: str | None = None
    turns: frozenset[str] = frozenset()
    """The subagent's own turns that worked for this turn."""
    prompt: str | None = None
    """The task of the subagent."""
    status: TurnStatus = TurnStatus.RUNNING
    reason: str | None = None
    last_message: str | None = None
    steps: tuple["Step", ...] = ()
    calls: int = 0
    """Number of its model calls."""
    usage: TokenUsage = field(default_factory=TokenUsage)

    @property
    def duration_ms(self) -> float | None:
        """Milliseconds from start to end; None without an end."""
        return None if self.ended_at_ms is None else float(max(self.ended_at_ms - self.started_at_ms, 0))


Step = ToolCall | Message | Reasoning | Compaction | PermissionRequest | Subagent


class ModelCall(Struct, frozen=True, kw_only=True):
    """A response of the model."""

    response_id: str
    ended_at_ms: int
    usage: TokenUsage
    model: str | None = None
    latency_ms: int | None = None
    subagent_id: str | None = None
    """The subagent that made the call; None for the turn itself."""


class Turn(Struct, frozen=True, kw_only=True):
    """A turn: from a prompt of the user to the agent's last message."""

    id: str
    started_at_ms: int
    ended_at_ms: int | None = None
    duration_ms: float | None = None
    """As measured by the agent, else the time from start to end."""
    first_token_ms: int | None = None
    status: TurnStatus = TurnStatus.RUNNING
    reason: str | None = None
    prompt: str | None = None
    """The user's request, without `context`."""
    context: tuple[ContextItem, ...] = ()
    """What the model was given beside the request."""
    last_message: str | None = None
    plan: str | None = None
    """The plan that the agent proposed as the result of the turn."""
    undone: bool = False
    """The user undid the turn later."""
    models: tuple[str, ...] = ()
    permission_mode: str | None = None
    effort: str | None = None
    sandbox: str | None = None
    approval: str | None = None
    context_window: int | None = None
    """Tokens that fit into the model's context."""
    previous_model: str | None = None
    """The model before this turn, if the user switched it."""
    limits: str | None = None
    """How much of the account's usage limits was used at the end."""
    cwd: str | None = None
    steps: tuple[Step, ...] = ()
    calls: tuple[ModelCall, ...] = ()
    continuations: int = 0
    """How often a stop hook continued the turn."""
    disagreements: tuple[str, ...] = ()
    """Facts for which the sources report different values."""
    sources: frozenset[EventSource] = frozenset()

    @property
    def subagents(self) -> tuple[Subagent, ...]:
        """Its subagents. One that still runs may add to the turn, even after the turn's end."""
        return tuple(step for step in self.steps if isinstance(step, Subagent))

    @property
    def usage(self) -> TokenUsage:
        """Tokens of all its model calls, including those of its subagents."""
        return sum((call.usage for call in self.calls), TokenUsage())

    @property
    def context_used(self) -> int | None:
        """Tokens in the model's context after the turn's own last response; None if no record reports them."""
        return next((call.usage.total for call in reversed(self.calls) if call.subagent_id is None), None)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Its tool calls in order, including those of its subagents."""
        return tuple(_tool_calls(self.steps))

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The files it changed, one entry for each path: the first kind of change and the sum of the lines."""
        merged: dict[str, FileChange] = {}
        for call in self.tool_calls:
            for change in call.changes:
                merged[change.path] = _merge(merged.get(change.path), change)
        return tuple(merged.values())


class Session(Struct, frozen=True, kw_only=True):
    """A session, as its events report it."""

    turns: tuple[Turn, ...] = ()
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    end_reason: str | None = None
    cwd: str | None = None
    provider: str | None = None
    client_version: str | None = None
    originator: str | None = None
    permission_mode: str | None = None
    git_branch: str | None = None
    git_commit: str | None = None
    forked_from: str | None = None
    spawned_by: str | None = None
    """The session that started this one as a subagent; None for a session of the user."""
    sources: frozenset[EventSource] = frozenset()
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Number of unknown or unreadable records, by kind."""


def _tool_calls(steps: tuple[Step, ...]) -> list[ToolCall]:
    found: list[ToolCall] = []
    for step in steps:
        if isinstance(step, ToolCall):
            found.append(step)
        elif isinstance(step, Subagent):
            found += _tool_calls(step.steps)
    return found


def _merge(old: FileChange | None, new: FileChange) -> FileChange:
    if old is None:
        return new
    return FileChange(
        path=old.path,
        kind=old.kind if new.kind is not new.kind.DELETED else new.kind,
        moved_to=new.moved_to or old.moved_to,
        lines_added=_sum(old.lines_added, new.lines_added),
        lines_removed=_sum(old.lines_removed, new.lines_removed),
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)
