"""Neutral events: what a connector says happened in an agent session, whichever agent it is.

A connector translates its agent's hook events and transcript records into these; `infinium_trace.fold` makes a
session of them. Times are UTC epoch milliseconds. The same fact may come from both sources; the fold keeps it once.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from msgspec import Struct, field


class EventSource(StrEnum):
    """Where an event was seen. A transcript knows more (exit codes, tokens); a hook is always there."""

    HOOK = "hook"
    TRANSCRIPT = "transcript"


class TurnStatus(StrEnum):
    """How a turn ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    RUNNING = "running"
    """Not seen to end; only in a session that is looked at while it runs or was killed."""


class ChangeKind(StrEnum):
    """What a patch did to a file."""

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
    """One file a tool changed. `path` is as the agent named it; lines are None where the source does not say."""

    path: str
    kind: ChangeKind
    moved_to: str | None = None
    lines_added: int | None = None
    lines_removed: int | None = None


class _Event(Struct, frozen=True, kw_only=True):
    at_ms: int
    """When it happened, UTC epoch milliseconds, as the source dates it (a hook event: when the hook ran)."""
    source: EventSource = EventSource.HOOK
    turn_id: str | None = None
    """The turn it belongs to; None where the source does not say, then the turn running at `at_ms`."""
    subagent_id: str | None = None
    """The subagent it belongs to; None for the user's own session."""


class SessionStarted(_Event, frozen=True, kw_only=True):
    """A session began or was taken up again."""

    trigger: str = "startup"
    """startup, resume, clear, compact or fork."""
    cwd: str | None = None
    model: str | None = None
    provider: str | None = None
    permission_mode: str | None = None
    client_version: str | None = None
    """Version of the agent program (Codex: `session_meta.cli_version`)."""
    originator: str | None = None
    git_branch: str | None = None
    git_commit: str | None = None
    forked_from: str | None = None
    spawned_by: str | None = None
    """The session whose subagent this one is: no session of the user's."""


class SessionEnded(_Event, frozen=True, kw_only=True):
    """A session ended; `reason` in the agent's own word."""

    reason: str | None = None


class TurnStarted(_Event, frozen=True, kw_only=True):
    """The user gave a prompt, or more is learned about a turn (a transcript's turn context)."""

    prompt: str | None = None
    cwd: str | None = None
    model: str | None = None
    permission_mode: str | None = None
    effort: str | None = None


class TurnEnded(_Event, frozen=True, kw_only=True):
    """A turn ended."""

    status: TurnStatus = TurnStatus.COMPLETED
    reason: str | None = None
    last_message: str | None = None
    duration_ms: int | None = None
    first_token_ms: int | None = None
    """Time from the prompt to the first token, as the agent measured it."""
    continued_by_hook: bool = False
    """A stop hook had sent the turn on before this end."""
    guessed: bool = False
    """No record says how it ended: `status` is what the ones there are make likely, until a source says otherwise."""


class AssistantSaid(_Event, frozen=True, kw_only=True):
    """A message of the agent to the user."""

    text: str
    message_id: str | None = None


class ModelResponded(_Event, frozen=True, kw_only=True):
    """One response of the model and the tokens it cost. `response_id` tells repeated records of one response."""

    response_id: str
    usage: TokenUsage
    model: str | None = None
    latency_ms: int | None = None


class ToolStarted(_Event, frozen=True, kw_only=True):
    """A tool call began. `tool` is the tool's plain name (shell, apply_patch, mcp__server__tool, …)."""

    call_id: str
    tool: str
    arguments: Mapping[str, object] | str | None = None
    """Parsed arguments, or the text where they are free text."""


class ToolFinished(_Event, frozen=True, kw_only=True):
    """A tool call gave its result, or one source's part of what is known about it; fields not known are None."""

    call_id: str
    tool: str | None = None
    output: str | None = None
    exit_code: int | None = None
    duration_ms: float | None = None
    failed: bool | None = None
    error: str | None = None
    """Why it failed, in words, where there is no exit code (an unknown tool, a refused call)."""
    refused: bool = False
    """The user did not allow it."""
    aborted: bool = False
    """It was called off before it was over."""
    cwd: str | None = None
    still_running: bool = False
    """The command went on in the background; a later record with the same call ends it."""
    output_continues: bool = False
    """`output` is what came since the last record of this call, not all of it."""
    parent_call_id: str | None = None
    """The call of a tool that ran this one, such as a program of tool calls."""
    changes: Sequence[FileChange] = field(default=())


class PermissionAsked(_Event, frozen=True, kw_only=True):
    """The agent asked the user to allow a tool call."""

    tool: str
    arguments: Mapping[str, object] | str | None = None


class Compacted(_Event, frozen=True, kw_only=True):
    """The conversation was compacted: `phase` is "started" or "finished"."""

    phase: str
    trigger: str | None = None
    summary: str | None = None
    """What the conversation was replaced with: nothing the agent said to the user."""


class SubagentStarted(_Event, frozen=True, kw_only=True):
    """A subagent (`subagent_id`) began, or was given more to do, in a turn of its own (`turn_id`)."""

    agent_type: str | None = None
    parent_turn_id: str | None = None
    """The user's turn that its own turn, or all of it where `turn_id` is None, works for; None where not known."""
    call_id: str | None = None


class SubagentEnded(_Event, frozen=True, kw_only=True):
    """A subagent (`subagent_id`) ended."""

    agent_type: str | None = None
    last_message: str | None = None


class SourcesDisagreed(_Event, frozen=True, kw_only=True):
    """Two sources told the same fact differently; `what` says which, and what each of them said."""

    what: str


class RecordSkipped(_Event, frozen=True, kw_only=True):
    """A record the connector does not know or could not read; `what` names its kind, never its content."""

    what: str


Event = (
    SessionStarted
    | SessionEnded
    | TurnStarted
    | TurnEnded
    | AssistantSaid
    | ModelResponded
    | ToolStarted
    | ToolFinished
    | PermissionAsked
    | Compacted
    | SubagentStarted
    | SubagentEnded
    | SourcesDisagreed
    | RecordSkipped
)
