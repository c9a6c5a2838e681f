"""Handles records that report one finished thing as a whole: `item_completed`, from 0.150 on, and its predecessors.

To add an item kind, write a function that yields its events and add it to `ITEM_HANDLERS`. A kind that another record
also reports, or that no trace needs, goes into `IGNORED_ITEMS`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from infinium_trace.events import (
    Event,
    PlanProposed,
    RecordSkipped,
    SubagentStarted,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.codex.event_fields import EventFields, at_time, of_subagent
from infinium_codex.codex.file_changes import recorded_changes
from infinium_codex.codex.prompts import attached_items, read_prompt
from infinium_codex.codex.shell_commands import readable_command
from infinium_codex.codex.tool_outputs import UNMEASURED_START_MS, output_text
from infinium_codex.codex.tools import APPLY_PATCH, SHELL, SPAWN_AGENT, WEB_SEARCH
from infinium_codex.codex.transcript.position import Position
from infinium_codex.codex.transcript.subagents import activity_of_subagent
from infinium_codex.support.json_fields import content, integer, mapping, text, texts

IGNORED_ITEMS = frozenset(
    {
        "AgentMessage",
        "Reasoning",
        "HookPrompt",
        "ContextCompaction",
        "ImageView",
        "EnteredReviewMode",
        "ExitedReviewMode",
    }
)
"""Items that no trace needs, or that another record reports as well."""
REVIEW_ENDED = "ExitedReviewMode"
PLAN = "Plan"
"""The item of a plan that plan mode proposes to the user."""
_NESTED_CALL_PREFIX = "exec-"
"""The start of the id of a call that a Code Mode program made."""


class _Item(Struct, frozen=True):
    """An `item_completed` record, as its handlers need it."""

    record: Mapping[str, object]
    call_id: str
    started: EventFields
    """Event fields with the time at which the item started. Its own times are more exact than the record's."""
    completed: EventFields
    duration_ms: float | None

    @property
    def declined(self) -> bool:
        return self.record.get("status") == "declined"

    @property
    def failed(self) -> bool | None:
        return self.record.get("status") in ("failed", "declined") or None


