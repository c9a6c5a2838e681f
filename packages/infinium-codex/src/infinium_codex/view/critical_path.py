"""Finds what a turn waited for: its activities, and the chain of them that determined how long it took."""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.view.model import Outcome, StepKind, StepView, TurnView


class Work(StrEnum):
    """Kind of an activity."""

    MODEL = "model"
    TOOL = "tool"
    PERMISSION = "permission"
    SUBAGENT = "subagent"
    OTHER = "other"
    """No activity is recorded: hooks, and the agent program itself."""


class Activity(Struct, frozen=True, kw_only=True):
    """Something that took time, in epoch milliseconds."""

    work: Work
    start: float
    end: float
    label: str
    step: int | None = None
    """Number of its step; None for a model call."""
    background: bool = False
    failed: bool = False
    awaits: bool = False
    """Whether it is a tool call that waits for subagents."""

    @property
    def duration(self) -> float:
        return self.end - self.start


_AWAITING = frozenset({"spawn_agent", "wait", "wait_agent"})
_WORK = {
    StepKind.TOOL: Work.TOOL,
    StepKind.PERMISSION: Work.PERMISSION,
    StepKind.SUBAGENT: Work.SUBAGENT,
    StepKind.COMPACTION: Work.MODEL,
}


def activities(turn: TurnView) -> list[Activity]:
    """Return the turn's own activities by their start: model calls, tools, permission requests and subagents.

    The steps inside a subagent are part of its activity.
    """
    found = [
        Activity(work=Work.MODEL, start=call.ended_at_ms - call.latency_ms, end=call.ended_at_ms, label="model call")
        for call in turn.calls
        if call.latency_ms is not None and call.subagent_id is None
    ]
    found += [activity for step in turn.steps if (activity := step_activity(step)) is not None]
    return sorted(found, key=lambda one: (one.start, one.end))


def step_activity(step: StepView) -> Activity | None:
    """Return the activity of a step; None if it takes no time or its time is unknown."""
    if step.kind not in _WORK or step.started_at_ms is None or step.duration_ms is None:
        return None
    return Activity(
        work=_WORK[step.kind],
        start=float(step.started_at_ms),
        end=step.started_at_ms + max(step.duration_ms, 0.0),
        label=step.title,
        step=step.number,
        background=step.background,
        failed=step.outcome is Outcome.FAILED,
        awaits=step.kind is StepKind.TOOL and step.name in _AWAITING,
    )


def critical_path(found: Sequence[Activity], start: float, end: float) -> list[Activity]:
    """Return the chain of activities that fills the time from `start` to `end` without a gap.

    The chain is followed backwards: the activity that ended last made the next one possible. Time between two links
    is `Work.OTHER`. An activity in the background delays nothing, so that it is never a link. While a call waits for
    subagents, the one that ended last is the link.
    """
    by_end = sorted((one for one in found if not one.background), key=lambda one: (one.end, -one.start))
    chain: list[Activity] = []
    at = end
    while by_end and at > start:
        one = by_end.pop()
        if one.start >= at or one.end <= start:
            continue
        if one.end > at + 1 and one.work is not Work.MODEL:
            continue  # it ran on beside the link that was chosen; only a model call begins a tool before its own end
        until = min(one.end, at)
        if until < at:
            chain.append(_other(until, at))
        begin = max(one.start, start)
        if one.awaits and (agent := _last_awaited(found, begin, until)) is not None:
            if agent.end < until:
                chain.append(replace(one, start=agent.end, end=until))
            chain.append(replace(agent, start=max(agent.start, begin)))
            until = max(agent.start, begin)
        if begin < until:
            chain.append(replace(one, start=begin, end=until))
        at = begin
    if at > start:
        chain.append(_other(start, at))
    return chain[::-1]


def _last_awaited(found: Sequence[Activity], begin: float, until: float) -> Activity | None:
    """Return the subagent that ended last while a call waited for it."""
    awaited = [one for one in found if one.work is Work.SUBAGENT and begin < one.end <= until]
    return max(awaited, key=lambda one: one.end, default=None)


def _other(start: float, end: float) -> Activity:
    return Activity(work=Work.OTHER, start=start, end=end, label="hooks and other")
