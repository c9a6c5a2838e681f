"""`list` and `show` find every turn of a project, traced or not, and tell what it did."""

from pathlib import Path
from typing import Any

import pytest
from infinium_transport import StateDirectory, StoredResult
from kept_sessions import keep
from machine import Machine
from recorded import ROOT
from terminals import in_terminal

VERSION = "0.169.0"
SUBAGENT, TURN = ROOT / VERSION / "subagent", ROOT / VERSION / "turn"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def traced_turn(machine: Machine) -> dict[str, Any]:
    """Trace a turn without a transcript, and return it as `list` has it."""
    for name, fields in (("UserPromptSubmit", {"prompt": "Keep me."}), ("Stop", {"last_assistant_message": "Kept."})):
        event = {"session_id": "s-1", "turn_id": "t-1", "hook_event_name": name, "model": "gpt", **fields}
        machine.hook(machine.placed(event, None))
    machine.wait_until_idle()
    [listed] = machine.json("list")["turns"]
    assert isinstance(listed, dict)
    return listed


def test_turns_without_a_trace_are_listed_and_shown(machine: Machine) -> None:
    machine.set_up()
    session = keep(machine, TURN)
    listed = machine.json("list")["turns"]
    assert listed
    assert {turn["session_id"] for turn in listed} == {session}
    assert {turn["delivery"]["state"] for turn in listed} == {"not traced"}
    assert "not traced" in machine.must_run("list")
    shown = machine.must_run("show", listed[0]["key"][:8])
    assert listed[0]["request"] in shown
    assert machine.must_run("show", "latest") == shown
    assert listed[0]["key"] in machine.must_run("show", session[:12])


def test_a_turn_of_another_project_is_listed_with_all_only(machine: Machine) -> None:
    machine.set_up()
    keep(machine, TURN)
    other = machine.home / "other"
    other.mkdir()
    machine.project = other
    assert machine.json("list")["turns"] == []
    assert "No turns of" in machine.must_run("list")
    [turn, *_] = machine.json("list", "--all")["turns"]
    assert machine.json("show", turn["session_id"])["turns"]
    assert machine.json("show", turn["key"])["turns"]


def test_steps_of_a_subagent_are_nested(machine: Machine) -> None:
    machine.set_up()
    session = keep(machine, SUBAGENT)
    [turn] = machine.json("show", session)["turns"]
    agents = [step for step in turn["steps"] if step["kind"] == "subagent"]
    assert agents
    assert sum(call["usage"]["prompt"] for call in turn["calls"]) == turn["summary"]["usage"]["prompt"]


@pytest.mark.parametrize(
    ("option", "value", "found"),
    [("--since", "2026-11-24", False), ("--since", "2020-01-01", True), ("--search", "no such words", False)],
)
def test_filters(machine: Machine, option: str, value: str, found: bool) -> None:
    machine.set_up()
    keep(machine, TURN)
    assert bool(machine.json("list", option, value)["turns"]) is found


def test_only_failed_turns(machine: Machine) -> None:
    machine.set_up()
    keep(machine, ROOT / VERSION / "tests-commit")
    keep(machine, SUBAGENT)
    failed = machine.json("list", "--failed")["turns"]
    assert failed
    assert all(turn["failures"] or turn["status"] != "completed" for turn in failed)
    assert len(failed) < len(machine.json("list")["turns"])


@pytest.mark.parametrize("value", ["soon", "12x", ""])
def test_a_time_that_is_none_is_refused(machine: Machine, value: str) -> None:
    done = machine.run("list", "--since", value)
    assert done.returncode == 2
    assert "is no time" in done.stderr


def test_a_request_is_redacted_and_only_a_terminal_sees_the_original(machine: Machine) -> None:
    machine.set_up()
    session = keep(machine, TURN)
    [path] = machine.codex_home.rglob(f"*{session}.jsonl")
    prompt = machine.json("list")["turns"][0]["request"]
    secret = "DB_PASSWORD=" + "correct-horse-battery"
    path.write_text(path.read_text("utf-8").replace(prompt, secret), "utf-8")
    for arguments in (("list",), ("list", "--json"), ("show",), ("show", "--json")):
        assert "correct-horse" not in machine.must_run(*arguments)
    refused = machine.run("show", "--unredacted")
    assert refused.returncode == 1
    assert "on a terminal only" in refused.stderr


