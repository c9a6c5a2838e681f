"""Finds subagents in the output of the calls that start them, send them work or wait for them."""

from collections.abc import Iterator, Mapping

from infinium_trace.events import Event, SubagentEnded, SubagentStarted, ToolFinished

from infinium_codex.codex.event_fields import EventFields, of_subagent
from infinium_codex.codex.transcript.position import Position
from infinium_codex.support.json_fields import mapping, parse_object, text


def subagents_in_output(fields: EventFields, finished: ToolFinished, target: str | None) -> Iterator[Event]:
    """Yield what a call's output reports of subagents. `target` is the subagent that the call sent more work to.

    A subagent's own transcript is not searched: its calls belong to the turn that started it.
    """
    output = parse_object(finished.output or "") if fields["subagent_id"] is None else None
    if output is None:
        return
    yield from _spawned(fields, finished.call_id, output)
    if target is not None:
        yield from _continued(fields, finished.call_id, output, target)
    if "timed_out" in output:
        yield from _awaited(fields, output)


def subagent_active(
    position: Position,  # noqa: ARG001 - a RecordHandler
    fields: EventFields,
    payload: Mapping[str, object],
) -> Iterator[Event]:
    """Yield the start of a subagent from a `sub_agent_activity`; its other kinds are reported by other records."""
    yield from activity_of_subagent(fields, payload)


def activity_of_subagent(fields: EventFields, record: Mapping[str, object]) -> Iterator[Event]:
    """Yield the start of a subagent from an activity record or item.

    The call that starts a subagent names it by a path, such as `/root/review`. Only the activity has its id.
    """
    subagent_id = text(record, "agent_thread_id")
    if subagent_id is None or text(record, "kind") != "started" or fields["subagent_id"] is not None:
        return
    yield SubagentStarted(
        **of_subagent(fields, subagent_id, None),
        parent_turn_id=fields["turn_id"],
        call_id=text(record, "event_id") or text(record, "id"),
        agent_type=(text(record, "agent_path") or "").rpartition("/")[2] or None,
    )


def _spawned(fields: EventFields, call_id: str, output: Mapping[str, object]) -> Iterator[Event]:
    subagent_id = text(output, "agent_id")
    if subagent_id is not None and "nickname" in output:
        of_agent = of_subagent(fields, subagent_id, None)
        yield SubagentStarted(**of_agent, parent_turn_id=fields["turn_id"], call_id=call_id)


def _continued(fields: EventFields, call_id: str, output: Mapping[str, object], target: str) -> Iterator[Event]:
    own_turn = text(output, "submission_id")
    if own_turn is not None:
        of_agent = of_subagent(fields, target, own_turn)
        yield SubagentStarted(**of_agent, parent_turn_id=fields["turn_id"], call_id=call_id)


def _awaited(fields: EventFields, output: Mapping[str, object]) -> Iterator[Event]:
    for subagent_id, state in mapping(output, "status").items():
        message = text(state, "completed") if isinstance(state, dict) else None
        if message is not None:
            yield SubagentEnded(**of_subagent(fields, subagent_id, None), last_message=message)
