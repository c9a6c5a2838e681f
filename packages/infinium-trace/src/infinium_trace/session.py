"""The model of an agent's session. Times are UTC epoch milliseconds, durations milliseconds, previews not yet cut."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from infinium_trace.events import EventSource, FileChange, TokenUsage, TurnStatus


class Answer(StrEnum):
    """What became of a permission request."""

    GRANTED = "granted"
    REFUSED = "refused"
    NOT_RUN = "refused or interrupted"
    """The call was called off; whether before the answer or by it, the agent does not say."""


class ToolCall(Struct, frozen=True, kw_only=True):
    """One call of a tool."""

    call_id: str
    tool: str
    started_at_ms: int
    ended_at_ms: int | None = None
    duration_ms: float | None = None
    """As the agent measured it, at most from its start to its end; None for a call that never ended."""
    arguments: Mapping[str, object] | str | None = None
    output: str | None = None
    exit_code: int | None = None
    failed: bool = False
    error: str | None = None
    """Why it failed where there is no exit code."""
    refused: bool = False
    """The user did not allow it."""
    aborted: bool = False
    """It was called off before it was over."""
    cwd: str | None = None
    changes: tuple[FileChange, ...] = ()
    finished: bool = False
    background: bool = False
    """It went on while the agent did other things."""
    parent_call_id: str | None = None
    """The call that ran it; its work is counted here, not there."""


class Message(Struct, frozen=True, kw_only=True):
    """Something the agent said before its last word."""

    started_at_ms: int
    text: str


class Compaction(Struct, frozen=True, kw_only=True):
    """The conversation was compacted."""

    started_at_ms: int
    duration_ms: float | None = None
    trigger: str | None = None
    summary: str | None = None
    """What the conversation was replaced with."""


class PermissionRequest(Struct, frozen=True, kw_only=True):
    """The agent asked for leave to call a tool."""

    started_at_ms: int
    tool: str
    arguments: Mapping[str, object] | str | None = None
    call_id: str | None = None
    """The call it was for; None where no call is known that it fits."""
    answer: Answer | None = None
    """None where it is not known."""
    waited_ms: float | None = None
    """How long the answer took."""


class Subagent(Struct, frozen=True, kw_only=True):
    """An agent this turn started: its work counts here and nowhere else."""

    subagent_id: str
    started_at_ms: int
    ended_at_ms: int | None = None
    agent_type: str | None = None
    turns: frozenset[str] = frozenset()
    """Turns of its own in which it worked for this one."""
    prompt: str | None = None
    """What it was asked to do."""
    status: TurnStatus = TurnStatus.RUNNING
    reason: str | None = None
    last_message: str | None = None
    steps: tuple["Step", ...] = ()
    calls: int = 0
    """Responses of the model to it."""
    usage: TokenUsage = field(default_factory=TokenUsage)

    @property
    def duration_ms(self) -> float | None:
        return None if self.ended_at_ms is None else float(max(self.ended_at_ms - self.started_at_ms, 0))


Step = ToolCall | Message | Compaction | PermissionRequest | Subagent


class ModelCall(Struct, frozen=True, kw_only=True):
    """One response of the model."""

    response_id: str
    ended_at_ms: int
    usage: TokenUsage
    model: str | None = None
    latency_ms: int | None = None
    subagent_id: str | None = None
    """The subagent it answered; None for the turn itself."""


class Turn(Struct, frozen=True, kw_only=True):
    """From a prompt of the user's to the agent's last word on it."""

    id: str
    started_at_ms: int
    ended_at_ms: int | None = None
    duration_ms: float | None = None
    """As the agent measured it, else from start to end."""
    first_token_ms: int | None = None
    status: TurnStatus = TurnStatus.RUNNING
    reason: str | None = None
    prompt: str | None = None
    last_message: str | None = None
    models: tuple[str, ...] = ()
    permission_mode: str | None = None
    effort: str | None = None
    cwd: str | None = None
    steps: tuple[Step, ...] = ()
    calls: tuple[ModelCall, ...] = ()
    continuations: int = 0
    """How often a stop hook sent it on."""
    disagreements: tuple[str, ...] = ()
    """Where two sources told different things."""
    sources: frozenset[EventSource] = frozenset()

    @property
    def subagents(self) -> tuple[Subagent, ...]:
        """The agents it started; one still at work may yet add to the turn, also after the turn's end."""
        return tuple(step for step in self.steps if isinstance(step, Subagent))

    @property
    def usage(self) -> TokenUsage:
        """Tokens of all its responses, its subagents' among them."""
        return sum((call.usage for call in self.calls), TokenUsage())

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Its tool calls in order, with those of its subagents."""
        return tuple(_tool_calls(self.steps))

    @property
    def changes(self) -> tuple[FileChange, ...]:
        """The files it changed, one entry a path: the first kind of change, the lines of all of them."""
        merged: dict[str, FileChange] = {}
        for call in self.tool_calls:
            for change in call.changes:
                merged[change.path] = _merge(merged.get(change.path), change)
        return tuple(merged.values())


class Session(Struct, frozen=True, kw_only=True):
    """What the events told of one session."""

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
    """The session whose subagent this one is: no session of the user's."""
    sources: frozenset[EventSource] = frozenset()
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Records nobody understood, by kind."""


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