def item_completed(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield the events of one item."""
    record = mapping(payload, "item")
    kind = text(record, "type") or "unnamed"
    if kind == REVIEW_ENDED:
        position.note_review_ended()
    if kind in IGNORED_ITEMS:
        return
    item = _read_item(fields, record, payload)
    handler = ITEM_HANDLERS.get(kind)
    if handler is None:
        yield RecordSkipped(**item.completed, what=f"item:{kind[:64]}")
        return
    if kind == PLAN:
        position.prompt_pending = False  # the plan is the answer; `task_complete` has none then
    for event in handler(item):
        yield _with_parent(position, event) if isinstance(event, ToolFinished) else event


def patch_applied(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield the result of a patch from a `patch_apply_end` (0.129 to 0.147)."""
    call_id = text(payload, "call_id") or "unidentified"
    position.take_patch(call_id)
    failed = payload.get("success") is False
    changes = () if failed else recorded_changes(mapping(payload, "changes"))
    # A Code Mode program's patch has no other record.
    yield ToolStarted(**fields, call_id=call_id, tool=APPLY_PATCH)
    finished = ToolFinished(
        **fields,
        call_id=call_id,
        output=text(payload, "stderr" if failed else "stdout"),
        failed=failed or None,
        changes=changes,
    )
    yield _with_parent(position, finished)


def command_ended(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield a command from an `exec_command_end`, which some clients before 0.150 write."""
    call_id = text(payload, "call_id") or "unidentified"
    for event in _command(_Item(payload, call_id, fields, fields, None)):
        yield _with_parent(position, event) if isinstance(event, ToolFinished) else event


def mcp_call_ended(
    position: Position,  # noqa: ARG001 - a RecordHandler
    fields: EventFields,
    payload: Mapping[str, object],
) -> Iterator[Event]:
    """Yield the result of an MCP call from a `mcp_tool_call_end` (before 0.150): `{"Ok": …}` or `{"Err": …}`."""
    result = mapping(payload, "result")
    error = text(result, "Err")
    call_id = text(payload, "call_id") or "unidentified"
    yield _mcp_finished(fields, call_id, payload, mapping(result, "Ok"), error, failed=error is not None)


def _read_item(fields: EventFields, record: Mapping[str, object], payload: Mapping[str, object]) -> _Item:
    started, completed = integer(payload, "started_at_ms"), integer(payload, "completed_at_ms")
    return _Item(
        record,
        text(record, "id") or "unidentified",
        at_time(fields, started),
        at_time(fields, completed),
        float(completed - started) if started is not None and completed is not None else None,
    )


def _with_parent(position: Position, finished: ToolFinished) -> ToolFinished:
    """Return the call with the Code Mode call that made it, if one did. Its patch needs no other record now."""
    position.take_patch(finished.call_id)
    if finished.call_id.startswith(_NESTED_CALL_PREFIX):
        return replace(finished, parent_call_id=position.code_mode_call)
    return finished


def _command(item: _Item) -> Iterator[Event]:
    if command := readable_command(item.record.get("command")):
        yield ToolStarted(**item.started, call_id=item.call_id, tool=SHELL, arguments={"command": command})
    yield ToolFinished(
        **item.completed,
        call_id=item.call_id,
        output=text(item.record, "aggregated_output"),
        exit_code=integer(item.record, "exit_code"),
        duration_ms=_command_ms(item.record),
        failed=item.failed,
        refused=item.declined,
        cwd=(text(item.record, "cwd") or "").removeprefix("file://") or None,
    )


def _file_change(item: _Item) -> Iterator[Event]:
    yield ToolStarted(**item.started, call_id=item.call_id, tool=APPLY_PATCH)
    yield ToolFinished(
        **item.completed,
        call_id=item.call_id,
        duration_ms=item.duration_ms,
        failed=item.failed,
        refused=item.declined,
        changes=() if item.failed else recorded_changes(mapping(item.record, "changes")),
    )


def _mcp_call(item: _Item) -> Iterator[Event]:
    result, error = mapping(item.record, "result"), text(mapping(item.record, "error"), "message")
    yield _mcp_finished(item.completed, item.call_id, item.record, result, error, failed=item.failed is True)


def _web_search(item: _Item) -> Iterator[Event]:
    arguments = mapping(item.record, "action") or {"query": text(item.record, "query")}
    yield ToolStarted(**item.started, call_id=item.call_id, tool=WEB_SEARCH, arguments=dict(arguments))
    yield ToolFinished(**item.completed, call_id=item.call_id)


def _subagent_call(item: _Item) -> Iterator[Event]:
    if text(item.record, "tool") != SPAWN_AGENT:
        return
    for subagent_id in texts(item.record, "receiver_thread_ids"):
        of_agent = of_subagent(item.completed, subagent_id, None)
        yield SubagentStarted(**of_agent, parent_turn_id=item.completed["turn_id"], call_id=item.call_id)


def _subagent_activity(item: _Item) -> Iterable[Event]:
    return activity_of_subagent(item.completed, item.record)


def _user_message(item: _Item) -> Iterator[Event]:
    items = item.record.get("content")
    prompt = read_prompt(content(items), attached_items(items))
    yield TurnStarted(**item.completed, prompt=prompt.request, context=prompt.context)


def _plan(item: _Item) -> Iterator[Event]:
    if plan := (text(item.record, "text") or "").strip():
        yield PlanProposed(**item.completed, text=plan)


ITEM_HANDLERS: Mapping[str, Callable[[_Item], Iterable[Event]]] = {
    "CommandExecution": _command,
    "FileChange": _file_change,
    "McpToolCall": _mcp_call,
    "WebSearch": _web_search,
    "CollabAgentToolCall": _subagent_call,
    "UserMessage": _user_message,
    PLAN: _plan,
    "SubAgentActivity": _subagent_activity,
}
"""The function that handles each kind of item."""


def _mcp_finished(
    fields: EventFields,
    call_id: str,
    record: Mapping[str, object],
    answer: Mapping[str, object],
    error: str | None,
    *,
    failed: bool,
) -> ToolFinished:
    output = output_text(answer) or None
    failed = failed or answer.get("isError") is True
    return ToolFinished(
        **fields,
        call_id=call_id,
        output=output,
        duration_ms=_duration_ms(record),
        failed=failed or None,
        error=(error or output or "the tool failed") if failed else None,
    )


def _command_ms(record: Mapping[str, object]) -> float | None:
    measured = _duration_ms(record)
    if measured is None or not (text(record, "source") or "").startswith("unified_exec"):
        return measured
    return measured + UNMEASURED_START_MS


def _duration_ms(record: Mapping[str, object]) -> float | None:
    duration = mapping(record, "duration")
    seconds, nanos = integer(duration, "secs"), integer(duration, "nanos")
    return None if seconds is None else seconds * 1000.0 + (nanos or 0) / 1_000_000
