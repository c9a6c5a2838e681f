"""Records that tell the whole of one thing that happened: `item_completed`, from 0.150 on, and its forerunners."""

from collections.abc import Iterator, Mapping

from infinium_trace.events import (
    Event,
    RecordSkipped,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)

from infinium_codex.codex.event_fields import Where
from infinium_codex.codex.tools import SHELL, UNIFIED_EXEC_HEAD_MS, output_text, recorded_changes
from infinium_codex.support.json_fields import content, integer, mapping, text, texts

IGNORED = frozenset({
    "world_state", "thread_settings_applied", "thread_goal_updated", "user_message", "agent_message", "agent_reasoning",
    "reasoning", "message", "AgentMessage", "Reasoning", "HookPrompt", "ContextCompaction", "context_compacted",
    "patch_apply_begin", "turn_diff", "exec_command_begin", "session_configured", "thread_name_updated", "ImageView",
    "web_search_end", "view_image_tool_call", "collab_agent_spawn_end", "collab_agent_interaction_end",
    "collab_waiting_end", "collab_close_end", "collab_resume_end",
})  # fmt: skip
"""Records that say nothing a trace wants, or say again what another record says."""

_FAILED = ("failed", "declined")


def item_completed(at: Where, item: Mapping[str, object], payload: Mapping[str, object]) -> Iterator[Event]:
    """What one item tells; its own times are better than the record's."""
    kind, call_id = text(item, "type") or "unnamed", text(item, "id") or "unidentified"
    started, ended = integer(payload, "started_at_ms"), integer(payload, "completed_at_ms")
    begun = at if started is None else Where(**{**at, "at_ms": started})
    at = at if ended is None else Where(**{**at, "at_ms": ended})
    status = text(item, "status")
    failed = True if status in _FAILED else None
    match kind:
        case "CommandExecution":
            if words := texts(item, "command"):
                yield ToolStarted(**begun, call_id=call_id, tool=SHELL, arguments={"command": words[-1]})
            yield ToolFinished(
                **at,
                call_id=call_id,
                output=text(item, "aggregated_output"),
                exit_code=integer(item, "exit_code"),
                duration_ms=_command_ms(item),
                failed=failed,
                refused=status == "declined",
                cwd=(text(item, "cwd") or "").removeprefix("file://") or None,
            )
        case "FileChange":
            yield ToolStarted(**begun, call_id=call_id, tool="apply_patch")
            yield ToolFinished(
                **at,
                call_id=call_id,
                duration_ms=float(ended - started) if started is not None and ended is not None else None,
                failed=failed,
                refused=status == "declined",
                changes=() if failed else recorded_changes(mapping(item, "changes")),
            )
        case "McpToolCall":
            result = mapping(item, "result")
            yield _mcp_finished(at, call_id, item, result, text(mapping(item, "error"), "message"), failed is True)
        case "WebSearch":
            arguments = mapping(item, "action") or {"query": text(item, "query")}
            yield ToolStarted(**begun, call_id=call_id, tool="web_search", arguments=dict(arguments))
            yield ToolFinished(**at, call_id=call_id)
        case "CollabAgentToolCall":
            for subagent_id in texts(item, "receiver_thread_ids") if text(item, "tool") == "spawn_agent" else ():
                of_agent = Where(**{**at, "turn_id": None, "subagent_id": subagent_id})
                yield SubagentStarted(**of_agent, parent_turn_id=at["turn_id"], call_id=call_id)
        case "UserMessage":
            yield TurnStarted(**at, prompt=content(item.get("content")) or None)
        case _ if kind not in IGNORED:
            yield RecordSkipped(**at, what=f"item:{kind[:64]}")


def patch_applied(at: Where, call_id: str, payload: Mapping[str, object]) -> ToolFinished:
    """`patch_apply_end`, 0.129 to 0.147."""
    failed = payload.get("success") is False
    return ToolFinished(
        **at,
        call_id=call_id,
        failed=failed or None,
        changes=() if failed else recorded_changes(mapping(payload, "changes")),
    )


def mcp_ended(at: Where, payload: Mapping[str, object]) -> ToolFinished:
    """`mcp_tool_call_end`, before 0.150: its `result` is `{"Ok": …}` or `{"Err": …}`."""
    result = mapping(payload, "result")
    answer, error = mapping(result, "Ok"), text(result, "Err")
    return _mcp_finished(at, text(payload, "call_id") or "unidentified", payload, answer, error, error is not None)


def _mcp_finished(
    at: Where, call_id: str, record: Mapping[str, object], answer: Mapping[str, object], error: str | None, failed: bool
) -> ToolFinished:
    output = output_text(answer) or None
    failed = failed or answer.get("isError") is True
    return ToolFinished(
        **at,
        call_id=call_id,
        output=output,
        duration_ms=_duration_ms(record),
        failed=failed or None,
        error=(error or output or "the tool failed") if failed else None,
    )


def _command_ms(item: Mapping[str, object]) -> float | None:
    measured = _duration_ms(item)
    unified = (text(item, "source") or "").startswith("unified_exec")
    return measured if measured is None or not unified else measured + UNIFIED_EXEC_HEAD_MS


def _duration_ms(record: Mapping[str, object]) -> float | None:
    duration = mapping(record, "duration")
    seconds, nanos = integer(duration, "secs"), integer(duration, "nanos")
    return None if seconds is None else seconds * 1000.0 + (nanos or 0) / 1_000_000
