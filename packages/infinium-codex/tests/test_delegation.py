"""Subagents, from the hooks' calls to the stored traces: never a turn of the user's, never counted twice."""

import shutil
from pathlib import Path

import pytest
from machine import Machine
from recorded import Recording, recording, recordings

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def play(machine: Machine, one: Recording) -> None:
    """Play all hooks of a recording, with every thread's transcript where Codex had it."""
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "23"
    day.mkdir(parents=True)
    for _, payload in one.hook_events():
        name = Path(payload["transcript_path"]).name
        if not (day / name).exists():
            shutil.copy(one.transcript_of(name.removesuffix(".jsonl")[-36:]), day / name)
        placed = machine.placed(payload, day / name)
        if "agent_transcript_path" in payload:
            placed["agent_transcript_path"] = str(day / Path(payload["agent_transcript_path"]).name)
        machine.hook(placed)


@pytest.mark.parametrize("one", [*recordings("subagent"), *recordings("subagent-plain")], ids=str)
def test_a_turn_with_a_subagent_is_one_trace_with_all_its_tokens(machine: Machine, one: Recording) -> None:
    """Also where the subagent's hooks look like a session of the user's, up to 0.129."""
    play(machine, one)
    [trace] = machine.traces()
    assert trace["input_summary"] == "Have an agent count."
    assert trace["llm_usage"]["prompt_tokens"] == sum(each["input_tokens"] for each in one.about["reported"])
    assert [step["action"] for step in trace["steps"]].count("subagent") == 1
    assert machine.errors() == []


def test_a_subagent_that_outlives_its_turn_is_told_with_it(machine: Machine) -> None:
    play(machine, recording("0.169.0", "subagent-outlives"))
    found = {trace["input_summary"]: trace["llm_usage"]["prompt_tokens"] for trace in machine.traces()}
    assert found == {"Send an agent.": 12_028, "Hello.": 3_007}
