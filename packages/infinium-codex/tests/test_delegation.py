"""Subagents, from the hook calls to the stored traces: never a turn of the user's, never counted twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.support.json_fields import epoch_ms
from machine import Machine
from recorded import Recording, recording, recordings

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def play(machine: Machine, one: Recording, order: list[int] | None = None) -> None:
    """Play all hooks of a recording, or those in this order, with every thread's transcript where Codex wrote it."""
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "23"
    day.mkdir(parents=True)
    for thread in one.path.glob("thread-*.jsonl"):  # also those that no hook names
        shutil.copy(thread, day / f"rollout-2026-11-23T10-00-00-{thread.stem[-36:]}.jsonl")
    hooks = one.hook_events()
    for _, payload in hooks if order is None else [hooks[number] for number in order]:
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


def turns(machine: Machine) -> dict[str, dict[str, Any]]:
    found = [trace for trace in machine.traces() if trace["environment"]["custom_tags"]["kind"] == "turn"]
    assert len(found) == len({trace["input_summary"] for trace in found})
    return {trace["input_summary"]: trace for trace in found}


@pytest.mark.parametrize("one", recordings("subagent-left"), ids=str)
def test_a_turn_whose_subagent_ended_with_codex_is_traced_at_once(machine: Machine, one: Recording) -> None:
    """No hook reports the subagent's end then: its transcript does. Hooks of 0.131 to 0.136 do not name it either."""
    play(machine, one)
    [(request, trace)] = turns(machine).items()
    assert request == "Send an agent."
    assert trace["environment"]["custom_tags"]["status"] == "completed"
    assert trace["llm_usage"]["prompt_tokens"] == sum(each["input_tokens"] for each in one.about["reported"])
    [agent] = [step for step in trace["steps"] if step["action"] == "subagent"]
    assert (agent["input_preview"], agent["metadata"]["status"]) == ("Count the files for me.", "interrupted")
    assert machine.errors() == []


@pytest.mark.parametrize("one", recordings("subagent-resumed"), ids=str)
def test_a_prompt_of_the_user_in_a_subagents_thread_is_a_turn_of_the_users(machine: Machine, one: Recording) -> None:
    """Its hooks are those of the subagent. The subagent's own work stays a step of the turn that spawned it."""
    play_turn_by_turn(machine, one)
    found = turns(machine)
    assert sorted(found) == ["Have an agent count.", "What did you count?"]
    spawning, resuming = found["Have an agent count."], found["What did you count?"]
    assert [
        (step.get("input_preview"), step["output_preview"])
        for step in spawning["steps"]
        if step["action"] == "subagent"
    ] == [("Count the files for me.", "None.")]
    assert resuming["output_summary"] == "Files."
    assert resuming["environment"]["custom_tags"]["status"] == "completed"
    assert resuming.get("steps", []) == []
    *spent, last = [each["input_tokens"] for each in one.about["reported"]]
    assert resuming["llm_usage"]["prompt_tokens"] == last
    assert spawning["llm_usage"]["prompt_tokens"] == sum(spent)
    assert machine.errors() == []


def test_a_subagents_late_event_does_not_take_back_the_sessions_end(machine: Machine) -> None:
    """Seen on 0.158: the session's summary waited for the stale timer then."""
    one = recording("0.158.0", "subagent")
    hooks = [payload for _, payload in one.hook_events()]
    [late] = [number for number, payload in enumerate(hooks) if payload["hook_event_name"] == "SubagentStop"]
    at_the_end = {"flush_on_stop": True, "flush_on_session_end": True}
    machine.config.write_text(json.dumps(json.loads(machine.config.read_text("utf-8")) | at_the_end), "utf-8")
    play(machine, one, order=[*range(late), *range(late + 1, len(hooks)), late])
    kinds = [trace["environment"]["custom_tags"]["kind"] for trace in machine.traces()]
    assert sorted(kinds) == ["session", "turn"]
    assert machine.errors() == []


