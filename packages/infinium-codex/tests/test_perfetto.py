"""Trace events: slices of a thread form a stack, what overlaps is a pair of async events, and nothing is lost."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import view_samples
from infinium_codex.view.model import SessionView, StepKind
from infinium_codex.view.perfetto import trace_events
from kept_sessions import keep
from machine import Machine
from recorded import ROOT

Event = dict[str, Any]


def events_of(session: SessionView) -> list[Event]:
    found = json.loads(trace_events([session]))["traceEvents"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", ["empty", "small", "real", "hostile", "delegating"])
def test_slices_of_a_thread_never_overlap_in_part(name: str) -> None:
    threads: dict[int, list[Event]] = defaultdict(list)
    for event in events_of(view_samples.SAMPLES[name]()):
        if event["ph"] == "X":
            threads[event["tid"]].append(event)
    for slices in threads.values():
        stack: list[int] = []
        for one in sorted(slices, key=lambda event: (event["ts"], -event["dur"])):
            while stack and stack[-1] <= one["ts"]:
                stack.pop()
            assert not stack or one["ts"] + one["dur"] <= stack[-1]
            stack.append(one["ts"] + one["dur"])


@pytest.mark.parametrize("name", ["real", "delegating"])
def test_every_step_with_a_time_is_one_slice_or_one_pair(name: str) -> None:
    session = view_samples.SAMPLES[name]()
    events = events_of(session)
    started = [event["args"]["step"] for event in events if event["ph"] in "Xb" and "step" in event["args"]]
    timed = [step.number for turn in session.turns for step in turn.walk() if step.duration_ms is not None]
    assert sorted(started) == sorted(timed)
    begun = [event["id"] for event in events if event["ph"] == "b"]
    assert begun == [event["id"] for event in events if event["ph"] == "e"]


def test_calls_at_the_same_time_are_async_pairs() -> None:
    story = view_samples.Story(1, "x", view_samples.START_MS)
    story.shell("first", seconds=2.0, wait=False)
    story.now_ms += 1_000
    story.shell("second", seconds=2.0)
    events = events_of(view_samples.session_view([story.end("Done.")]))
    assert [event["name"] for event in events if event["ph"] == "b"] == ["shell: second"]


def test_a_subagent_is_a_thread_of_its_own_and_so_are_its_model_calls() -> None:
    session = view_samples.delegating(3)
    events = events_of(session)
    names = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert "Codex" in names.values()
    assert "Codex: model" in names.values()
    agents = [step for turn in session.turns for step in turn.walk() if step.kind is StepKind.SUBAGENT]
    for agent in agents:
        assert f"{agent.name}: {agent.title}" in names.values()
    inner = next(event for event in events if event["name"] == "shell: rg -n 'except' src/module_1.py")
    assert names[inner["tid"]] == "reviewer: Review src/module_1.py for missing error handling."


def test_counters_end_with_the_tokens_and_the_cost_of_the_session() -> None:
    session = view_samples.real()
    counted = {event["name"]: event["args"]["total"] for event in events_of(session) if event["ph"] == "C"}
    assert counted["tokens"] == sum(turn.summary.usage.total for turn in session.turns)
    cost = sum(turn.summary.cost_usd or 0 for turn in session.turns)
    assert counted["cost in US dollars"] == pytest.approx(cost, abs=1e-5)


def test_the_command_writes_the_last_session(machine: Machine) -> None:
    machine.set_up()
    keep(machine, ROOT / "0.169.0" / "subagent")
    told = machine.json("export", "--perfetto", "trace.json")
    path = machine.project / "trace.json"
    assert (told["path"], told["bytes"], told["turns"]) == (str(path), path.stat().st_size, 1)
    assert json.loads(path.read_text("utf-8"))["traceEvents"]
    assert machine.run("export").returncode == 2


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
