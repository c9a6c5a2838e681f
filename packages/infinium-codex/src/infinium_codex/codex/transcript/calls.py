"""Handles the records of tool calls and their outputs, as the model made and saw them."""

from collections.abc import Callable, Iterator, Mapping

from infinium_trace.events import Event, ToolFinished, ToolStarted
from msgspec.structs import replace

from infinium_codex.codex.event_fields import EventFields
from infinium_codex.codex.file_changes import patch_changes
from infinium_codex.codex.tool_outputs import read_output
from infinium_codex.codex.tools import (
    APPLY_PATCH,
    CODE_MODE,
    SEND_INPUT,
    WRITE_STDIN,
    call_arguments,
    followup_target,
    tool_name,
)
from infinium_codex.codex.transcript.position import Position, without
from infinium_codex.codex.transcript.subagents import subagents_in_output
from infinium_codex.support.json_fields import text

_UNNAMED_TOOLS = {"local_shell_call": "local_shell"}
"""Tools whose records carry no name."""


def tool_called(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield the call, and note what later records need to know of it."""
    started = _read_call(fields, payload)
    note = CALL_NOTES.get(started.tool)
    if note is not None:
        note(position, started)
    yield started


def tool_answered(position: Position, fields: EventFields, payload: Mapping[str, object]) -> Iterator[Event]:
    """Yield the call's result, with the files it changed and the subagents it reports."""
    call_id = text(payload, "call_id")
    if call_id is None:
        return  # not the output of a call: Codex informs the model of something
    finished, process = _read_result(fields, call_id, payload)
    patch = position.take_patch(call_id)
    polled = position.open_polls.get(call_id)
    if polled is not None:
        yield from _poll_answered(position, fields, finished, polled)
        return
    if process is not None:
        command = (fields["turn_id"] or "", call_id)
        position.background_commands = {**position.background_commands, process: command}
    if position.code_mode_call == call_id:
        position.code_mode_call = None
    applied = finished.exit_code in (0, None) and not finished.failed
    yield replace(finished, changes=patch_changes(patch)) if patch and applied else finished
    yield from subagents_in_output(fields, finished, position.agent_followups.get(call_id))
    position.agent_followups = without(position.agent_followups, call_id)


def _note_patch(position: Position, call: ToolStarted) -> None:
    if isinstance(call.arguments, str):
        position.open_patches = {**position.open_patches, call.call_id: call.arguments}


def _note_poll(position: Position, call: ToolStarted) -> None:
    if isinstance(call.arguments, Mapping):
        process = str(call.arguments.get("session_id"))
        position.open_polls = {**position.open_polls, call.call_id: process}


def _note_code_mode(position: Position, call: ToolStarted) -> None:
    position.code_mode_call = call.call_id


def _note_followup(position: Position, call: ToolStarted) -> None:
    if (subagent_id := followup_target(call.tool, call.arguments)) is not None:
        position.agent_followups = {**position.agent_followups, call.call_id: subagent_id}


CALL_NOTES: Mapping[str, Callable[[Position, ToolStarted], None]] = {
    APPLY_PATCH: _note_patch,
    WRITE_STDIN: _note_poll,
    CODE_MODE: _note_code_mode,
    SEND_INPUT: _note_followup,
}
"""What the position notes of a call of each tool whose later records refer to it."""


def _read_call(fields: EventFields, payload: Mapping[str, object]) -> ToolStarted:
    # An old local shell call has its arguments in `action`.
    name = text(payload, "name") or _UNNAMED_TOOLS.get(text(payload, "type") or "", "unknown")
    raw = next((payload[key] for key in ("arguments", "input", "action") if key in payload), None)
    arguments, options = call_arguments(name, raw)
    return ToolStarted(
        **fields,
        call_id=_call_id(payload),
        tool=tool_name(name, text(payload, "namespace")),
        arguments=arguments,
        options=options or None,
    )


def _call_id(payload: Mapping[str, object]) -> str:
    return text(payload, "call_id") or text(payload, "id") or "unidentified"


def _read_result(fields: EventFields, call_id: str, payload: Mapping[str, object]) -> tuple[ToolFinished, str | None]:
    """Return the result, and Codex's number for the command if it continues in the background."""
    result = read_output(payload.get("output"))
    finished = ToolFinished(
        **fields,
        call_id=call_id,
        output=result.output,
        exit_code=result.exit_code,
        duration_ms=result.duration_ms,
        failed=True if result.error else None,
        error=result.error,
        refused=result.refused,
        aborted=result.aborted,
        still_running=result.process is not None,
    )
    return finished, result.process


def _poll_answered(position: Position, fields: EventFields, poll: ToolFinished, process: str) -> Iterator[Event]:
    """Yield a poll's own result, and its output as that of the background command it asked about."""
    position.open_polls = without(position.open_polls, poll.call_id)
    command = position.background_commands.get(process)
    if command is None or poll.error:
        yield replace(poll, still_running=False)
        return
    turn_id, call_id = command
    if not poll.still_running:
        position.background_commands = without(position.background_commands, process)
    # The exit code is the command's: the poll itself did not fail.
    yield replace(poll, still_running=False, exit_code=None, waits_for=call_id)
    of_command = EventFields(**{**fields, "turn_id": turn_id or fields["turn_id"]})
    yield ToolFinished(
        **of_command,
        call_id=call_id,
        output=poll.output,
        output_continues=True,
        exit_code=poll.exit_code,
        still_running=poll.still_running,
    )
