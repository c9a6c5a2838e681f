"""Translates Codex's hook events into neutral events.

To add an event, declare it in `codex/hook_events.py`, write a function that translates its payload, and add it to
`TRANSLATORS`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypedDict

from infinium_trace.events import (
    Compacted,
    Event,
    EventSource,
    PermissionAsked,
    RecordSkipped,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)

from infinium_codex.codex import hook_events
from infinium_codex.codex.event_fields import EventFields, of_subagent
from infinium_codex.codex.file_changes import patch_changes
from infinium_codex.codex.prompts import read_prompt
from infinium_codex.codex.reviews import readable_message
from infinium_codex.codex.tool_outputs import output_text, read_output
from infinium_codex.codex.tools import APPLY_PATCH, SHELL, call_arguments, followup_target, tool_arguments, tool_name
from infinium_codex.support.json_fields import mapping, parse_object, text

Payload = Mapping[str, object]
Translator = Callable[[EventFields, Payload], Iterable[Event]]


def translate_hook(payload: Payload, at_ms: int) -> Iterator[Event]:
    """Yield the neutral events of one hook payload. `at_ms` is when the hook ran, in UTC epoch milliseconds."""
    fields = EventFields(
        at_ms=at_ms,
        source=EventSource.HOOK,
        turn_id=text(payload, "turn_id"),
        subagent_id=text(payload, "agent_id"),
    )
    name = text(payload, "hook_event_name") or "unnamed"
    translate = TRANSLATORS.get(name, _unknown)
    yield from translate(fields, payload)


class _TurnSettings(TypedDict):
    cwd: str | None
    model: str | None
    permission_mode: str | None


def _turn_settings(payload: Payload) -> _TurnSettings:
    return _TurnSettings(
        cwd=text(payload, "cwd"), model=text(payload, "model"), permission_mode=text(payload, "permission_mode")
    )


def _session_started(fields: EventFields, payload: Payload) -> Iterator[Event]:
    yield SessionStarted(**fields, trigger=text(payload, "source") or "startup", **_turn_settings(payload))


def _prompt_submitted(fields: EventFields, payload: Payload) -> Iterator[Event]:
    prompt = read_prompt(text(payload, "prompt"))
    yield TurnStarted(**fields, prompt=prompt.request, context=prompt.context, **_turn_settings(payload))


def _tool_started(fields: EventFields, payload: Payload) -> Iterator[Event]:
    tool = _tool(payload)
    arguments, options = call_arguments(tool, payload.get("tool_input"))
    yield TurnStarted(**fields, **_turn_settings(payload))
    yield ToolStarted(
        **fields, call_id=_call_id(payload), tool=tool_name(tool), arguments=arguments, options=options or None
    )


def _tool_finished(fields: EventFields, payload: Payload) -> Iterator[Event]:
    """Yield the call's result, and before it the call itself: Codex may have skipped the hook of its start."""
    tool = _tool(payload)
    if "tool_input" in payload:
        arguments, options = call_arguments(tool, payload["tool_input"])
        yield ToolStarted(
            **fields, call_id=_call_id(payload), tool=tool_name(tool), arguments=arguments, options=options or None
        )
    # A shell's response is the command's bare output. A header in it would be the command's own text.
    result = read_output(payload.get("tool_response"), bare=tool_name(tool) == SHELL)
    arguments = tool_arguments(tool, payload.get("tool_input"))
    patched = tool == APPLY_PATCH and result.exit_code in (0, None)
    yield ToolFinished(
        **fields,
        call_id=_call_id(payload),
        tool=tool_name(tool),
        output=result.output,
        exit_code=result.exit_code,
        duration_ms=result.duration_ms,
        failed=mapping(payload, "tool_response").get("isError") is True or None,
        error=result.error,
        aborted=result.aborted,
        changes=patch_changes(arguments) if patched and isinstance(arguments, str) else (),
    )
    yield from _subagent_continued(fields, payload)


def _subagent_continued(fields: EventFields, payload: Payload) -> Iterator[Event]:
    """Yield the turn of a subagent that the call sent more work to. The call's output names that turn."""
    tool = tool_name(text(payload, "tool_name") or "")
    subagent_id = followup_target(tool, tool_arguments(tool, payload.get("tool_input")))
    if subagent_id is None or fields["subagent_id"] is not None:
        return
    output = parse_object(output_text(payload.get("tool_response"))) or {}
    if own_turn := text(output, "submission_id"):
        yield SubagentStarted(
            **of_subagent(fields, subagent_id, own_turn), parent_turn_id=fields["turn_id"], call_id=_call_id(payload)
        )


def _permission_requested(fields: EventFields, payload: Payload) -> Iterator[Event]:
    tool = _tool(payload)
    arguments, options = call_arguments(tool, payload.get("tool_input"))
    reason = text(options, "description") or text(options, "justification")
    yield PermissionAsked(**fields, tool=tool_name(tool), arguments=arguments, reason=reason)


def _compaction_started(fields: EventFields, payload: Payload) -> Iterator[Event]:
    yield Compacted(**fields, phase="started", trigger=text(payload, "trigger"))


def _compaction_finished(fields: EventFields, payload: Payload) -> Iterator[Event]:
    yield Compacted(**fields, phase="finished", trigger=text(payload, "trigger"))


def _subagent_started(fields: EventFields, payload: Payload) -> Iterator[Event]:
    yield SubagentStarted(**fields, agent_type=text(payload, "agent_type"))


def _subagent_ended(fields: EventFields, payload: Payload) -> Iterator[Event]:
    last_message = text(payload, "last_assistant_message")
    yield SubagentEnded(**fields, agent_type=text(payload, "agent_type"), last_message=last_message)


def _turn_completed(fields: EventFields, payload: Payload) -> Iterator[Event]:
    yield TurnEnded(
        **fields,
        status=TurnStatus.COMPLETED,
        last_message=readable_message(text(payload, "last_assistant_message")),
        continued_by_hook=payload.get("stop_hook_active") is True,
    )


def _turn_interrupted(fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001 - a Translator
    yield TurnEnded(**fields, status=TurnStatus.INTERRUPTED, reason="interrupted")


def _session_ended(fields: EventFields, payload: Payload) -> Iterator[Event]:
    yield SessionEnded(**fields, reason=text(payload, "reason"))


def _unknown(fields: EventFields, payload: Payload) -> Iterator[Event]:
    name = text(payload, "hook_event_name") or "unnamed"
    yield RecordSkipped(**fields, what=f"hook:{name[:64]}")


TRANSLATORS: Mapping[str, Translator] = {
    hook_events.SESSION_START.name: _session_started,
    hook_events.USER_PROMPT_SUBMIT.name: _prompt_submitted,
    hook_events.PRE_TOOL_USE.name: _tool_started,
    hook_events.POST_TOOL_USE.name: _tool_finished,
    hook_events.PERMISSION_REQUEST.name: _permission_requested,
    hook_events.PRE_COMPACT.name: _compaction_started,
    hook_events.POST_COMPACT.name: _compaction_finished,
    hook_events.SUBAGENT_START.name: _subagent_started,
    hook_events.SUBAGENT_STOP.name: _subagent_ended,
    hook_events.STOP.name: _turn_completed,
    hook_events.INTERRUPT.name: _turn_interrupted,
    hook_events.SESSION_END.name: _session_ended,
}
"""The function that translates each event."""


def _tool(payload: Payload) -> str:
    return text(payload, "tool_name") or "unknown"


def _call_id(payload: Payload) -> str:
    return text(payload, "tool_use_id") or f"unidentified-{text(payload, 'turn_id')}"
