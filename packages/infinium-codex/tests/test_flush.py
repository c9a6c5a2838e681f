"""`flush`: what is left in spools and in the queue is traced and sent before it ends."""

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from api import receive
from infinium_config.locks import try_lock
from infinium_transport import Envelope, Outbox
from machine import Machine

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
BASE_URL = "http://127.0.0.1:1/v1"
SECRET = {"INFINIUM_AGENT_SECRET": "sesame-4711"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def play(machine: Machine, *names: str, session: str = "s-1", transcript: Path | None = None) -> None:
    """Run hooks that start no worker, as where a container ended with Codex."""
    with machine.idle_hooks():
        for name in names:
            payload: dict[str, Any] = {"session_id": session, "turn_id": "t-1", "hook_event_name": name, "prompt": "x"}
            machine.hook(machine.placed(payload, transcript))


def test_flush_traces_what_killed_workers_left_and_says_what_it_did(machine: Machine) -> None:
    """Sessions that ended, and one that was killed in its turn."""
    play(machine, "UserPromptSubmit", "Stop", "SessionEnd")
    play(machine, "UserPromptSubmit", "Stop", session="s-2")
    play(machine, "UserPromptSubmit", session="s-3")
    done = machine.run("flush")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Sent       3 traces\n", "")
    statuses = [trace["environment"]["custom_tags"]["status"] for trace in machine.traces()]
    assert sorted(statuses) == ["completed", "completed", "interrupted"]
    assert machine.spools == []
    again = machine.run("flush")
    assert (again.returncode, again.stdout) == (0, "Nothing is left to send.\n")


def test_flush_leaves_a_session_that_codex_runs_and_names_it(machine: Machine) -> None:
    """Codex has the transcript open: its turn is not cut short, and flush does not claim that all is sent."""
    transcript = machine.home / "transcript.jsonl"
    transcript.write_text("")
    play(machine, "UserPromptSubmit", transcript=transcript)
    with transcript.open("ab"):
        done = machine.run("flush", "--timeout", "20")
        assert (done.returncode, machine.traces()) == (1, [])
        assert done.stderr.startswith("Session    s-1: open")
    assert machine.run("flush").returncode == 0
    assert len(machine.traces()) == 1


def test_flush_leaves_an_ephemeral_session_that_codex_runs(machine: Machine) -> None:
    """`codex exec --ephemeral` writes no transcript. A Codex in the session's directory counts."""
    play(machine, "UserPromptSubmit")
    elsewhere = subprocess.Popen(["codex", "60"], executable="/bin/sleep", cwd=machine.home)
    here = subprocess.Popen(["codex", "60"], executable="/bin/sleep", cwd=machine.project)
    try:
        done = machine.run("flush", "--timeout", "20")
        assert (done.returncode, machine.traces()) == (1, [])
        assert done.stderr.startswith("Session    s-1: open")
        here.kill()
        here.wait()
        assert machine.run("flush").returncode == 0
        assert len(machine.traces()) == 1
    finally:
        for process in (here, elsewhere):
            process.kill()
            process.wait()


def test_flush_ends_at_its_timeout_while_another_process_works_on_a_session(machine: Machine) -> None:
    play(machine, "UserPromptSubmit", "Stop")
    [spool] = machine.spools
    lock = try_lock(spool.with_suffix(".lock"))
    assert lock is not None
    with lock:
        done = machine.run("flush", "--timeout", "0.5")
    assert (done.returncode, done.stdout) == (1, "")
    assert "s-1" in done.stderr or "1 session to trace" in done.stderr


def test_flush_fails_where_a_trace_cannot_be_sent(tmp_path: Path) -> None:
    """The server is down until the timeout, then refuses the trace: both exit with 1, and say why."""
    machine = Machine(tmp_path)
    machine.environ |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "INFINIUM_MAX_RETRIES": "0"}
    with receive(503) as receiver:
        arguments = ("init", "--no-interactive", "--agent-id", AGENT, "--base-url", receiver.base_url)
        machine.must_run(*arguments, environ=SECRET)
        machine.read_hooks()
        play(machine, "UserPromptSubmit", "Stop")
        receiver.answers[:] = [receiver.answers[0]]
        down = machine.run("flush", "--timeout", "3", environ=SECRET)
        assert down.returncode == 1
        assert "HTTP 503" in down.stderr
        assert machine.json("status")["waiting"] == 1


def test_flush_waits_for_a_delayed_trace(tmp_path: Path) -> None:
    """One failure of the server delays the trace; flush waits and sends it."""
    machine = Machine(tmp_path)
    machine.environ |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "INFINIUM_MAX_RETRIES": "0"}
    with receive(503, 503) as receiver:
        arguments = ("init", "--no-interactive", "--agent-id", AGENT, "--base-url", receiver.base_url)
        machine.must_run(*arguments, environ=SECRET)
        machine.read_hooks()
        play(machine, "UserPromptSubmit", "Stop")
        done = machine.run("flush", environ=SECRET)
        assert (done.returncode, done.stdout) == (0, "Sent       1 trace\n")
        assert len(receiver.requests) == 3


def test_flush_waits_for_a_worker_that_has_the_secret_of_another_project(machine: Machine) -> None:
    """It is about to send: its traces have no secret in the environment of this project."""
    outbox = Outbox(machine.state / "outbox")
    key = "00000000-0000-5000-8000-000000000001"
    outbox.put(Envelope(key=key, agent_id=AGENT, base_url=BASE_URL, body=b"{}", created=time.time(), name="x"))
    [queued] = outbox.pending()
    flush = subprocess.Popen(
        [*machine.program, "flush"],
        cwd=machine.project,
        env=machine.environ | {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        stdout=subprocess.PIPE,
        text=True,
    )
    machine.wait_for(outbox.parked, "flush found no secret")
    outbox.remove(queued)
    printed, _ = flush.communicate()
    assert (flush.returncode, printed) == (0, "Nothing is left to send.\n")
