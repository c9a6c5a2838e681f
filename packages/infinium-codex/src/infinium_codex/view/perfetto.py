"""Renders sessions as Chrome trace events, which ui.perfetto.dev and Speedscope open.

A session is a process, an agent in it a thread, and the model calls of an agent are a thread beside it. A call that
overlaps another one of its thread without lying inside it is a pair of async events, because a thread's slices form
a stack. Speedscope ignores async events; Perfetto shows them on a track below the thread.
"""

import json
from collections.abc import Iterator, Sequence

from msgspec import Struct

from infinium_codex.console.safe_text import safe_json
from infinium_codex.view.excerpts import excerpt, one_line
from infinium_codex.view.model import ModelCallView, SessionView, StepKind, StepView, TurnView

Event = dict[str, object]

_LONGEST_TEXT = 1_000
_LONGEST_NAME = 120
_INSTANT = (StepKind.MESSAGE, StepKind.REASONING, StepKind.CONTEXT)


class Slice(Struct, frozen=True, kw_only=True):
    """Something with a beginning and an end, in epoch microseconds."""

    name: str
    category: str
    start: int
    end: int
    id: str
    args: dict[str, object]


def trace_events(sessions: Sequence[SessionView]) -> bytes:
    """Return the sessions as a JSON document in the Trace Event Format. Its times are UTC epoch microseconds."""
    events = [event for number, session in enumerate(sessions, 1) for event in _session(session, number)]
    document = {"displayTimeUnit": "ms", "traceEvents": events}
    return safe_json(json.dumps(document, ensure_ascii=False, separators=(",", ":"))).encode()


def _session(session: SessionView, pid: int) -> Iterator[Event]:
    threads = _Threads(pid)
    yield _name("process_name", pid, 0, f"Codex session {session.session_id[:13]}")
    tokens, cost = 0, 0.0
    for turn in session.turns:
        yield from threads.turn(turn)
        for call in sorted(turn.calls, key=lambda one: one.ended_at_ms):
            tokens += call.usage.total
            cost += call.cost_usd or 0.0
            yield _counter(pid, call.ended_at_ms, "tokens", tokens)
            if call.cost_usd is not None:
                yield _counter(pid, call.ended_at_ms, "cost in US dollars", round(cost, 6))
    yield from threads.names()


