"""Splits the time of a turn into model, tools, permission requests and the rest."""

from collections.abc import Iterable

from msgspec import Struct

from infinium_trace.session import PermissionRequest, ToolCall, Turn


class TimeSplit(Struct, frozen=True, kw_only=True):
    """Milliseconds of one or more turns. Work of subagents counts as the call that waits for them."""

    model: float = 0.0
    tools: float = 0.0
    permission: float = 0.0
    other: float = 0.0

    def __add__(self, more: "TimeSplit") -> "TimeSplit":
        return TimeSplit(
            model=self.model + more.model,
            tools=self.tools + more.tools,
            permission=self.permission + more.permission,
            other=self.other + more.other,
        )


def split_time(turn: Turn) -> TimeSplit | None:
    """Return how a turn spent its time; None if its duration or its model calls are unknown.

    Tools that ran at the same time count once. A command in the background counts while a call waits for it.
    """
    own_calls = [call for call in turn.calls if call.subagent_id is None and call.latency_ms is not None]
    if not turn.duration_ms or not own_calls:
        return None
    left = turn.duration_ms
    asked = [step for step in turn.steps if isinstance(step, PermissionRequest)]
    permission = min(sum(request.waited_ms or 0.0 for request in asked), left)
    left -= permission
    tools = min(max(_covered(_foreground(turn)) - permission, 0.0), left)
    left -= tools
    model = min(float(sum(call.latency_ms or 0 for call in own_calls)), left)
    return TimeSplit(model=model, tools=tools, permission=permission, other=left - model)


def _foreground(turn: Turn) -> Iterable[tuple[float, float]]:
    """Yield start and end of the turn's own calls that the model waited for."""
    for step in turn.steps:
        if isinstance(step, ToolCall) and step.ended_at_ms is not None and not step.background:
            measured = step.ended_at_ms - step.started_at_ms if step.duration_ms is None else step.duration_ms
            yield float(step.started_at_ms), step.started_at_ms + max(measured, 0.0)


def _covered(intervals: Iterable[tuple[float, float]]) -> float:
    """Return the length of the union of intervals."""
    covered, until = 0.0, float("-inf")
    for start, end in sorted(intervals):
        covered += max(end - max(start, until), 0.0)
        until = max(until, end)
    return covered
