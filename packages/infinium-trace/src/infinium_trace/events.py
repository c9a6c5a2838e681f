"""Neutral events: what happened in the session of any agent.

A connector translates its agent's hook events and transcript records into these events. `infinium_trace.fold` folds
them into a session. Times are UTC epoch milliseconds. Both sources may report the same fact; the fold keeps it once.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field


class EventSource(StrEnum):
    """The source of an event. A transcript has more details (exit codes, tokens); hooks are always available."""

    HOOK = "hook"
    TRANSCRIPT = "transcript"


class TurnStatus(StrEnum):
    """Status of a turn."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    RUNNING = "running"
    """No end was reported: the session still runs, or it was killed."""


class ChangeKind(StrEnum):
    """Kind of a change to a file."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    MOVED = "moved"


class TokenUsage(Struct, frozen=True, kw_only=True):
    """Tokens of one or more model responses. `cached` is part of `prompt`, `reasoning` part of `completion`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            prompt=self.prompt + other.prompt,
            completion=self.completion + other.completion,
            cached=self.cached + other.cached,
            reasoning=self.reasoning + other.reasoning,
        )


class FileChange(Struct, frozen=True, kw_only=True):
    """A file that a tool changed. `path` is as the agent named it; lines are None if unknown."""

    path: str
    kind: ChangeKind
    moved_to: str | None = None
    lines_added: int | None = None
    lines_removed: int | None = None


class ContextItem(Struct, frozen=True, kw_only=True):
    """Something the model was given beside the user's request: an open file, a selection, an image, instructions."""

    kind: str
    """A noun, such as "selection", "image" or "instructions"."""
    name: str | None = None
    """Path or name of it; None if it has none."""
    text: str | None = None
    sha256: str | None = None
    """Hash of a text that is not part of the event."""


class _Event(Struct, frozen=True, kw_only=True):
    at_ms: int
    """UTC epoch milliseconds, as dated by the source (hook events: the time at which the hook ran)."""
    source: EventSource = EventSource.HOOK
    turn_id: str | None = None
    """The turn of the event; None if unknown: then it belongs to the turn that ran at `at_ms`."""
    subagent_id: str | None = None
    """The subagent of the event; None for the agent that the user talks to."""


class SessionStarted(_Event, frozen=True, kw_only=True):
    """A session started or was resumed."""

    trigger: str = "startup"
    """startup, resume, clear, compact or fork."""
    cwd: str | None = None
    model: str | None = None
    provider: str | None = None
    permission_mode: str | None = None
    client_version: str | None = None
    """Version of the agent program."""
    originator: str | None = None
    git_branch: str | None = None
    git_commit: str | None = None
    forked_from: str | None = None
    spawned_by: str | None = None
    """The session that started this one as a subagent; None for a session of the user."""


class SessionEnded(_Event, frozen=True, kw_only=True):
    """A session ended. `reason` is the agent's own term."""

    reason: str | None = None


class TurnStarted(_Event, frozen=True, kw_only=True):
    """The user submitted a prompt, or a record adds details of a turn (a transcript's turn context)."""

    prompt: str | None = None
    cwd: str | None = None
    model: str | None = None
    permission_mode: str | None = None
    effort: str | None = None
    """How much the model reasons, in the model's own terms."""
    sandbox: str | None = None
    """What commands may change, in the agent's own terms."""
    approval: str | None = None
    """When the agent asks for permission, in its own terms."""
    context_window: int | None = None
    """Tokens that fit into the model's context."""
    previous_model: str | None = None
    """The model before this turn, if the user switched it."""
    context: Sequence[ContextItem] = field(default=())
    """What the model was given beside the prompt. Several events may each report a part."""


class TurnEnded(_Event, frozen=True, kw_only=True):
    """A turn ended."""

    status: TurnStatus = TurnStatus.COMPLETED
    reason: str | None = None
    last_message: str | None = None
    duration_ms: int | None = None
    first_token_ms: int | None = None
    """Milliseconds from the prompt to the first token, as measured by the agent."""
    continued_by_hook: bool = False
    """A stop hook continued the turn before this end."""
    guessed: bool = False
    """No record reports the status: it was inferred. A reported status replaces it."""


class AssistantMessage(_Event, frozen=True, kw_only=True):
    """A message from the agent to the user."""

    text: str
    message_id: str | None = None


