"""Handlers of transcript records, by record kind.

To add a record kind, write a function that yields its events and add it to `RECORD_HANDLERS`. A kind that no trace
needs, or whose facts another record has, goes into `IGNORED_RECORDS`. Any other record is reported as `RecordSkipped`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from infinium_trace.events import (
    AssistantMessage,
    Compacted,
    ContextItem,
    Event,
    Reasoned,
    RecordSkipped,
    SubagentStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    TurnsUndone,
)

from infinium_codex.codex.event_fields import EventFields
from infinium_codex.codex.prompts import (
    INSTRUCTIONS,
    attached,
    instructions_in,
    read_prompt,
    skill_in,
    without_plan_tags,
)
from infinium_codex.codex.reviews import readable_message
from infinium_codex.codex.transcript.calls import tool_answered, tool_called
from infinium_codex.codex.transcript.items import command_ended, item_completed, mcp_call_ended, patch_applied
from infinium_codex.codex.transcript.other_tools import (
    call_reviewed,
    tool_search_answered,
    tool_search_called,
    web_search_called,
    web_search_ended,
)
from infinium_codex.codex.transcript.position import Position
from infinium_codex.codex.transcript.subagents import subagent_active
from infinium_codex.codex.transcript.tokens import token_count, token_usage_record
from infinium_codex.support.json_fields import content, integer, mapping, text, texts_of

Payload = Mapping[str, object]
RecordHandler = Callable[[Position, EventFields, Payload], Iterable[Event]]
"""Takes the position in the transcript, the event's fields and the record's payload. It may change the position."""

IGNORED_RECORDS = frozenset({
    "world_state", "thread_settings_applied", "thread_goal_updated", "agent_message", "agent_reasoning",
    "context_compacted", "patch_apply_begin", "turn_diff", "exec_command_begin", "session_configured",
    "thread_name_updated", "view_image_tool_call", "entered_review_mode", "ghost_snapshot",
    "inter_agent_communication_metadata", "collab_agent_spawn_end",
    "collab_agent_interaction_end", "collab_waiting_end", "collab_close_end", "collab_resume_end",
})  # fmt: skip
"""Records that no trace needs, or that another record repeats."""


def handle_record(kind: str, position: Position, fields: EventFields, payload: Payload) -> tuple[Event, ...]:
    """Return the events of one record, and update the position."""
    handler = RECORD_HANDLERS.get(kind)
    if handler is not None:
        return tuple(handler(position, fields, payload))
    return () if kind in IGNORED_RECORDS else (RecordSkipped(**fields, what=f"transcript:{kind[:64]}"),)


def _turn_started(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    yield TurnStarted(**fields, context_window=integer(payload, "model_context_window"))
    yield from _subagent_turn(fields, payload)


def _turn_context(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:
    context: tuple[ContextItem, ...] = ()
    if position.instructions:
        files = position.instructions.items()
        context = tuple(ContextItem(kind=INSTRUCTIONS, name=name, sha256=sha256) for name, sha256 in files)
    yield TurnStarted(
        **fields,
        cwd=text(payload, "cwd"),
        model=text(payload, "model"),
        effort=_effort(payload),
        sandbox=_policy(payload, "sandbox_policy"),
        approval=_policy(payload, "approval_policy"),
        previous_model=position.previous_model,
        context=context,
    )
    yield from _subagent_turn(fields, payload)


def _subagent_turn(fields: EventFields, payload: Payload) -> Iterator[Event]:
    """Yield the start of a subagent's turn, if the record names the user's turn that it works for."""
    if fields["subagent_id"] is None:
        return
    root_turn = text(payload, "root_turn_id")
    if root_turn is not None and root_turn != fields["turn_id"]:
        yield SubagentStarted(**fields, parent_turn_id=root_turn)


def _effort(payload: Payload) -> str | None:
    if (effort := text(payload, "effort")) is not None:
        return effort
    mode = mapping(payload, "collaboration_mode")
    return text(mode, "reasoning_effort") or text(mapping(mode, "settings"), "reasoning_effort")


def _policy(payload: Payload, key: str) -> str | None:
    """Return the name of a policy, which may have details; older versions call it `mode`."""
    policy = payload.get(key)
    if isinstance(policy, dict):
        return text(policy, "type") or text(policy, "mode") or next(iter(policy), None)
    return policy if isinstance(policy, str) and policy else None


def _reasoned(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    summary = "\n\n".join(texts_of(payload.get("summary"))).strip()
    if summary:
        yield Reasoned(**fields, text=summary, reasoning_id=text(payload, "id"))


def _user_message(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    prompt = read_prompt(text(payload, "message"), attached(payload))
    if prompt.request or prompt.context:
        yield TurnStarted(**fields, prompt=prompt.request, context=prompt.context)


def _message(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:
    role = text(payload, "role")
    if role == "assistant" and (message := content(payload.get("content"))):
        if not position.review_ended:  # the message after a review repeats its result
            shown = readable_message(without_plan_tags(message)) or message
            yield AssistantMessage(**fields, text=shown, message_id=text(payload, "id"))
    elif role == "user":
        yield from _given_as_user(position, fields, payload)


def _is_given(message: str) -> bool:
    return message.startswith(("# ", "<skill>"))


def _given_as_user(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:
    """Yield the instruction files and skills that Codex sent in the user's role, and note the instruction files.

    Codex sends instruction files once, and they are in force in every later turn.
    """
    messages = [message for message in texts_of(payload.get("content")) if _is_given(message)]
    if not messages:
        return
    found = [item for message in messages if (item := instructions_in(message)) is not None]
    if found:
        position.instructions = {**position.instructions, **{item.name or "": item.sha256 or "" for item in found}}
    found += [item for message in messages if (item := skill_in(message)) is not None]
    if found and fields["turn_id"] is not None:
        yield TurnStarted(**fields, context=tuple(found))


def _turn_completed(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:
    """Yield the turn's end. A failed turn is complete, too; before 0.145 only the missing answer shows the failure."""
    error, answer = mapping(payload, "error"), readable_message(text(payload, "last_agent_message"))
    position.review_ended = False
    unanswered = answer is None and position.prompt_pending and not position.reports_turn_errors
    yield TurnEnded(
        **fields,
        status=TurnStatus.FAILED if error or unanswered else TurnStatus.COMPLETED,
        guessed=unanswered and not error,
        reason=text(error, "message") or ("the model gave no answer" if unanswered else None),
        last_message=answer,
        duration_ms=integer(payload, "duration_ms"),
        first_token_ms=integer(payload, "time_to_first_token_ms"),
    )


