"""What happens though Codex never runs again: the real hook, worker and timer, with a stale time of moments."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from infinium_codex import timer
from infinium_codex.agenda import GRACE, Agenda, entry_name
from infinium_codex.drain import drain
from infinium_codex.paths import Places
from machine import Machine
from receiver import Receiver
from recorded import recordings

pytest_plugins = ["no_leftovers"]

STALE = {"CONNECTOR_SESSION_TTL": "0.3"}
TURN = recordings("turn")[-1]
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


@pytest.fixture
def summing(tmp_path: Path) -> Machine:
    """A machine on which sessions are summed up, and turns not traced."""
    found = Machine(tmp_path)
    found.set_up("--granularity", "session")
    return found


def prompt(machine: Machine, turn: str, text: str, environ: dict[str, str] | None = None, session: str = "s-1") -> None:
    payload = {"session_id": session, "turn_id": turn, "hook_event_name": "UserPromptSubmit", "prompt": text}
    machine.hook(machine.placed(payload, None), environ or STALE)


def stop(machine: Machine, turn: str, environ: dict[str, str] | None = None, session: str = "s-1") -> None:
    payload = {"session_id": session, "turn_id": turn, "hook_event_name": "Stop", "last_assistant_message": "ok"}
    machine.hook(machine.placed(payload, None), environ or STALE)


def end(machine: Machine) -> None:
    payload = {"session_id": "s-1", "hook_event_name": "SessionEnd", "reason": "other"}
    machine.hook(machine.placed(payload, None), STALE)


def gone(machine: Machine) -> bool:
    return not machine.timers


def tags(trace: dict[str, Any]) -> dict[str, str]:
    found = trace["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def agenda_of(machine: Machine) -> Path:
    return machine.home / ".local" / "state" / "infinium-codex" / "agenda"


def places_of(machine: Machine) -> Places:
    state = machine.home / ".local" / "state" / "infinium-codex"
    return Places(data=machine.home / "data", state=state, spool=machine.spools[0].parent)


def test_a_codex_killed_in_its_first_turn(machine: Machine) -> None:
    """No hook ever says that it ended; its turn is sent as interrupted, and nothing of it stays in the spool."""
    prompt(machine, "turn-1", "killed")
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], tags(trace)["status"]) == ("killed", "interrupted")
    machine.wait_for(lambda: gone(machine), "the timer to end")
    assert machine.spools == []


def test_a_session_left_open_is_summed_up_and_later_turns_are_its_next_part(summing: Machine) -> None:
    """The terminal stays open and fires no SessionEnd; the user comes back, and then does end it."""
    for turn in ("turn-1", "turn-2"):
        prompt(summing, turn, turn)
        stop(summing, turn)
    [first] = summing.wait_for_traces(1)
    prompt(summing, "turn-3", "turn-3")
    stop(summing, "turn-3")
    summing.wait_for_traces(2)
    end(summing)
    summing.wait_for(lambda: gone(summing), "the timer to end")
    _, second = summing.traces()
    assert [(tags(trace)["part"], tags(trace)["turns"]) for trace in (first, second)] == [("1", "2"), ("2", "1")]
    assert second["input_summary"] == "turn-3"
    assert summing.spools == []


def test_a_session_that_ended_is_not_summed_up_again_by_the_timer(summing: Machine) -> None:
    prompt(summing, "turn-1", "one")
    stop(summing, "turn-1")
    end(summing)
    summing.wait_for(lambda: gone(summing), "the timer to end")
    assert [tags(trace)["part"] for trace in summing.traces()] == ["1"]


def test_a_trace_that_could_not_be_sent_goes_when_it_is_due(tmp_path: Path) -> None:
    """The secret is in the environment of the worker alone: the timer has it from there."""
    machine = Machine(tmp_path)
    secret = {"INFINIUM_AGENT_SECRET": "sesame-4711", "INFINIUM_MAX_RETRIES": "0"}
    with Receiver(statuses=[500, 503]) as receiver:
        done = machine.run(
            *("init", "--no-interactive", "--agent-id", AGENT, "--base-url", receiver.base_url), environ=secret
        )
        assert done.returncode == 0, done.stderr
        machine.read_hooks()
        prompt(machine, "turn-1", "asked", secret)
        stop(machine, "turn-1", secret)
        machine.wait_for(lambda: len(receiver.requests) == 3, "the third attempt")
        machine.wait_for(lambda: machine.json("status")["waiting"] == 0, "the trace to be sent")
    assert len({request.body for request in receiver.requests}) == 1
    agenda = agenda_of(machine)
    assert [path for path in agenda.iterdir() if path.is_file() and b"sesame" in path.read_bytes()] == []


def test_one_timer_serves_all_sessions(machine: Machine) -> None:
    waiting = {"CONNECTOR_SESSION_TTL": "600"}
    for number in range(6):
        prompt(machine, "turn-1", "x", waiting, f"s-{number}")
    machine.wait_until_idle()
    assert len(machine.timers) == 1
    assert len(timer.read_agenda(str(agenda_of(machine)))) == 6


def test_a_killed_timer_is_replaced_by_the_next_worker(machine: Machine) -> None:
    waiting = {"CONNECTOR_SESSION_TTL": "600"}
    prompt(machine, "turn-1", "x", waiting)
    [first] = machine.wait_for(lambda: machine.timers, "the timer")
    os.kill(first, signal.SIGKILL)
    machine.wait_for(lambda: gone(machine), "its end")
    prompt(machine, "turn-1", "y", waiting, "s-2")
    [second] = machine.wait_for(lambda: machine.timers, "another timer")
    assert first != second


def test_the_waiting_timer_is_small(machine: Machine) -> None:
    prompt(machine, "turn-1", "x", {"CONNECTOR_SESSION_TTL": "600"})
    machine.wait_until_idle()
    [pid] = machine.timers
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) <= 15 * 1024
    program = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", program, str(timer.__file__)]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    unwanted = {"dataclasses", "infinium_codex", "keyring", "msgspec", "niquests", "pathlib", "structlog", "subprocess"}
    assert loaded & unwanted == set()


def test_whoever_sits_at_the_keyboard_goes_first(machine: Machine) -> None:
    """The worker steps back before it does anything, and what it starts with it."""
    prompt(machine, "turn-1", "x", {"CONNECTOR_SESSION_TTL": "600"})
    [pid] = machine.wait_for(lambda: machine.timers, "the timer")
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)


def test_the_session_keeps_the_settings_it_had(machine: Machine) -> None:
    """The timer was started from another environment; what this session's user wanted hidden stays hidden."""
    prompt(machine, "turn-1", "plain", session="s-1")
    prompt(machine, "turn-2", "private", {**STALE, "CONNECTOR_REDACTION": "metadata-only"}, "s-2")
    traces = machine.wait_for_traces(2)
    assert sorted(trace.get("input_summary", "") for trace in traces) == ["", "plain"]


