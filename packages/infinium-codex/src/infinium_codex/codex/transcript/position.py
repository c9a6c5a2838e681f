"""How far a transcript has been read, and what later records need to know of the earlier ones."""

from collections.abc import Mapping
from typing import Self, TypeVar

from infinium_trace.events import EventSource, SessionStarted, TokenUsage
from msgspec import Struct, field
from msgspec.structs import replace

from infinium_codex.agent import Offset
from infinium_codex.codex.threads import ThreadKind, thread_kind
from infinium_codex.codex.versions import TURN_ERRORS_SINCE, is_at_least, parse_version
from infinium_codex.support.json_fields import mapping, text

_REQUEST_RECORDS = frozenset({
    "task_started", "user_message", "function_call_output", "custom_tool_call_output", "compacted",
})  # fmt: skip
"""Records after which the model has something to answer."""
_RESPONSE_RECORDS = frozenset({
    "reasoning", "function_call", "custom_tool_call", "local_shell_call", "web_search_call",
})  # fmt: skip
"""Records that are part of the model's answer."""

_Value = TypeVar("_Value")


class Position(Struct, kw_only=True):
    """A place in a transcript, stored in the checkpoint.

    The reader changes it record by record; `copy` returns one that does not change. Its mappings are replaced, never
    changed, so that copies may share them.
    """

    offset: Offset = 0
    turn_id: str | None = None
    model: str | None = None
    previous_model: str | None = None
    """The model before this turn, if it was another one."""
    in_copied_history: bool = False
    """Whether the records are those of the session that this one was forked from."""
    total_usage: TokenUsage = field(default_factory=TokenUsage)
    """The thread's tokens so far. A repeated `token_count` does not change it."""
    requested_ms: int = 0
    """When the model last got something to answer, in epoch milliseconds."""
    responded_ms: int = 0
    """When the model's last record came since then; 0 before the first one."""
    latency_ms: int = 0
    """Latency of the response before that, until a record reports its tokens."""
    prompt_pending: bool = False
    """Whether the turn has a prompt that needs an answer."""
    instructions: Mapping[str, str] = field(default_factory=dict)
    """Hash of each instruction file in force, by its path. Codex writes them into the transcript once."""
    session: Mapping[str, str] = field(default_factory=dict)
    """Facts from `session_meta`, which only the transcript's first line has."""
    open_patches: Mapping[str, str] = field(default_factory=dict)
    """Patch by call id, until a record reports the changed files. Up to 0.128 only the patch names them."""
    open_polls: Mapping[str, str] = field(default_factory=dict)
    """Calls that ask for the output of a background command: the command's number by call id."""
    background_commands: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Turn id and call id of each background command, by Codex's number for it."""
    open_searches: Mapping[str, str] = field(default_factory=dict)
    """Ended web searches whose call comes next: the action by call id."""
    review_ended: bool = False
    """Whether a code review ended in this turn. The records up to the turn's end have another turn id, or repeat it."""
    searches: int = 0
    """Number of web searches without any id so far."""
    agent_followups: Mapping[str, str] = field(default_factory=dict)
    """Calls that send a subagent more work: the subagent's id by call id."""
    code_mode_call: str | None = None
    """The running call of Code Mode, whose nested calls come next."""

    def copy(self) -> Self:
        """Return a position that does not change while this one advances."""
        return replace(self)

    def begin_turn(self, turn_id: str, model: str | None) -> None:
        """Enter a turn. Ids are ordered by time: a turn older than its session is copied from another session."""
        own = turn_id > self.session.get("id", "")
        if turn_id != self.turn_id:
            self.open_searches, self.review_ended, self.previous_model = {}, False, None
        if model is not None and self.model is not None and model != self.model:
            self.previous_model = self.model
        self.turn_id, self.model = turn_id, model or self.model
        self.in_copied_history = self.in_copied_history and not own

    def note_time(self, kind: str, role: str | None, at_ms: int) -> None:
        """Update the times of request and response with one record's time. `role` is that of a `message`."""
        if kind in _REQUEST_RECORDS or (kind == "message" and role == "user"):
            self._note_request(kind, at_ms)
        elif self.requested_ms and (kind in _RESPONSE_RECORDS or (kind == "message" and role == "assistant")):
            self.responded_ms = at_ms

    def _note_request(self, kind: str, at_ms: int) -> None:
        if self.responded_ms:
            self.latency_ms = max(self.responded_ms - self.requested_ms, 0)
        self.prompt_pending = kind == "user_message" or (self.prompt_pending and kind != "task_started")
        self.requested_ms, self.responded_ms = at_ms, 0

    def note_review_ended(self) -> None:
        """Note the end of a code review. Its result is the answer; `task_complete` has none then."""
        self.review_ended, self.prompt_pending = True, False

    def take_latency(self) -> int | None:
        """Return the latency of the response whose tokens are reported now, in milliseconds, and forget it."""
        latency = max(self.responded_ms - self.requested_ms, 0) if self.responded_ms else self.latency_ms
        self.latency_ms = self.responded_ms = 0
        return latency or None

    def take_patch(self, call_id: str) -> str:
        """Return the call's patch, or "" if there is none, and forget it."""
        found = self.open_patches.get(call_id, "")
        if found:
            self.open_patches = without(self.open_patches, call_id)
        return found

    def take_search(self, action: str) -> str:
        """Return the id of the web search with this action that ended last, else a new id, and forget it."""
        same = [call_id for call_id, other in self.open_searches.items() if other == action]
        found = (same or [*self.open_searches])[-1:]
        if found:
            self.open_searches = without(self.open_searches, found[0])
            return found[0]
        self.searches += 1
        return f"web_search-{self.searches}"

    @property
    def reports_turn_errors(self) -> bool:
        """Whether this session's Codex writes the error of a failed turn into the transcript."""
        return is_at_least(parse_version(self.session.get("client_version", "")), TURN_ERRORS_SINCE)


