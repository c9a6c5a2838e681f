"""The log of what is sent, and the command that shows it."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from api import reply
from doctor_machine import healthy_machine
from infinium_codex.support.logs import MAX_BYTES, log, log_error
from infinium_codex.support.paths import find_places
from machine import Machine
from recorded import recordings

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def lines(machine: Machine) -> list[dict[str, Any]]:
    """The lines of the log, oldest first."""
    path = machine.state / "logs" / "worker.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


def test_worker_logs_one_line_for_each_trace(machine: Machine) -> None:
    """With CONNECTOR_QUIET it logs nothing."""
    machine.set_up()
    machine.play(recordings("turn")[-1], {"CONNECTOR_QUIET": "true"})
    assert len(machine.traces()) == 1
    assert lines(machine) == []
    machine.play(recordings("ephemeral")[-1])
    assert len(machine.traces()) == 2
    [line] = lines(machine)
    assert (line["event"], line["level"], line["base_url"]) == ("trace sent", "info", "local")
    assert line["key"] == machine.json("history")["traces"][0]["key"]
    shown = machine.run("logs").stdout
    assert f"info     trace sent  key={line['key']}" in shown
    assert machine.json("logs")["lines"] == [line]


@pytest.mark.parametrize(("status", "event"), [(400, "trace rejected"), (401, "traces parked")])
def test_traces_that_are_not_sent_are_logged(tmp_path: Path, status: int, event: str) -> None:
    with healthy_machine(tmp_path) as machine:
        machine.trace_a_turn()
        machine.api.answers = [reply(status)]
        machine.play(recordings("ephemeral")[-1])
        machine.wait_until_idle()
        found = [line for line in lines(machine) if line["event"] == event]
        assert found
        assert str(status) in found[-1]["reason"]
        assert machine.environ["INFINIUM_AGENT_SECRET"] not in json.dumps(lines(machine))


def test_an_error_is_logged_in_the_same_shape(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(machine.root / "state"))
    places = find_places({})
    log(places, "trace sent", key="k")
    try:
        raise ValueError("broken")
    except ValueError:
        log_error(places, {"CONNECTOR_QUIET": "yes"}, "not logged")
        log_error(places, {"CONNECTOR_QUIET": "maybe"}, "the worker failed", session="s")
    sent, failed = [json.loads(line) for line in (places.logs / "worker.jsonl").read_text("utf-8").splitlines()]
    assert list(sent)[1:] == ["event", "level", "timestamp"]
    assert {"event", "level", "timestamp"} < set(failed)
    assert len(sent["timestamp"]) == len(failed["timestamp"])
    assert failed["exception"].endswith("ValueError: broken")
    with (places.logs / "worker.jsonl").open("ab") as file:
        file.truncate(MAX_BYTES + 1)
    log(places, "trace sent")
    assert (places.logs / "worker.old.jsonl").stat().st_size > MAX_BYTES
    assert (places.logs / "worker.jsonl").stat().st_size < 1_000


def test_logs_follow_shows_new_lines_as_they_come(machine: Machine) -> None:
    path = machine.state / "logs" / "worker.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"event":"old","level":"info","timestamp":"2026-01-01T00:00:00.000000Z"}\n')
    process = subprocess.Popen(
        [*machine.program, "logs", "-f"], stdout=subprocess.PIPE, text=True, cwd=machine.project, env=machine.environ
    )
    assert process.stdout
    try:
        assert "old" in process.stdout.readline()
        with path.open("a") as file:
            file.write('{"event":"new \\u001b[31m","level":"info","tim')
            file.flush()
            time.sleep(1)
            file.write('estamp":"2026-01-01T00:00:01.000000Z"}\n')
        assert "new \\x1b[31m" in process.stdout.readline()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