class Reasoned(_Event, frozen=True, kw_only=True):
    """A summary of the model's reasoning. Records with the same `reasoning_id` report the same."""

    text: str
    reasoning_id: str | None = None


class LimitsReported(_Event, frozen=True, kw_only=True):
    """How much of the account's usage limits is used, in words."""

    text: str


class ModelResponded(_Event, frozen=True, kw_only=True):
    """A response of the model, with its tokens. Records with the same `response_id` report the same response."""

    response_id: str
    usage: TokenUsage
    model: str | None = None
    latency_ms: int | None = None


class ToolStarted(_Event, frozen=True, kw_only=True):
    """A tool call started. `tool` is the tool's plain name (shell, apply_patch, mcp__server__tool, …)."""

    call_id: str
    tool: str
    arguments: Mapping[str, object] | str | None = None
    """Parsed arguments, or free text."""
    options: Mapping[str, object] | None = None
    """How the call is to run (directory, limits, sandbox), which is no part of what it does."""


class ToolFinished(_Event, frozen=True, kw_only=True):
    """A tool call returned, or a source reports a part of its result. Unknown fields are None."""

    call_id: str
    tool: str | None = None
    output: str | None = None
    exit_code: int | None = None
    duration_ms: float | None = None
    failed: bool | None = None
    error: str | None = None
    """Reason of a failure without exit code (an unknown tool, a refused call)."""
    refused: bool = False
    """The user refused the call."""
    aborted: bool = False
    """The user interrupted the call."""
    waits_for: str | None = None
    """The call of a background command whose end this call waited for. The time is that command's."""
    cwd: str | None = None
    still_running: bool = False
    """The command continues in the background; a later event with the same call ends it."""
    output_continues: bool = False
    """`output` is the output since the last event of this call, not the whole output."""
    parent_call_id: str | None = None
    """The call that ran this one, such as a program of tool calls."""
    changes: Sequence[FileChange] = field(default=())


class PermissionAsked(_Event, frozen=True, kw_only=True):
    """The agent asked the user for permission to run a tool."""

    tool: str
    arguments: Mapping[str, object] | str | None = None
    reason: str | None = None
    """Why the agent asks, in its own words."""


class PermissionReviewed(_Event, frozen=True, kw_only=True):
    """An automatic review decides on a call in place of the user. Events with the same `review_id` are one review."""

    review_id: str
    tool: str
    arguments: Mapping[str, object] | str | None = None
    call_id: str | None = None
    finished: bool = False
    granted: bool | None = None
    """None if the review has not decided, or ended without a decision."""
    risk: str | None = None
    reason: str | None = None


class PlanProposed(_Event, frozen=True, kw_only=True):
    """The agent proposed a plan to the user, as the result of its turn."""

    text: str


class TurnsUndone(_Event, frozen=True, kw_only=True):
    """The user undid the last `count` turns: they are no longer part of the conversation."""

    count: int


class Compacted(_Event, frozen=True, kw_only=True):
    """The conversation was compacted: `phase` is "started" or "finished"."""

    phase: str
    trigger: str | None = None
    summary: str | None = None
    """The text that replaced the conversation. It is not a message to the user."""


class SubagentStarted(_Event, frozen=True, kw_only=True):
    """A subagent (`subagent_id`) started, or received more work, in a turn of its own (`turn_id`)."""

    agent_type: str | None = None
    parent_turn_id: str | None = None
    """The user's turn that the subagent's turn works for (all its turns if `turn_id` is None); None if unknown."""
    call_id: str | None = None


class SubagentEnded(_Event, frozen=True, kw_only=True):
    """A subagent (`subagent_id`) ended."""

    agent_type: str | None = None
    last_message: str | None = None


class SourcesDisagreed(_Event, frozen=True, kw_only=True):
    """Two sources report different values for the same fact. `what` names the fact and both values."""

    what: str


class RecordSkipped(_Event, frozen=True, kw_only=True):
    """A record that is unknown or unreadable. `what` names its kind, never its content."""

    what: str


Event = (
    SessionStarted
    | SessionEnded
    | TurnStarted
    | TurnEnded
    | AssistantMessage
    | ModelResponded
    | Reasoned
    | LimitsReported
    | ToolStarted
    | ToolFinished
    | PermissionAsked
    | PermissionReviewed
    | PlanProposed
    | TurnsUndone
    | Compacted
    | SubagentStarted
    | SubagentEnded
    | SourcesDisagreed
    | RecordSkipped
)
