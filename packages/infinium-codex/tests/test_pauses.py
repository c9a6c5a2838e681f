"""Paused means that nothing is recorded, also of what Codex's transcript holds of that time."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.session.pauses import NEVER, HookTime, Pause, find_pauses
from machine import Machine

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


class Session:
    """A session whose transcript goes on while the project is paused."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.transcript = machine, machine.home / "transcript.jsonl"
        self.write("session_meta", id="0", cwd=str(machine.project), cli_version="0.169.0")

    def write(self, kind: str, **payload: Any) -> None:
        """Append a record to the transcript, as Codex does."""
        with self.transcript.open("a") as file:
            when = datetime.now(UTC).isoformat(timespec="milliseconds")
            file.write(json.dumps({"timestamp": when, "type": kind, "payload": payload}) + "\n")
        time.sleep(0.005)  # the next event has a later millisecond

    def event(self, kind: str, turn: str = "turn-1", **payload: Any) -> None:
        self.write("event_msg", type=kind, turn_id=turn, **payload)

    def command(self, call: str, turn: str = "turn-1") -> None:
        """A shell command in the transcript, which no hook needs to have seen."""
        item = {"type": "CommandExecution", "id": call, "command": call, "exit_code": 0, "aggregated_output": call}
        self.event("item_completed", turn, item=item)

    def hook(self, name: str, turn: str = "turn-1", **fields: Any) -> None:
        payload = {"session_id": "s-1", "turn_id": turn, "hook_event_name": name, "model": "gpt", **fields}
        self.machine.hook(self.machine.placed(payload, self.transcript))
        time.sleep(0.005)

    def tool(self, call: str, turn: str = "turn-1") -> None:
        self.hook("PreToolUse", turn, tool_name="Bash", tool_use_id=call, tool_input={"command": call})


def commands(trace: dict[str, Any]) -> list[str]:
    return [step["metadata"]["call_id"] for step in trace["steps"] if step["action"] == "tool_call"]


@pytest.fixture
def session(machine: Machine) -> Session:
    return Session(machine)


@pytest.mark.parametrize("by_hand", [False, True], ids=["pause", "file edited"])
def test_what_happened_in_a_pause_within_a_turn_is_in_no_trace(session: Session, *, by_hand: bool) -> None:
    machine = session.machine

    def switch(*, paused: bool) -> None:
        if by_hand:
            machine.edit_config(paused=paused)
        else:
            machine.must_run("pause" if paused else "resume")

    session.hook("UserPromptSubmit", prompt="public question")
    session.event("task_started")
    session.command("public-1")
    session.tool("public-2")
    switch(paused=True)
    session.tool("private-1")
    session.command("private-2")
    session.event("agent_message", message="private words")
    switch(paused=False)
    session.tool("public-3")
    session.command("public-4")
    session.event("task_complete", last_agent_message="public answer")
    session.hook("Stop", last_assistant_message="public answer")
    [trace] = machine.wait_for_traces(1)
    assert "private" not in json.dumps(trace)
    assert sorted(commands(trace)) == ["public-1", "public-2", "public-3", "public-4"]
    assert (trace["input_summary"], trace["output_summary"]) == ("public question", "public answer")


def test_words_added_to_a_turn_after_a_pause_do_not_bring_the_pause_back(session: Session) -> None:
    session.hook("UserPromptSubmit", prompt="first")
    session.machine.edit_config(paused=True)
    session.tool("private-1")
    session.command("private-2")
    session.machine.edit_config(paused=False)
    session.hook("UserPromptSubmit", prompt="second")
    session.hook("Stop", last_assistant_message="answer")
    session.event("task_complete", last_agent_message="answer")
    [trace] = session.machine.wait_for_traces(1)
    assert "private" not in json.dumps(trace)


def test_a_pause_without_any_event_is_known_from_the_commands(session: Session) -> None:
    session.hook("UserPromptSubmit", prompt="public question")
    session.machine.must_run("pause")
    session.command("private")
    session.machine.must_run("resume")
    session.event("task_complete", last_agent_message="public answer")
    session.hook("Stop", last_assistant_message="public answer")
    [trace] = session.machine.wait_for_traces(1)
    assert "private" not in json.dumps(trace)


def test_a_turn_that_began_in_a_pause_is_traced_from_the_first_event_after_it(session: Session) -> None:
    session.machine.edit_config(paused=True)
    session.hook("UserPromptSubmit", prompt="private question")
    session.event("task_started")
    session.event("user_message", message="private question")
    session.command("private")
    session.machine.edit_config(paused=False)
    session.tool("public")
    session.event("task_complete", last_agent_message="public answer")
    session.hook("Stop", last_assistant_message="public answer")
    [trace] = session.machine.wait_for_traces(1)
    assert "private" not in json.dumps(trace)
    assert commands(trace) == ["public"]


def test_a_turn_that_ended_in_a_pause_says_so(session: Session) -> None:
    """Its end was not recorded. The next turn is complete, although its transcript begins before its hook runs."""
    session.hook("UserPromptSubmit", prompt="public question")
    session.machine.edit_config(paused=True)
    session.event("task_complete", last_agent_message="private answer")
    session.hook("Stop", last_assistant_message="private answer")
    session.machine.edit_config(paused=False)
    session.event("task_started", "turn-2")
    session.command("early", "turn-2")
    session.hook("UserPromptSubmit", "turn-2", prompt="next question")
    session.event("task_complete", "turn-2", last_agent_message="done")
    session.hook("Stop", "turn-2", last_assistant_message="done")
    first, second = session.machine.wait_for_traces(2)
    assert "private" not in json.dumps([first, second])
    assert [error["message"] for error in first["errors"]] == ["recording was paused"]
    assert commands(second) == ["early"]


def test_another_project_of_the_user_is_not_paused(session: Session, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / ".infinium").mkdir(parents=True)
    (other / ".infinium" / "config.json").write_text('{"base_url": "local"}')
    session.hook("UserPromptSubmit", prompt="question")
    session.machine.execute([*session.machine.program, "pause"], cwd=other)
    session.command("public")
    session.event("task_complete", last_agent_message="answer")
    session.hook("Stop", last_assistant_message="answer")
    [trace] = session.machine.wait_for_traces(1)
    assert commands(trace) == ["public"]


@pytest.mark.parametrize(
    ("marks", "pauses"),
    [
        ([], ()),
        ([15, 17], (Pause(start_ms=10, end_ms=20, next_turn="t"),)),
        ([5], (Pause(start_ms=0, end_ms=10),)),
        ([25], (Pause(start_ms=20, end_ms=NEVER),)),
        ([5, 25], (Pause(start_ms=0, end_ms=10), Pause(start_ms=20, end_ms=NEVER))),
    ],
)
def test_a_pause_reaches_from_event_to_event(marks: list[int], pauses: tuple[Pause, ...]) -> None:
    assert find_pauses(marks, [HookTime(20, "t"), HookTime(10)]) == pauses