class _Threads:
    """The threads of one session: two for each agent, one for its work and one for its model calls."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ids: dict[tuple[str | None, bool], int] = {}
        self._titles: dict[str | None, str] = {None: "Codex"}

    def names(self) -> Iterator[Event]:
        """Yield the names of the threads, in the order of their first event."""
        for (agent, of_model), tid in self._ids.items():
            title = f"{self._titles.get(agent, 'subagent')}{': model' if of_model else ''}"
            yield _name("thread_name", self._pid, tid, title)
            yield {**_name("thread_sort_index", self._pid, tid, ""), "args": {"sort_index": tid}}

    def turn(self, turn: TurnView) -> Iterator[Event]:
        """Yield the events of a turn and of its subagents."""
        one = turn.summary
        start = one.started_at_ms * 1000
        end = start + round((one.duration_ms or 0.0) * 1000)
        whole = Slice(
            name=one_line(one.request, _LONGEST_NAME),
            category="turn",
            start=start,
            end=max(end, start + 1),
            id=one.key,
            args={
                "turn": one.turn_id,
                "trace_key": one.key,
                "status": one.status.value,
                "tokens": one.usage.total,
                "cost_usd": one.cost_usd,
                "request": _text(turn.request),
                "answer": _text(turn.answer),
            },
        )
        yield from self._agent(turn.steps, None, [whole])
        for agent in dict.fromkeys(call.subagent_id for call in turn.calls):
            calls = [call for call in turn.calls if call.subagent_id == agent and call.latency_ms is not None]
            yield from self._placed([_model_slice(call) for call in calls], self._thread(agent, of_model=True))

    def _agent(self, steps: Sequence[StepView], agent: str | None, around: list[Slice]) -> Iterator[Event]:
        tid = self._thread(agent, of_model=False)
        slices, inner = list(around), []
        for step in steps:
            if step.started_at_ms is None:
                continue
            if step.kind is StepKind.SUBAGENT:
                inner.append(step)
            elif step.kind in _INSTANT or step.duration_ms is None:
                yield _instant(step, self._pid, tid)
            else:
                slices.append(_step_slice(step))
        yield from self._placed(slices, tid)
        for step in inner:
            self._titles[step.id] = one_line(f"{step.name}: {step.title}", _LONGEST_NAME)
            whole = [_step_slice(step)] if step.duration_ms is not None else []
            yield from self._agent(step.steps, step.id, whole)

    def _thread(self, agent: str | None, *, of_model: bool) -> int:
        return self._ids.setdefault((agent, of_model), len(self._ids) + 1)

    def _placed(self, slices: list[Slice], tid: int) -> Iterator[Event]:
        """Yield a slice of the thread for each that fits into the stack, else a pair of async events."""
        stack: list[int] = []
        for one in sorted(slices, key=lambda each: (each.start, -each.end)):
            while stack and stack[-1] <= one.start:
                stack.pop()
            common = {"name": one.name, "cat": one.category, "pid": self._pid, "tid": tid}
            if not stack or one.end <= stack[-1]:
                stack.append(one.end)
                yield {**common, "ph": "X", "ts": one.start, "dur": one.end - one.start, "args": one.args}
            else:
                yield {**common, "ph": "b", "ts": one.start, "id": one.id, "args": one.args}
                yield {**common, "ph": "e", "ts": one.end, "id": one.id}


def _step_slice(step: StepView) -> Slice:
    start = (step.started_at_ms or 0) * 1000
    end = start + max(round((step.duration_ms or 0.0) * 1000), 1)
    name = one_line(f"{step.name}: {step.title}", _LONGEST_NAME)
    return Slice(name=name, category=step.kind.value, start=start, end=end, id=step.id, args=_step_args(step))


def _step_args(step: StepView) -> dict[str, object]:
    args: dict[str, object] = {
        "id": step.id,
        "step": step.number,
        "outcome": step.outcome.value,
        "exit_code": step.exit_code,
        "input": _text(step.input),
        "output": _text(step.output),
        "tokens": step.usage.total if step.usage else None,
        "cost_usd": step.cost_usd,
    }
    return {name: value for name, value in args.items() if value not in (None, "")}


def _model_slice(call: ModelCallView) -> Slice:
    end = call.ended_at_ms * 1000
    args: dict[str, object] = {
        "prompt_tokens": call.usage.prompt,
        "cached_tokens": call.usage.cached,
        "completion_tokens": call.usage.completion,
        "reasoning_tokens": call.usage.reasoning,
        "cost_usd": call.cost_usd,
        "steps": list(call.steps),
    }
    return Slice(
        name=call.model or "model call",
        category="model",
        start=end - max((call.latency_ms or 0) * 1000, 1),
        end=end,
        id=call.id,
        args=args,
    )


def _instant(step: StepView, pid: int, tid: int) -> Event:
    name = one_line(f"{step.name}: {step.title}", _LONGEST_NAME)
    at = (step.started_at_ms or 0) * 1000
    common = {"name": name, "cat": step.kind.value, "pid": pid, "tid": tid}
    return {**common, "ph": "i", "s": "t", "ts": at, "args": _step_args(step)}


def _counter(pid: int, at_ms: int, name: str, value: float) -> Event:
    return {"name": name, "ph": "C", "pid": pid, "tid": 0, "ts": at_ms * 1000, "args": {"total": value}}


def _name(kind: str, pid: int, tid: int, name: str) -> Event:
    return {"name": kind, "ph": "M", "pid": pid, "tid": tid, "ts": 0, "args": {"name": name}}


def _text(text: str | None) -> str:
    part = excerpt(text or "", _LONGEST_TEXT)
    return f"{part.head}\n[{part.missing}]\n{part.tail}" if part.missing else part.head