def _review_ended(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    position.note_review_ended()
    yield from ()


def _turn_aborted(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:
    position.review_ended = False
    yield TurnEnded(
        **fields,
        status=TurnStatus.INTERRUPTED,
        reason=text(payload, "reason"),
        duration_ms=integer(payload, "duration_ms"),
    )


def _turn_failed(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    yield TurnEnded(**fields, status=TurnStatus.FAILED, reason=text(payload, "message"))


def _turns_undone(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    yield TurnsUndone(**fields, count=max(integer(payload, "num_turns") or 0, 0))


def _compacted(position: Position, fields: EventFields, payload: Payload) -> Iterator[Event]:  # noqa: ARG001
    yield Compacted(**fields, phase="finished", summary=text(payload, "message"))


RECORD_HANDLERS: Mapping[str, RecordHandler] = {
    "task_started": _turn_started,
    "turn_context": _turn_context,
    "user_message": _user_message,
    "message": _message,
    "reasoning": _reasoned,
    "function_call": tool_called,
    "custom_tool_call": tool_called,
    "local_shell_call": tool_called,
    "web_search_call": web_search_called,
    "web_search_end": web_search_ended,
    "tool_search_call": tool_search_called,
    "tool_search_output": tool_search_answered,
    "guardian_assessment": call_reviewed,
    "sub_agent_activity": subagent_active,
    "thread_rolled_back": _turns_undone,
    "exited_review_mode": _review_ended,
    "exec_command_end": command_ended,
    "function_call_output": tool_answered,
    "custom_tool_call_output": tool_answered,
    "item_completed": item_completed,
    "patch_apply_end": patch_applied,
    "mcp_tool_call_end": mcp_call_ended,
    "token_usage_record": token_usage_record,
    "token_count": token_count,
    "task_complete": _turn_completed,
    "turn_aborted": _turn_aborted,
    "error": _turn_failed,
    "compacted": _compacted,
}
"""The function that handles each kind of record."""
