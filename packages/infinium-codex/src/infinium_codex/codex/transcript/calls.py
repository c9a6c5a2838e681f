"""Tool calls and their outputs in a transcript, as the model made and saw them."""

from collections.abc import Iterator, Mapping

from infinium_trace.events import Event, SubagentEnded, SubagentStarted, ToolFinished, ToolStarted
from msgspec.structs import replace

from infinium_codex.codex.event_fields import Where
from infinium_codex.codex.tools import read_output, tool_arguments, tool_name
from infinium_codex.support.json_fields import mapping, parse_object, text

CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "web_search_call"})
OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})


def call_started(at: Where, payload: Mapping[str, object]) -> ToolStarted:
    """The call; a web search and an old local shell have their arguments in `action`."""
    kind = text(payload, "type") or ""
    name = text(payload, "name") or {"web_search_call": "web_search", "local_shell_call": "local_shell"}.get(
        kind, "unknown"
    )
    raw = next((payload[key] for key in ("arguments", "input", "action") if key in payload), None)
    return ToolStarted(
        **at,
        call_id=text(payload, "call_id") or text(payload, "id") or "unidentified",
        tool=tool_name(name, text(payload, "namespace")),
        arguments=tool_arguments(name, raw),
    )


def call_finished(at: Where, payload: Mapping[str, object]) -> tuple[ToolFinished, str | None]:
    """What the model was told of a call, and Codex's number for a command that runs on."""
    result = read_output(payload.get("output"))
    finished = ToolFinished(
        **at,
        call_id=text(payload, "call_id") or "unidentified",
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


def poll_finished(at: Where, poll: ToolFinished, origin: tuple[str, str] | None) -> Iterator[ToolFinished]:
    """A look at a command in the background, and what it tells of the command: `origin`, its turn and call."""
    if origin is None or poll.error:
        yield replace(poll, still_running=False)
        return
    # How the command ended is its own story: the look at it did not fail.
    yield replace(poll, still_running=False, exit_code=None)
    turn_id, call_id = origin
    where = Where(**{**at, "turn_id": turn_id or at["turn_id"]})
    yield ToolFinished(
        **where,
        call_id=call_id,
        output=poll.output,
        output_continues=True,
        exit_code=poll.exit_code,
        still_running=poll.still_running,
    )


def spawned(at: Where, finished: ToolFinished, target: str | None) -> Iterator[Event]:
    """Subagents an output tells of: one that was spawned, `target` that was given more, or the ones waited for."""
    said = parse_object(finished.output or "") if at["subagent_id"] is None else None
    if said is None:
        return
    subagent_id = text(said, "agent_id")
    if subagent_id is not None and "nickname" in said:
        of_agent = Where(**{**at, "turn_id": None, "subagent_id": subagent_id})
        yield SubagentStarted(**of_agent, parent_turn_id=at["turn_id"], call_id=finished.call_id)
    own_turn = text(said, "submission_id")
    if target is not None and own_turn is not None:
        of_agent = Where(**{**at, "turn_id": own_turn, "subagent_id": target})
        yield SubagentStarted(**of_agent, parent_turn_id=at["turn_id"], call_id=finished.call_id)
    for subagent_id, state in mapping(said, "status").items():
        message = text(state, "completed") if isinstance(state, dict) else None
        if message is not None and "timed_out" in said:
            of_agent = Where(**{**at, "turn_id": None, "subagent_id": subagent_id})
            yield SubagentEnded(**of_agent, last_message=message)