def test_a_turn_whose_transcript_is_gone_is_shown_from_its_trace(machine: Machine) -> None:
    machine.set_up()
    listed = traced_turn(machine)
    assert (listed["request"], listed["delivery"]["state"]) == ("Keep me.", "local")
    shown = machine.must_run("show", listed["key"][:8])
    assert "The transcript is gone" in shown
    assert "Kept." in shown


def test_names_that_fit_nothing_or_too_much(machine: Machine) -> None:
    machine.set_up()
    keep(machine, TURN)
    for name, words in (("abc", "too short"), ("ffffffff", "No trace has a key")):
        done = machine.run("show", name)
        assert done.returncode == 1
        assert words in done.stderr


def test_a_long_view_goes_through_the_pager_of_a_terminal(machine: Machine) -> None:
    machine.set_up()
    keep(machine, SUBAGENT)
    pager = {"PAGER": "sed s/^/PAGED/"}
    assert "PAGED" not in machine.must_run("show", environ=pager)
    assert "PAGED" in in_terminal(machine, "show", environ=pager)
    assert "PAGED" not in in_terminal(machine, "show", environ={"PAGER": "cat"})


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(machine: Machine, columns: int) -> None:
    machine.set_up()
    for name in ("subagent", "tests-commit", "patches", "other-tools"):
        keep(machine, ROOT / VERSION / name)
    for command in (("list",), ("show", "latest")):
        shown = in_terminal(machine, *command, columns=columns, environ={"PAGER": "cat", "NO_COLOR": "1"})
        assert max(map(len, shown.splitlines())) <= columns


def test_a_grade_that_was_fetched_is_shown(machine: Machine) -> None:
    machine.set_up()
    listed = traced_turn(machine)
    grade = {"score": 82, "findings": [{"what": "tests\x1b[2J missing", "weight": 3}]}
    StateDirectory(machine.state).results.store(
        StoredResult(key=listed["key"], trace_id="t", fetched=1.0, result=grade)
    )
    assert machine.json("list")["turns"][0]["grade"] == grade
    assert "82" in machine.must_run("list")
    shown = machine.must_run("show")
    assert "82" in shown
    assert "missing" in shown
    assert "\x1b" not in shown


def test_the_demo_shows_a_whole_turn(machine: Machine) -> None:
    """The first command of a new user: it ran through hook and worker, and the outputs are there."""
    shown = machine.must_run("demo")
    for words in ("Run hello.py", "exit 2", "Hello from Codex", "added hello.py", "hello.py was missing; I added it"):
        assert words in shown
    told = machine.json("demo")
    assert told["turns"][0]["summary"]["delivery"]["state"] == "local"
    assert told["traces"][0]["environment"]["custom_tags"]["trace_key"] == told["key"]


@pytest.mark.parametrize("before", [0, 470, 490])
def test_a_secret_at_the_end_of_a_long_request_is_redacted_in_the_list(machine: Machine, before: int) -> None:
    """Also where the request is cut, and where an escape sequence stands in the secret."""
    machine.set_up()
    session = keep(machine, TURN)
    [path] = machine.codex_home.rglob(f"*{session}.jsonl")
    prompt = machine.json("list")["turns"][0]["request"]
    secret = "ghp_" + "\\u001b[0m".join(("q8Zr3TbN5wXk1", "LmV7yHc2JdP9sFgA4eUiO0K"))
    path.write_text(path.read_text("utf-8").replace(prompt, f"{'x' * before} {secret}"), "utf-8")
    for command in (("list",), ("list", "--json")):
        assert "q8Zr" not in machine.must_run(*command)


def test_a_pager_that_cannot_be_parsed_is_left_alone(machine: Machine) -> None:
    machine.set_up()
    keep(machine, SUBAGENT)
    shown = in_terminal(machine, "show", environ={"PAGER": "less 'x"})
    assert "Traceback" not in shown
    assert "Timeline" in shown
