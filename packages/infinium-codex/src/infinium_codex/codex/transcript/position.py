"""How far a transcript was read, and what its records up to there said that later ones leave out."""

from collections.abc import Mapping
from typing import Annotated, Self

from infinium_trace.events import EventSource, SessionStarted, TokenUsage
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from infinium_codex.codex.versions import TURN_ERRORS_SINCE, is_at_least, parse_version
from infinium_codex.support.json_fields import mapping, text

_ANSWERS = frozenset({"reasoning", "function_call", "custom_tool_call", "local_shell_call", "web_search_call"})
_ASKS = frozenset({"task_started", "user_message", "function_call_output", "custom_tool_call_output", "compacted"})

Offset = Annotated[int, Meta(ge=0)]
"""Bytes from the start of a file."""


class Position(Struct, kw_only=True):
    """A place in a transcript. The open calls in it are few: a reading mostly ends between two turns.

    It moves with the reading, record by record, so it is not frozen: `copy` gives one that stays where it is. Its
    mappings are never changed, only exchanged.
    """

    offset: Offset = 0
    turn_id: str | None = None
    model: str | None = None
    copying: bool = False
    """In the history of another session, which this one was forked with."""
    total: TokenUsage = field(default_factory=TokenUsage)
    """The thread's tokens so far: a repeated `token_count` adds nothing to it."""
    asked_ms: int = 0
    """When the model was last given something to answer."""
    answered_ms: int = 0
    """When its last answer came, 0 while there is none to what it was last given."""
    latency_ms: int = 0
    """How long the answer before that took, until a record tells what it cost."""
    prompted: bool = False
    """The turn has a prompt that wants an answer."""
    session: Mapping[str, str] = field(default_factory=dict)
    """The session's facts from `session_meta`, kept because only the transcript's first line has them."""
    patches: Mapping[str, str] = field(default_factory=dict)
    """Patches, by call, whose changes no record has told yet: up to 0.128 only the call itself names the files."""
    polls: Mapping[str, str] = field(default_factory=dict)
    """Calls that look at a command in the background, and Codex's number for that command."""
    running: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Commands in the background by Codex's number: their turn and call."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Calls that give a subagent more to do, and the agent's id."""
    program: str | None = None
    """The call of Code Mode whose nested calls come next."""

    def copy(self) -> Self:
        """A place that stays here."""
        return replace(self)

    def begin_turn(self, turn_id: str, model: str | None) -> None:
        """Note that a turn begins. It is younger than its session, unless it was copied from another one."""
        own = turn_id > self.session.get("id", "")
        self.turn_id, self.model, self.copying = turn_id, model or self.model, self.copying and not own

    def note_time(self, name: str, role: str | None, at_ms: int) -> None:
        """Note when the model was asked and when it answered, as far as this record tells."""
        if name in _ASKS or (name == "message" and role == "user"):
            if self.answered_ms:
                self.latency_ms = max(self.answered_ms - self.asked_ms, 0)
            self.prompted = name == "user_message" or (self.prompted and name != "task_started")
            self.asked_ms, self.answered_ms = at_ms, 0
        elif self.asked_ms and (name in _ANSWERS or (name == "message" and role == "assistant")):
            self.answered_ms = at_ms

    @property
    def tells_failures(self) -> bool:
        """Whether this version's `task_complete` names the error of a turn that failed (0.145 does, 0.140 does not)."""
        return is_at_least(parse_version(self.session.get("client_version", "")), TURN_ERRORS_SINCE)

    def take_patch(self, call_id: str) -> str:
        """The patch of this call, kept no longer: something tells what became of it."""
        found = self.patches.get(call_id, "")
        if found:
            self.patches = {call: patch for call, patch in self.patches.items() if call != call_id}
        return found


def session_started(facts: Mapping[str, str], subagent_id: str | None = None) -> SessionStarted:
    """The session's start as its `session_meta` told it, now or in an earlier reading."""
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
    """What a `session_meta` says of its session."""
    git = mapping(payload, "git")
    spawn = mapping(mapping(mapping(payload, "source"), "subagent"), "thread_spawn")
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
        "spawned_by": text(spawn, "parent_thread_id"),
    }
    return {key: value for key, value in found.items() if value}