def without(entries: Mapping[str, _Value], key: str) -> Mapping[str, _Value]:
    """Return the mapping without one key."""
    return {other: value for other, value in entries.items() if other != key} if key in entries else entries


def session_started(facts: Mapping[str, str], subagent_id: str | None = None) -> SessionStarted:
    """Return the session's start from the facts of its `session_meta`."""
    started = facts.get("started_ms", "")
    return SessionStarted(
        at_ms=int(started) if started.isdecimal() else 0,
        source=EventSource.TRANSCRIPT,
        subagent_id=subagent_id,
        cwd=facts.get("cwd"),
        provider=facts.get("provider"),
        client_version=facts.get("client_version"),
        originator=facts.get("originator"),
        git_branch=facts.get("git_branch"),
        git_commit=facts.get("git_commit"),
        forked_from=facts.get("forked_from"),
        spawned_by=facts.get("spawned_by"),
    )


def session_facts(payload: Mapping[str, object], at_ms: int) -> dict[str, str]:
    """Return the facts that a `session_meta` has about its session, to store in `Position.session`."""
    git = mapping(payload, "git")
    spawn = mapping(mapping(mapping(payload, "source"), "subagent"), "thread_spawn")
    spawned_by = text(spawn, "parent_thread_id")
    if spawned_by is None and thread_kind(payload) is ThreadKind.OWN:
        spawned_by = text(payload, "parent_thread_id") or "Codex"
    found = {
        "id": text(payload, "id"),
        "started_ms": str(max(at_ms, 0)),
        "cwd": text(payload, "cwd"),
        "provider": text(payload, "model_provider"),
        "client_version": text(payload, "cli_version"),
        "originator": text(payload, "originator"),
        "git_branch": text(git, "branch"),
        "git_commit": text(git, "commit_hash"),
        "forked_from": text(payload, "forked_from_id"),
        "spawned_by": spawned_by,
    }
    return {key: value for key, value in found.items() if value}
