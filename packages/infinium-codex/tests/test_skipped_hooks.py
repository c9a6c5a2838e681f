"""Codex runs at most 32 async hooks of a session at once, and skips further ones in silence."""

import json
from pathlib import Path
from typing import Any

import pytest
from machine import Machine

pytest_plugins = ["no_leftovers"]

CALLS = 80


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "turn_id": "turn-1", "hook_event_name": name, "model": "gpt", **fields}


def tool(name: str, number: int) -> dict[str, Any]:
    own = {"tool_name": "Bash", "tool_use_id": f"call-{number}", "tool_input": {"command": f"make part-{number}"}}
    return event(name, **own, **({"tool_response": f"made {number}"} if name == "PostToolUse" else {}))


def steps(trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in trace["steps"] if step["action"] == "tool_call"]


def line(second: float, kind: str, **payload: Any) -> str:
    record = {"timestamp": f"2026-11-24T12:00:{second:06.3f}Z", "type": kind, "payload": payload}
    return json.dumps(record) + "\n"


def finished(version: str, number: int) -> str:
    """The record of a result: a structured item from 0.150 on, the text for the model before."""
    if version == "0.169.0":
        item = {
            "type": "CommandExecution",
            "id": f"call-{number}",
            "command": f"make part-{number}",
            "exit_code": 0,
            "status": "completed",
            "aggregated_output": f"made {number}",
        }
        return line(3 + number / 100, "event_msg", type="item_completed", turn_id="turn-1", item=item)
    output = f"Exit code: 0\nWall time: 1 seconds\nOutput:\nmade {number}"
    return line(3 + number / 100, "response_item", type="function_call_output", call_id=f"call-{number}", output=output)


@pytest.mark.parametrize("version", ["0.145.0", "0.169.0"])
def test_80_parallel_calls_are_80_steps_although_most_of_their_hooks_were_skipped(
    machine: Machine, version: str
) -> None:
    transcript = machine.home / "transcript.jsonl"
    lines = [
        line(0, "session_meta", id="0", cwd=str(machine.project), cli_version=version),
        line(1, "event_msg", type="task_started", turn_id="turn-1"),
        line(1.1, "turn_context", turn_id="turn-1", model="gpt"),
    ]
    for number in range(CALLS):
        arguments = json.dumps({"cmd": f"make part-{number}"})
        call = {"type": "function_call", "name": "exec_command", "call_id": f"call-{number}", "arguments": arguments}
        lines.append(line(2 + number / 100, "response_item", **call))
    lines += [finished(version, number) for number in range(CALLS)]
    lines.append(line(5, "event_msg", type="task_complete", turn_id="turn-1", last_agent_message="done"))
    transcript.write_text("".join(lines))
    hooks = [event("UserPromptSubmit", prompt="build"), *(tool("PreToolUse", number) for number in range(8))]
    hooks += [tool("PostToolUse", number) for number in range(4, 12)]
    for payload in (*hooks, event("Stop", last_assistant_message="done")):
        machine.hook(machine.placed(payload, transcript))
    [trace] = machine.wait_for_traces(1)
    found = {step["metadata"]["call_id"]: step for step in steps(trace)}
    assert sorted(found) == sorted(f"call-{number}" for number in range(CALLS))
    assert len(steps(trace)) == CALLS
    for number in range(CALLS):
        step = found[f"call-{number}"]
        assert step["description"] == f"make part-{number}"
        assert (step["metadata"]["exit_code"], step["output_preview"]) == (0, f"made {number}")


def test_a_finished_call_whose_start_was_skipped_has_its_command(machine: Machine) -> None:
    """There is no transcript, as with `--ephemeral`."""
    for payload in (
        event("UserPromptSubmit", prompt="build"),
        tool("PostToolUse", 1),
        tool("PreToolUse", 2),
        tool("PostToolUse", 2),
        event("Stop", last_assistant_message="done"),
    ):
        machine.hook(machine.placed(payload, None))
    [trace] = machine.wait_for_traces(1)
    assert [(step["description"], step["output_preview"]) for step in steps(trace)] == [
        ("make part-1", "made 1"),
        ("make part-2", "made 2"),
    ]
