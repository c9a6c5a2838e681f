"""A turn belongs to the project, agent and address it began in, whatever happens to session or settings later."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from infinium_transport import Envelope, Outbox
from machine import Machine

pytest_plugins = ["no_leftovers"]

A, B = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "0b1d0aa5-94a3-4ef6-8d0c-2f3c9d1e7b11"
NOWHERE = "http://127.0.0.1:1/api"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose traces stay in the queue, where each names its agent and address."""
    found = Machine(tmp_path, project="a")
    found.set_up()
    found.edit_config(agent_id=A, base_url=f"{NOWHERE}/a")
    return found


def second_project(machine: Machine, **values: object) -> Path:
    """Another project of the user, with another agent at another address."""
    directory = machine.home / "b"
    (directory / ".infinium").mkdir(parents=True)
    config = {"agent_id": B, "base_url": f"{NOWHERE}/b", "flush_on_stop": True, "flush_on_session_end": False}
    (directory / ".infinium" / "config.json").write_text(json.dumps(config | values))
    return directory


def call(
    machine: Machine,
    name: str,
    turn: str = "turn-1",
    *,
    cwd: Path | None = None,
    environ: dict[str, str] | None = None,
    **fields: Any,
) -> None:
    """Run a hook as Codex does, in the session's directory."""
    cwd = cwd or machine.project
    payload = {"session_id": "s-1", "turn_id": turn, "hook_event_name": name, "model": "gpt", "transcript_path": None}
    command = ["sh", "-c", machine.commands[name]]
    machine.execute(command, stdin=json.dumps({**payload, "cwd": str(cwd), **fields}), cwd=cwd, environ=environ)


def queued(machine: Machine) -> list[Envelope]:
    """The queued traces, oldest first."""
    machine.wait_until_idle()
    outbox = Outbox(machine.state / "outbox")
    return sorted((outbox.read(found) for found in outbox.pending()), key=lambda envelope: envelope.created)


def recipients(machine: Machine) -> list[tuple[str, str, str]]:
    """Prompt, agent and address of each queued trace."""
    return [
        (json.loads(found.body)["input_summary"], found.agent_id, found.base_url.removeprefix(NOWHERE))
        for found in queued(machine)
    ]


def test_a_turn_killed_in_one_project_and_resumed_in_another_is_sent_to_the_first(machine: Machine) -> None:
    other = second_project(machine)
    call(machine, "UserPromptSubmit", prompt="secret of a")
    call(machine, "SessionStart", cwd=other, source="resume")
    call(machine, "UserPromptSubmit", "turn-2", cwd=other, prompt="question of b")
    call(machine, "Stop", "turn-2", cwd=other)
    assert recipients(machine) == [("secret of a", A, "/a"), ("question of b", B, "/b")]


def test_a_session_closed_after_it_moved_sends_each_turn_to_its_own_agent(machine: Machine) -> None:
    """No worker ran between the two: both turns are traced at once."""
    other = second_project(machine)
    with machine.idle_hooks():
        call(machine, "UserPromptSubmit", prompt="secret of a")
        call(machine, "UserPromptSubmit", "turn-2", cwd=other, prompt="question of b")
    call(machine, "SessionEnd", "turn-2", cwd=other, reason="other")
    assert sorted(recipients(machine)) == [("question of b", B, "/b"), ("secret of a", A, "/a")]


def test_another_agent_from_init_in_mid_session_gets_only_later_turns(machine: Machine) -> None:
    call(machine, "UserPromptSubmit", prompt="before")
    machine.edit_config(agent_id=B, base_url=f"{NOWHERE}/b")
    call(machine, "Stop")
    call(machine, "UserPromptSubmit", "turn-2", prompt="after")
    call(machine, "Stop", "turn-2")
    assert recipients(machine) == [("before", A, "/a"), ("after", B, "/b")]


def test_the_agent_that_the_environment_names_at_the_prompt_gets_the_turn(machine: Machine) -> None:
    environ = {"INFINIUM_AGENT_ID": B, "INFINIUM_BASE_URL": f"{NOWHERE}/b"}
    call(machine, "UserPromptSubmit", prompt="for b", environ=environ)
    call(machine, "Stop")
    assert recipients(machine) == [("for b", B, "/b")]


def test_a_summary_never_spans_two_agents(machine: Machine) -> None:
    """The session's first turns were in one project, the last in another: each agent gets a summary of its own."""
    other = second_project(machine, flush_on_stop=False, flush_on_session_end=True)
    machine.edit_config(flush_on_stop=False, flush_on_session_end=True)
    for turn, cwd in (("1", machine.project), ("2", other), ("3", machine.project)):
        call(machine, "UserPromptSubmit", f"turn-{turn}", cwd=cwd, prompt=f"question {turn}")
        call(machine, "Stop", f"turn-{turn}", cwd=cwd)
    call(machine, "SessionEnd", "turn-3", reason="other")
    found = queued(machine)
    prompts = {envelope.agent_id: json.loads(envelope.body)["input_summary"] for envelope in found}
    assert len(found) == 2
    assert ["question 2" in prompts[A], "question 1" in prompts[A], "question 3" in prompts[A]] == [False, True, True]
    assert prompts[B] == "question 2"


def test_a_summary_covers_one_project_of_an_agent_and_only_where_it_is_wanted(machine: Machine) -> None:
    """Two projects of the same agent; only the first wants summaries."""
    other = second_project(machine, agent_id=A, base_url=f"{NOWHERE}/a")
    machine.edit_config(flush_on_stop=False, flush_on_session_end=True)
    call(machine, "UserPromptSubmit", prompt="question 1")
    call(machine, "Stop")
    call(machine, "UserPromptSubmit", "turn-2", cwd=other, prompt="question 2")
    call(machine, "Stop", "turn-2", cwd=other)
    call(machine, "SessionEnd", "turn-2", cwd=other, reason="other")
    found = {envelope.labels["kind"]: envelope for envelope in queued(machine)}
    assert (len(found), json.loads(found["turn"].body)["input_summary"]) == (2, "question 2")
    assert json.loads(found["session"].body)["input_summary"] == "question 1"
    assert found["session"].labels["project"] == "a"


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root can give a file to another user")
def test_status_names_the_owner_of_a_project_file_that_was_passed_over(machine: Machine) -> None:
    os.chown(machine.config, 54_321, 54_321)
    call(machine, "UserPromptSubmit", prompt="not recorded")
    assert machine.spools == []
    shown = machine.run("status").stdout
    assert f"{machine.config} belongs to the user with the id 54321 and is not used" in shown
    assert "CONNECTOR_SAFE_DIRECTORIES" in shown


def test_a_turn_without_a_prompt_hook_belongs_to_the_project_in_which_it_is_first_seen(machine: Machine) -> None:
    """Codex up to 0.114 has no such hook. A worker that reads the turn's first events fixes its owner."""
    call(machine, "PreToolUse", tool_name="Bash", tool_use_id="c-1", tool_input={"command": "true"})
    machine.execute([*machine.worker_command, str(machine.spool("s-1"))])
    machine.edit_config(agent_id=B, base_url=f"{NOWHERE}/b")
    call(machine, "Stop", last_assistant_message="done")
    [found] = queued(machine)
    assert (found.agent_id, found.base_url) == (A, f"{NOWHERE}/a")
