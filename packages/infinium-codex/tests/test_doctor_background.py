"""`doctor` names a background process that is frozen, and what to do about it."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_machine import HealthyMachine, checks, healthy_machine

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[HealthyMachine]:
    with healthy_machine(tmp_path) as machine:
        yield machine


def background(machine: HealthyMachine) -> dict[str, str]:
    return checks(machine.json("doctor"))["background"]


def test_a_stopped_scheduler_is_named(machine: HealthyMachine) -> None:
    machine.read_hooks()
    payload = {"session_id": "s-1", "turn_id": "t-1", "hook_event_name": "UserPromptSubmit", "prompt": "x"}
    machine.hook(machine.placed(payload, None))
    pid = machine.wait_for(lambda: next(iter(machine.schedulers), 0), "a scheduler")
    assert background(machine) == {
        "name": "background",
        "verdict": "ok",
        "evidence": "Running: the scheduler.",
        "fix": "",
    }
    os.kill(pid, signal.SIGSTOP)
    try:
        check = background(machine)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert check["verdict"] == "warning"
    assert check["evidence"].startswith(f"The scheduler (process {pid}) is stopped: delayed traces, summaries")
    assert f"kill -CONT {pid}" in check["fix"]
    assert f"kill -9 {pid}" in check["fix"]


def test_a_stopped_worker_is_named_with_its_session(machine: HealthyMachine) -> None:
    spool = machine.tmp / "s-7.spool"
    python = machine.data / "venv" / "bin" / "python"
    command = [str(python), "-I", "-S", str(machine.data / "worker.py"), str(spool), "Stop"]
    worker = subprocess.Popen(command, env=machine.environ)
    worker.send_signal(signal.SIGSTOP)
    try:
        check = background(machine)
    finally:
        worker.kill()
        worker.wait()
    assert check["verdict"] == "warning"
    assert check["evidence"] == (
        f"The worker of session s-7 (process {worker.pid}) is stopped: the session's turns wait for it."
    )