def test_a_subagent_that_outlives_its_turn_is_traced_with_it(machine: Machine) -> None:
    play(machine, recording("0.169.0", "subagent-outlives"))
    found = {trace["input_summary"]: trace["llm_usage"]["prompt_tokens"] for trace in machine.traces()}
    assert found == {"Send an agent.": 12_028, "Hello.": 3_007}


# A subagent to which a later turn sends more work


def play_turn_by_turn(machine: Machine, one: Recording) -> None:
    """Play a recording in its order: transcripts grow, and each turn's trace is built before the next prompt."""
    hooks = one.hook_events()
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "23"
    day.mkdir(parents=True)
    for number, (_, payload) in enumerate(hooks):
        until = hooks[number + 1][0] if number + 1 < len(hooks) else None
        for source in [one.transcript, *one.path.glob("thread-*.jsonl")]:
            grow(source, day / f"rollout-{source.stem}.jsonl", until)
        name = Path(payload["transcript_path"]).stem[-36:]
        placed = machine.placed(payload, day / f"rollout-{one.transcript_of(name).stem}.jsonl")
        if "agent_transcript_path" in payload:
            thread = Path(payload["agent_transcript_path"]).stem[-36:]
            placed["agent_transcript_path"] = str(day / f"rollout-thread-{thread}.jsonl")
        machine.hook(placed)
        if payload["hook_event_name"] == "Stop":
            machine.wait_until_idle()


def grow(source: Path, target: Path, until_ms: int | None) -> None:
    lines = source.read_text("utf-8").splitlines(keepends=True)
    target.write_text("".join(line for line in lines if until_ms is None or written_ms(line) <= until_ms), "utf-8")


def written_ms(line: str) -> int:
    return epoch_ms(json.loads(line)["timestamp"]) or 0


def agents(trace: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (step.get("input_preview"), step.get("output_preview"), step["metadata"].get("prompt_tokens"))
        for step in trace.get("steps", [])
        if step["action"] == "subagent"
    ]


def traced(machine: Machine, kind: str) -> list[tuple[Any, ...]]:
    return [
        (trace["input_summary"], trace["llm_usage"].get("prompt_tokens"), agents(trace))
        for trace in machine.traces()
        if trace["environment"]["custom_tags"]["kind"] == kind
    ]


AGAIN = [
    ("Count.", 1_007 + 2_007 + 3_007 + 7_007, [("Count the files for me.", "Five.", 7_007)]),
    ("And again.", 4_007 + 5_007 + 6_007 + 8_007, [("Count them again.", "Six.", 8_007)]),
]
OUTLIVES = [
    AGAIN[0],
    ("Hello.", 6_007, []),
    ("And again.", 4_007 + 5_007 + 8_007 + 9_007, [("Count them again.", "Six.", 8_007 + 9_007)]),
]


@pytest.mark.parametrize("one", recordings("subagent-again*"), ids=str)
def test_a_subagents_later_work_belongs_to_the_turn_that_sent_it(machine: Machine, one: Recording) -> None:
    play_turn_by_turn(machine, one)
    assert traced(machine, "turn") == (OUTLIVES if one.path.name.endswith("-outlives") else AGAIN)
    assert machine.errors() == []


@pytest.mark.parametrize("one", recordings("subagent-again*"), ids=str)
def test_the_summary_reports_each_of_a_subagents_tasks_once(machine: Machine, one: Recording) -> None:
    at_the_end = {"flush_on_stop": False, "flush_on_session_end": True}
    machine.config.write_text(json.dumps(json.loads(machine.config.read_text("utf-8")) | at_the_end), "utf-8")
    play_turn_by_turn(machine, one)
    if one.hook_events()[-1][1]["hook_event_name"] != "SessionEnd":  # Codex did not have it yet
        machine.hook(machine.placed({**one.hook_events()[-1][1], "hook_event_name": "SessionEnd"}, None))
    [(_, tokens, agents)] = traced(machine, "session")
    assert (tokens, agents) == (
        sum(each["input_tokens"] for each in one.about["reported"]),
        [each for _, _, found in (OUTLIVES if one.path.name.endswith("-outlives") else AGAIN) for each in found],
    )
