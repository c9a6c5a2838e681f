"""Codex's hook events, one payload at a time, as neutral events."""

from collections.abc import Iterator, Mapping

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

from infinium_codex.codex.event_fields import Where
from infinium_codex.codex.tools import (
    SHELL,
    given_more,
    output_text,
    patch_changes,
    read_output,
    tool_arguments,
    tool_name,
)
from infinium_codex.support.json_fields import mapping, parse_object, text


def translate_hook(payload: Mapping[str, object], at_ms: int) -> Iterator[Event]:
    """Neutral events for one hook payload (`hook_event_name` and its fields); `at_ms` is when the hook ran."""
    where = Where(
        at_ms=at_ms,
        source=EventSource.HOOK,
        turn_id=text(payload, "turn_id"),
        subagent_id=text(payload, "agent_id"),
    )
    cwd, model, permission = text(payload, "cwd"), text(payload, "model"), text(payload, "permission_mode")
    name = text(payload, "hook_event_name") or ""
    match name:
        case "SessionStart":
            yield SessionStarted(
                **where, trigger=text(payload, "source") or "startup", cwd=cwd, model=model, permission_mode=permission
            )
        case "UserPromptSubmit":
            yield TurnStarted(**where, prompt=text(payload, "prompt"), cwd=cwd, model=model, permission_mode=permission)
        case "PreToolUse":
            tool = text(payload, "tool_name") or "unknown"
            yield TurnStarted(**where, cwd=cwd, model=model, permission_mode=permission)
            yield ToolStarted(
                **where,
                call_id=_call_id(payload),
                tool=tool_name(tool),
                arguments=tool_arguments(tool, payload.get("tool_input")),
            )
        case "PostToolUse":
            yield _tool_finished(where, payload)
            yield from _given_more(where, payload)
        case "PermissionRequest":
            tool = text(payload, "tool_name") or "unknown"
            yield PermissionAsked(
                **where, tool=tool_name(tool), arguments=tool_arguments(tool, payload.get("tool_input"))
            )
        case "PreCompact" | "PostCompact":
            phase = "started" if name == "PreCompact" else "finished"
            yield Compacted(**where, phase=phase, trigger=text(payload, "trigger"))
        case "SubagentStart":
            yield SubagentStarted(**where, agent_type=text(payload, "agent_type"))
        case "SubagentStop":
            yield SubagentEnded(
                **where,
                agent_type=text(payload, "agent_type"),
                last_message=text(payload, "last_assistant_message"),
            )
        case "Stop":
            yield TurnEnded(
                **where,
                status=TurnStatus.COMPLETED,
                last_message=text(payload, "last_assistant_message"),
                continued_by_hook=payload.get("stop_hook_active") is True,
            )
        case "Interrupt":
            yield TurnEnded(**where, status=TurnStatus.INTERRUPTED, reason="interrupted")
        case "SessionEnd":
            yield SessionEnded(**where, reason=text(payload, "reason"))
        case _:
            yield RecordSkipped(**where, what=f"hook:{name[:64] or 'unnamed'}")


def _call_id(payload: Mapping[str, object]) -> str:
    return text(payload, "tool_use_id") or f"unidentified-{text(payload, 'turn_id')}"


def _given_more(where: Where, payload: Mapping[str, object]) -> Iterator[Event]:
    tool = tool_name(text(payload, "tool_name") or "")
    subagent_id = given_more(tool, tool_arguments(tool, payload.get("tool_input")))
    if subagent_id is not None and where["subagent_id"] is None:
        said = parse_object(output_text(payload.get("tool_response"))) or {}
        if own_turn := text(said, "submission_id"):
            of_agent = Where(**{**where, "turn_id": own_turn, "subagent_id": subagent_id})
            yield SubagentStarted(**of_agent, parent_turn_id=where["turn_id"], call_id=_call_id(payload))


def _tool_finished(where: Where, payload: Mapping[str, object]) -> ToolFinished:
    tool = text(payload, "tool_name") or "unknown"
    # A shell's hook response is the bare output: a head in it would be the command's own words.
    result = read_output(payload.get("tool_response"), bare=tool_name(tool) == SHELL)
    arguments = tool_arguments(tool, payload.get("tool_input"))
    patched = tool == "apply_patch" and isinstance(arguments, str) and result.exit_code in (0, None)
    structured = mapping(payload, "tool_response")
    return ToolFinished(
        **where,
        call_id=_call_id(payload),
        tool=tool_name(tool),
        output=result.output,
        exit_code=result.exit_code,
        duration_ms=result.duration_ms,
        failed=structured.get("isError") is True or None,
        error=result.error,
        aborted=result.aborted,
        changes=patch_changes(arguments) if patched and isinstance(arguments, str) else (),
    )
