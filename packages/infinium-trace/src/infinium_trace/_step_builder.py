"""Builds the steps that turns and subagents have: tool calls, messages, compactions, permission requests."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

from msgspec.structs import replace

from infinium_trace._merged_values import MergedValues
from infinium_trace._tool_call_builder import ToolCallBuilder
from infinium_trace.events import (
    AssistantMessage,
    Compacted,
    Event,
    EventSource,
    PermissionAsked,
    PermissionReviewed,
    Reasoned,
    ToolFinished,
    ToolStarted,
)
from infinium_trace.session import Answer, Compaction, Message, PermissionRequest, Reasoning, Step, ToolCall


class StepBuilder:
    """Collects the steps of a turn or a subagent."""

    def __init__(self, started_at_ms: int) -> None:
        self.started_at_ms = started_at_ms
        self.ended_at_ms: int | None = None
        self.values = MergedValues()
        self._tools: dict[str, ToolCallBuilder] = {}
        self._messages: dict[str, Message] = {}
        self._reasoning: dict[str, Reasoning] = {}
        self._compacted: dict[tuple[str, EventSource], list[Compacted]] = {}
        self._permissions: dict[str, PermissionAsked] = {}
        self._reviews: dict[str, list[PermissionReviewed]] = {}

    def _tool(self, call_id: str) -> ToolCallBuilder:
        return self._tools.setdefault(call_id, ToolCallBuilder(call_id))

    def add(self, event: Event) -> None:
        """Add an event. Events that belong to no step are ignored; subclasses handle them."""
        match event:
            case ToolStarted():
                self._tool(event.call_id).start(event)
            case ToolFinished():
                self._tool(event.call_id).finish(event)
            case AssistantMessage():
                message = Message(started_at_ms=event.at_ms, text=event.text)
                self._messages.setdefault(event.message_id or event.text, message)
            case Reasoned():
                reasoning = Reasoning(started_at_ms=event.at_ms, text=event.text)
                self._reasoning.setdefault(event.reasoning_id or event.text, reasoning)
            case Compacted():
                known = self._compacted.setdefault((event.phase, event.source), [])
                if event not in known:
                    known.append(event)
            case PermissionAsked():
                self._permissions.setdefault(repr(event), event)
            case PermissionReviewed():
                self._reviews.setdefault(event.review_id, []).append(event)
            case _:
                pass

    def steps(self, last_message: str | None) -> list[Step]:
        """Return the steps so far, without the last message and without the summaries of compactions."""
        calls = [tool.build() for tool in self._tools.values()]
        compactions = self._compactions()
        summaries = [compaction.summary for compaction in compactions if compaction.summary]
        messages = [
            message
            for message in self._messages.values()
            if message.text != last_message and not any(summary.endswith(message.text) for summary in summaries)
        ]
        requests = [_permission_request(asked, calls) for asked in self._permissions.values()]
        for reviews in self._reviews.values():
            reviewed = _reviewed_request(reviews)
            requests = [one for one in requests if reviewed.call_id is None or one.call_id != reviewed.call_id]
            requests.append(reviewed)
        return [*calls, *messages, *self._reasoning.values(), *compactions, *requests]

    def _compactions(self) -> list[Compaction]:
        """Pair the events of each compaction: the first start with each source's first end, and so on."""
        starts = self._compacted.get(("started", EventSource.HOOK), [])
        of_transcript = self._compacted.get(("finished", EventSource.TRANSCRIPT), [])
        of_hooks = self._compacted.get(("finished", EventSource.HOOK), [])
        return [
            _compaction(start, [end for end in ends if end is not None])
            for start, *ends in zip_longest(starts, of_transcript, of_hooks)
        ]


def _compaction(start: Compacted | None, ends: Sequence[Compacted]) -> Compaction:
    events = [*ends] if start is None else [start, *ends]
    duration = float(max(ends[0].at_ms - start.at_ms, 0)) if start is not None and ends else None
    return Compaction(
        started_at_ms=events[0].at_ms,
        duration_ms=duration,
        trigger=next((event.trigger for event in events if event.trigger), None),
        summary=next((event.summary for event in events if event.summary), None),
    )


def _permission_request(asked: PermissionAsked, calls: Iterable[ToolCall]) -> PermissionRequest:
    """Return the request with the tool call it was for and the user's answer, as far as they are known."""
    request = PermissionRequest(
        started_at_ms=asked.at_ms, tool=asked.tool, arguments=asked.arguments, reason=asked.reason
    )
    matching = [call for call in calls if _is_call_of(call, asked)]
    if not matching:
        return request
    call = max(matching, key=lambda call: call.started_at_ms)
    request = replace(request, call_id=call.call_id)
    return request if call.ended_at_ms is None else _answered(request, call, call.ended_at_ms)


def _reviewed_request(reviews: Sequence[PermissionReviewed]) -> PermissionRequest:
    """Return the request that an automatic review answered. It stands for the user's request for the same call."""
    first, last = reviews[0], reviews[-1]
    answer = None if last.granted is None else Answer.GRANTED if last.granted else Answer.REFUSED
    return PermissionRequest(
        started_at_ms=first.at_ms,
        tool=last.tool,
        arguments=last.arguments,
        reason=last.reason,
        call_id=last.call_id,
        answer=answer,
        waited_ms=float(max(last.at_ms - first.at_ms, 0)) if last.finished else None,
        reviewed=True,
        risk=last.risk,
    )


def _is_call_of(call: ToolCall, asked: PermissionAsked) -> bool:
    ended = asked.at_ms if call.ended_at_ms is None else call.ended_at_ms
    return (
        call.tool == asked.tool
        and call.started_at_ms <= asked.at_ms <= ended
        and _command(call.arguments) == _command(asked.arguments)
    )


def _answered(request: PermissionRequest, call: ToolCall, ended_at_ms: int) -> PermissionRequest:
    waited = float(ended_at_ms - request.started_at_ms)
    if call.refused:
        return replace(request, answer=Answer.REFUSED, waited_ms=waited)
    if call.aborted:
        return replace(request, answer=Answer.NOT_RUN, waited_ms=waited)
    run_time = None if call.background else call.duration_ms
    return replace(request, answer=Answer.GRANTED, waited_ms=None if run_time is None else max(waited - run_time, 0.0))


def _command(arguments: object) -> object:
    """Return the command alone: one source adds a description to the arguments, the other does not."""
    return arguments.get("command", arguments) if isinstance(arguments, Mapping) else arguments


def within(steps: list[Step], ended_at_ms: int | None) -> list[Step]:
    """Return the steps of a turn, with the durations of background commands limited to the turn's end."""
    if ended_at_ms is None:
        return steps
    return [_limited(step, ended_at_ms) if isinstance(step, ToolCall) and step.background else step for step in steps]


def _limited(call: ToolCall, ended_at_ms: int) -> ToolCall:
    longest = float(max(ended_at_ms - call.started_at_ms, 0))
    return replace(call, duration_ms=longest if call.duration_ms is None else min(call.duration_ms, longest))


def in_order_of_time(steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps sorted by their start."""
    return tuple(sorted(steps, key=lambda step: step.started_at_ms))