def test_a_session_that_cannot_be_traced_is_kept_a_day_and_then_removed(machine: Machine) -> None:
    machine.config.write_text('{"base_url": 7}')
    prompt(machine, "turn-1", "never told")
    machine.wait_for(lambda: any("base_url" in error for error in machine.errors()), "the attempt")
    [spool] = machine.spools
    machine.wait_until_idle()
    waits = {entry_name(str(spool)): (str(spool), 0.3 + GRACE)}
    machine.wait_for(lambda: timer.read_agenda(str(agenda_of(machine))) == waits, "the day of grace")
    old = time.time() - GRACE - 60
    os.utime(spool, (old, old))
    Agenda(str(agenda_of(machine))).watch(str(spool), STALE)
    assert timer.wake_timer(str(agenda_of(machine)))
    machine.wait_for(lambda: not machine.spools, "the spool to go")
    machine.wait_for(lambda: gone(machine), "the timer to end")
    assert "could not be traced for more than a day" in machine.errors()[0]


def test_a_turn_is_not_cut_short_while_codex_has_its_transcript_open(machine: Machine) -> None:
    """A build of an hour fires no event. Codex keeps the transcript open for as long as it has the session."""
    transcript = machine.home / "running.jsonl"
    transcript.write_bytes(b"".join(TURN.transcript.read_bytes().splitlines(keepends=True)[:5]))
    [turn_id] = {payload["turn_id"] for _, payload in TURN.hook_events() if "turn_id" in payload}
    payload = {"session_id": "s-1", "turn_id": turn_id, "hook_event_name": "UserPromptSubmit", "prompt": "build"}
    machine.hook(machine.placed(payload, transcript), {"CONNECTOR_SESSION_TTL": "600"})
    machine.wait_until_idle()
    [spool] = machine.spools
    environ = {**machine.environ}
    with transcript.open("ab"):
        drained = drain(spool, places_of(machine), environ, stale=True)
        assert drained is not None
        assert drained.waits
    drained = drain(spool, places_of(machine), environ, stale=True)
    assert drained is not None
    assert not drained.waits


def test_a_session_that_went_on_meanwhile_is_left_alone(machine: Machine) -> None:
    """An event came in between the timer's look and the work: the session is not stale."""
    waiting = {"CONNECTOR_SESSION_TTL": "600"}
    prompt(machine, "turn-1", "going on", waiting)
    machine.wait_until_idle()
    [spool] = machine.spools
    seen = spool.stat().st_size
    prompt(machine, "turn-1", "and on", waiting)
    machine.wait_until_idle()
    tend(machine, seen, spool)
    assert machine.traces() == []
    tend(machine, spool.stat().st_size, spool)
    assert [trace["input_summary"] for trace in machine.traces()] == ["going on"]


def tend(machine: Machine, size: int, spool: Path) -> None:
    """What the timer starts for a spool that stood still at this size."""
    command = [sys.executable, "-I", "-m", "infinium_codex.tending", str(agenda_of(machine))]
    subprocess.run([*command, f"{size}:{entry_name(str(spool))}"], env=machine.environ, check=True)
