"""Hooks registered for the user and in the project: each event has two records and is traced once."""

import json
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.capture.frame import encode
from infinium_codex.capture.hook_command import hook_command
from infinium_codex.codex.agent import CODEX
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition
from infinium_codex.session.reader import read_session
from infinium_trace import build_turn_trace, fold
from machine import Machine
from recorded import CONTEXT, OPTIONS, Recording, recordings

pytest_plugins = ["no_leftovers"]


def set_up(root: Path, granularity: str) -> Machine:
    machine = Machine(root)
    machine.set_up("--granularity", granularity)
    return machine


def told(trace: dict[str, Any]) -> Any:
    """What a trace says, without times."""
    steps = [(step["action"], step["description"]) for step in trace.get("steps", [])]
    usage = trace.get("llm_usage", {})
    return trace["name"], trace["description"], steps, usage.get("prompt_tokens"), trace.get("errors")


def play(machine: Machine, one: Recording, *, twice: bool) -> list[Any]:
    for_project = machine.commands
    for_user = {
        event: hook_command(event, for_user=True, by_shell="tool_event" in for_project[event]) for event in for_project
    }
    transcript = machine.home / "transcript.jsonl"
    if one.transcript.exists():
        transcript.write_bytes(one.transcript.read_bytes())
    for number, (_, payload) in enumerate(one.hook_events()):
        both = [for_project, for_user] if number % 2 else [for_user, for_project]
        for machine.commands in both if twice else [for_project]:
            machine.hook(machine.placed(payload, transcript if one.transcript.exists() else None))
            machine.wait_until_idle()
    return [told(trace) for trace in machine.traces()]


def read(directory: Path, one: Recording, *, twice: bool) -> list[dict[str, Any]]:
    """The traces of a spool with the recording's events, each once or twice."""
    spool = directory / f"{'twice' if twice else 'once'}.spool"
    transcript = str(one.transcript) if one.transcript.exists() else None
    with spool.open("wb") as file:
        for number, (at_ms, payload) in enumerate(one.hook_events()):
            if payload["session_id"] == one.sessions[0]:
                content = json.dumps(payload | {"transcript_path": transcript}).encode()
                processes = (7, -8) if number % 2 else (-7, 8)
                for later, process in enumerate(processes if twice else processes[:1]):
                    time_ns = (at_ms + later) * 1_000_000
                    file.write(encode(payload["hook_event_name"], time_ns, process, content))
    start = ReadPosition()
    session = fold(read_session(CODEX, spool, start, Checkpoint(next_turn=start), patience=0).events)
    return [json.loads(build_turn_trace(session, turn, CONTEXT, OPTIONS).body) for turn in session.turns]


@pytest.mark.parametrize("one", recordings(), ids=str)
def test_each_event_is_traced_once(tmp_path: Path, one: Recording) -> None:
    """Also an event that repeats with the same content in one turn: a compaction, a request, a stop hook's go-on."""
    assert read(tmp_path, one, twice=True) == read(tmp_path, one, twice=False)


@pytest.mark.parametrize("granularity", ["turn", "session", "both"])
def test_a_record_that_comes_after_its_turn_was_traced(tmp_path: Path, granularity: str) -> None:
    """The worker is done with the first record of Stop or SessionEnd before the second one is there."""
    [one] = recordings("resume")[-1:]
    once = play(set_up(tmp_path / "once", granularity), one, twice=False)
    machine = set_up(tmp_path / "twice", granularity)
    twice = play(machine, one, twice=True)
    assert once
    assert json.dumps(twice) == json.dumps(once)
    assert machine.errors() == []
