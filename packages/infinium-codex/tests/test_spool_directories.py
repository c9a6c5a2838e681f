"""CONNECTOR_SESSION_DIR or TMPDIR may change: events in a directory that was used earlier are not forgotten."""

import os
import time
from pathlib import Path

import pytest
from machine import Machine, end_background

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with an open turn in a spool directory that is not the present one any more."""
    machine = Machine(tmp_path)
    machine.set_up()
    first = {"CONNECTOR_SESSION_DIR": str(machine.home / "first")}
    payload = {"session_id": "s-1", "turn_id": "t-1", "hook_event_name": "UserPromptSubmit", "prompt": "x"}
    machine.hook(machine.placed(payload, None), environ=first)
    machine.wait_for(lambda: list((machine.state / "schedule").glob("s-1-*")), "the session's schedule entry")
    end_background(machine.root)
    for entry in (machine.state / "schedule").glob("s-1-*"):
        entry.unlink()  # as after a state directory that was restored, or a scheduler that gave up
    return machine


def spool(machine: Machine) -> Path:
    [found] = (machine.home / "first").rglob("*.spool")
    return found


def make_old(machine: Machine, seconds: float) -> None:
    when = time.time() - seconds
    for path in spool(machine).parent.iterdir():
        os.utime(path, (when, when), follow_symlinks=False)


def test_flush_traces_the_session(machine: Machine) -> None:
    assert machine.run("flush").stdout == "Sent       1 trace\n"
    assert len(machine.traces()) == 1


def test_status_and_doctor_name_the_directory(machine: Machine) -> None:
    """Not while the session may still go on, in another shell that has another variable."""
    assert machine.json("status")["untraced"] == []
    make_old(machine, 7_200)
    directory = str(spool(machine).parent)
    assert machine.json("status")["untraced"] == [directory]
    assert f"1 session not traced yet, with events in {directory}" in machine.run("status").stdout
    [check] = [check for check in machine.json("doctor")["checks"] if check["name"] == "earlier spools"]
    assert (check["verdict"], directory in check["evidence"]) == ("warning", True)
    machine.must_run("flush")
    assert machine.json("status")["untraced"] == []


def test_pause_marks_the_session(machine: Machine) -> None:
    machine.must_run("pause")
    assert spool(machine).with_suffix(".paused").read_bytes()


def test_cleanup_traces_and_removes_the_session(machine: Machine) -> None:
    make_old(machine, 30 * 86_400)
    assert str(spool(machine)) in machine.must_run("cleanup", "--dry-run")
    machine.must_run("cleanup")
    machine.wait_until_idle()
    assert len(machine.traces()) == 1
    assert list((machine.home / "first").rglob("*.spool")) == []


def test_purge_removes_the_directory(machine: Machine) -> None:
    directory = spool(machine).parent
    assert str(directory) in machine.must_run("uninstall", "--purge", "--yes")
    assert not directory.exists()
    assert not machine.state.exists()


def test_purge_removes_no_directory_that_is_not_a_spool_directory(machine: Machine) -> None:
    """Whatever the list says."""
    precious = machine.home / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    link = machine.home / "x" / spool(machine).parent.name
    link.parent.mkdir()
    link.symlink_to(precious)
    (machine.state / "schedule" / ".spools").write_bytes(f"{precious}\0{link}\0".encode())
    machine.must_run("uninstall", "--purge", "--yes")
    assert (precious / "file").read_text() == "mine"
