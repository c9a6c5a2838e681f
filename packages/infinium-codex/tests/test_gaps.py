"""`gaps`: every turn that Codex has, what became of it, and why it was not traced."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from api import receive
from fake_codex import FakeCodex
from infinium_codex.codex.transcript.turn_spans import read_turn_spans
from machine import Machine
from past_sessions import add_session, set_age
from recorded import recording

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
TURN, RESUME = recording("0.169.0", "turn"), recording("0.169.0", "resume")
LONG_AGO = 400 * 86_400


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that was set up long before its sessions."""
    found = Machine(tmp_path)
    found.environ["CONNECTOR_WAIT_ON_END"] = "0"
    found.set_up()
    set_age(found.config, LONG_AGO)
    set_age(found.hooks, LONG_AGO)
    return found


def play(machine: Machine, transcript: Path, turn: int, *, prompt_only: bool = False) -> None:
    """Play the hooks of one turn of a transcript."""
    span = read_turn_spans(transcript)[turn]
    common = {"session_id": transcript.stem[-36:], "turn_id": span.turn_id, "cwd": str(machine.project)}
    common["transcript_path"] = str(transcript)
    machine.hook({**common, "hook_event_name": "UserPromptSubmit", "prompt": "x"})
    if not prompt_only:
        machine.hook({**common, "hook_event_name": "Stop", "last_assistant_message": "ok"})
        machine.wait_until_idle()


def gaps(machine: Machine, *arguments: str) -> list[dict[str, Any]]:
    found = machine.json("gaps", *arguments)["gaps"]
    assert isinstance(found, list)
    return found


def test_before_and_after_a_backfill(machine: Machine) -> None:
    for number in range(3):
        add_session(machine, RESUME, number)
    before = machine.json("gaps")
    assert (before["schema"], before["turns"], before["states"]) == (1, 6, {"never traced": 6})
    assert {gap["state"] for gap in before["gaps"]} == {"never traced"}
    machine.must_run("backfill")
    after = machine.json("gaps")
    assert (after["turns"], after["states"], after["gaps"]) == (6, {"local": 6}, [])
    done = machine.run("gaps")
    assert done.stdout == f"6 turns of {machine.project}: 6 local\n"


def test_no_session_is_no_gap(machine: Machine) -> None:
    assert machine.run("gaps").stdout == f"Codex has no turns of {machine.project}.\n"


def test_a_turn_that_a_hook_missed_is_told_from_a_session_without_hooks(machine: Machine) -> None:
    partly, never = add_session(machine, RESUME, 1), add_session(machine, TURN, 2)
    play(machine, partly, 0)
    found = {gap["session_id"]: gap["reason"] for gap in gaps(machine)}
    assert found.keys() == {partly.stem[-36:], never.stem[-36:]}
    assert "unlike other turns of its session: Codex skips asynchronous hooks" in found[partly.stem[-36:]]
    assert found[never.stem[-36:]].startswith("no hook ran in its session")


def test_a_turn_from_before_the_set_up(machine: Machine) -> None:
    add_session(machine, TURN)
    for path in (machine.config, machine.hooks):
        set_age(path, 0)
    [gap] = gaps(machine)
    assert gap["reason"].startswith("tracing was not set up here before 20")


@pytest.mark.parametrize(
    ("version", "words"), [("0.110.0", "has no hooks"), ("0.118.0", "only with features.codex_hooks = true")]
)
def test_a_version_that_runs_no_hooks(machine: Machine, version: str, words: str) -> None:
    transcript = add_session(machine, recording("0.118.0", "turn"))
    transcript.write_bytes(transcript.read_bytes().replace(b"0.118.0", version.encode()))
    [gap] = gaps(machine)
    assert (gap["client_version"], words in gap["reason"]) == (version, True)


def test_a_directory_that_this_machine_does_not_have(machine: Machine) -> None:
    add_session(machine, TURN, project=machine.project / "elsewhere")
    [gap] = gaps(machine)
    assert gap["reason"].startswith("it ran on another machine, or ")


def test_paused_recorded_and_running_turns(machine: Machine) -> None:
    recorded, running = add_session(machine, TURN, 2), add_session(machine, TURN, 3, age=0)
    with machine.idle_hooks():
        play(machine, recorded, 0, prompt_only=True)
    lines = running.read_bytes().splitlines(keepends=True)
    running.write_bytes(b"".join(lines[:-1]))
    states = {gap["session_id"]: gap["state"] for gap in gaps(machine)}
    assert states == {recorded.stem[-36:]: "recorded", running.stem[-36:]: "running"}
    machine.must_run("pause")
    add_session(machine, TURN, 4)
    assert "paused" in {gap["state"] for gap in gaps(machine)}


def test_queued_and_rejected_traces(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.environ |= {"CONNECTOR_WAIT_ON_END": "0", "INFINIUM_AGENT_SECRET": "own-secret"}
    with receive(400, 401) as api:
        machine.must_run("init", "--no-interactive", "--no-trust", "--agent-id", AGENT, "--base-url", api.base_url)
        machine.read_hooks()
        for number in range(2):
            play(machine, add_session(machine, TURN, number), 0)
    found = {gap["state"]: gap["reason"] for gap in gaps(machine)}
    assert found.keys() == {"queued", "dead letter"}
    assert "scripted 400" in found["dead letter"]


def test_an_error_of_the_session_is_the_reason(machine: Machine) -> None:
    transcript = add_session(machine, TURN)
    [span] = read_turn_spans(transcript)
    entry = {"kind": "error", "when": span.started_ms / 1000 + 1, "where": "worker", "message": "The disk is full."}
    log = machine.state / "ledger" / "ledger.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(json.dumps({**entry, "labels": {"session": transcript.stem[-36:]}}) + "\n")
    [gap] = gaps(machine)
    assert gap["reason"] == "an error was recorded: The disk is full."


def test_turns_older_than_a_rotated_ledger_are_unknown(machine: Machine) -> None:
    add_session(machine, TURN)
    play(machine, add_session(machine, RESUME, 1), 0)
    ledger = machine.state / "ledger"
    shutil.move(ledger / "ledger.jsonl", ledger / "ledger.old.jsonl")
    assert {gap["state"] for gap in gaps(machine)} == {"unknown"}
    assert machine.json("backfill")["queued"] == 0
    assert machine.json("backfill", "--since", "2026-11-01")["queued"] == 2


def test_untrusted_hooks_are_named(tmp_path: Path) -> None:
    """Codex says itself that it does not run them."""
    machine = Machine(tmp_path)
    codex = FakeCodex(machine)
    machine.must_run("init", "--local", "--no-interactive", "--no-trust")
    codex.list_hooks(trust="untrusted")
    for path in (machine.config, machine.hooks):
        set_age(path, LONG_AGO)
    add_session(machine, TURN)
    [gap] = gaps(machine)
    assert gap["reason"] == "no hook ran: Codex holds the hooks as untrusted"


def test_count_and_since(machine: Machine) -> None:
    for number in range(3):
        add_session(machine, TURN, number)
    assert len(gaps(machine, "--count", "2")) == 2
    assert "1 more; --count shows them." in machine.run("gaps", "-n", "2").stdout
    assert gaps(machine, "--since", "2099-01-01") == []
