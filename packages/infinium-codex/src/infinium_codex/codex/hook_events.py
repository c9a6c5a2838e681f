"""Codex's hook events, each declared once: name, first version, timeout, and how its hook runs.

To add an event, add a `HookEvent` to `HOOK_EVENTS`, and its translation to `TRANSLATORS` in `codex/events.py`. Which
events start the worker is declared in `codex/agent.py`.
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from infinium_codex.codex.versions import FULL_EVENTS_SINCE, HOOKS_SINCE, SESSION_END_SINCE, Version

if TYPE_CHECKING:  # it starts programs; the worker, which imports this module, does not
    from infinium_codex.codex.program import CodexProgram


class HookEvent(Struct, frozen=True, kw_only=True):
    """One of Codex's lifecycle events, and how its hook is registered."""

    name: str
    """The name in hooks.json and in `hook_event_name`."""
    since: Version = HOOKS_SINCE
    """First version whose hooks.json gets a hook for it."""
    timeout_seconds: int = 5
    """Codex ends the hook after this time. It caps SessionEnd and Interrupt at 3 s."""
    prefers_async: bool = False
    """Whether Codex should not wait for the hook: tool events, which come often and end no turn."""
    by_shell: bool = False
    """Whether the shell alone may record it: an event that starts no worker, in a session that is traced."""


SESSION_START = HookEvent(name="SessionStart")
USER_PROMPT_SUBMIT = HookEvent(name="UserPromptSubmit")
PRE_TOOL_USE = HookEvent(name="PreToolUse", prefers_async=True, by_shell=True)
POST_TOOL_USE = HookEvent(name="PostToolUse", prefers_async=True, by_shell=True)
STOP = HookEvent(name="Stop")
SESSION_END = HookEvent(name="SessionEnd", since=SESSION_END_SINCE, timeout_seconds=3)
SUBAGENT_START = HookEvent(name="SubagentStart", since=FULL_EVENTS_SINCE, by_shell=True)
SUBAGENT_STOP = HookEvent(name="SubagentStop", since=FULL_EVENTS_SINCE)
INTERRUPT = HookEvent(name="Interrupt", since=FULL_EVENTS_SINCE, timeout_seconds=3)
PRE_COMPACT = HookEvent(name="PreCompact", since=FULL_EVENTS_SINCE, by_shell=True)
POST_COMPACT = HookEvent(name="PostCompact", since=FULL_EVENTS_SINCE, by_shell=True)
PERMISSION_REQUEST = HookEvent(name="PermissionRequest", since=FULL_EVENTS_SINCE, by_shell=True)

HOOK_EVENTS = (
    *(SESSION_START, USER_PROMPT_SUBMIT, PRE_TOOL_USE, POST_TOOL_USE, STOP, SESSION_END),
    *(SUBAGENT_START, SUBAGENT_STOP, INTERRUPT, PRE_COMPACT, POST_COMPACT, PERMISSION_REQUEST),
)
"""All events, in the order in which `init` writes them."""
EVENT_NAMES = tuple(event.name for event in HOOK_EVENTS)


def hook_events_of(codex: "CodexProgram | None") -> tuple[HookEvent, ...]:
    """Return the events this Codex has. Without a Codex, all of them: a version ignores events it does not know."""
    return tuple(event for event in HOOK_EVENTS if codex is None or codex.since(event.since))


def events_of(codex: "CodexProgram | None") -> tuple[str, ...]:
    """Return the names of the events this Codex has."""
    return tuple(event.name for event in hook_events_of(codex))
