"""`update-credentials`, `test` and `cleanup`, with an API on loopback."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from api import Api, receive
from infinium_codex.support.paths import spool_directory
from machine import Machine
from recorded import recordings
from syrupy.assertion import SnapshotAssertion

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
OLD, NEW = "old-secret-1111", "new-secret-2222"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose keyring is a file."""
    machine = Machine(tmp_path)
    machine.environ |= {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
        "PYTHON_KEYRING_BACKEND": "keeper.Keeper",
        "KEEPER": str(tmp_path / "keyring.json"),
    }
    return machine


def set_up(machine: Machine, base_url: str) -> None:
    done = machine.run(
        *("init", "--no-interactive", "--no-trust", "--agent-id", AGENT, "--agent-secret", "-", "--base-url", base_url),
        stdin=f"{OLD}\n",
    )
    assert done.returncode == 0, done.stderr
    machine.read_hooks()


def shown(machine: Machine, text: str, receiver: Api) -> str:
    return text.replace(str(machine.root), "<root>").replace(receiver.base_url, "<api>")


def test_new_secret_sends_parked_traces(machine: Machine, snapshot: SnapshotAssertion) -> None:
    """The server refused the old secret, so the agent's queue is parked; the new secret sends it at once."""
    with receive(401) as receiver:
        set_up(machine, receiver.base_url)
        machine.play(recordings("turn")[-1], {"INFINIUM_AGENT_SECRET": OLD})  # a detached worker has no test keyring
        machine.wait_until_idle()
        assert machine.json("status")["waiting"] == 1
        done = machine.run("update-credentials", "--agent-secret", "-", stdin=f"{NEW}\n")
        assert done.returncode == 0, done.stderr
        assert shown(machine, done.stdout, receiver) == snapshot
    assert [request.headers["x-agent-key"] for request in receiver.requests] == [OLD, NEW]
    assert machine.json("status")["waiting"] == 0
    files = [path for path in machine.home.rglob("*") if path.is_file()]
    assert [path for path in files if NEW.encode() in path.read_bytes()] == []


def refused_once(machine: Machine, receiver: Api) -> None:
    """A trace is parked: a gateway refused the agent's valid secret once."""
    set_up(machine, receiver.base_url)
    machine.play(recordings("turn")[-1], {"INFINIUM_AGENT_SECRET": OLD})
    machine.wait_until_idle()
    assert [held["kind"] for held in machine.json("status")["held"]] == ["unauthorized"]


@pytest.mark.parametrize("again", ["retry", "test", "same secret", "same secret without a keyring", "init"])
def test_a_secret_that_was_refused_once_is_tried_again(machine: Machine, again: str) -> None:
    """By each command with which a user deals with a refused secret; the scheduler would try it after an hour."""
    shell = {"INFINIUM_AGENT_SECRET": OLD}
    no_keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    with receive(403) as receiver:
        refused_once(machine, receiver)
        if again == "init":
            machine.must_run("init", "--no-interactive", environ={**shell, **no_keyring})
        elif again.startswith("same secret"):
            environ = no_keyring if again.endswith("keyring") else {}
            done = machine.run("update-credentials", "--agent-secret", "-", stdin=f"{OLD}\n", environ=environ)
            assert (done.returncode, "Sent       1 queued trace" in done.stdout + done.stderr) == (bool(environ), True)
        else:
            machine.must_run(again, environ=shell)
        machine.wait_for(lambda: machine.json("status")["waiting"] == 0, "the trace to be sent")
        assert machine.json("status")["held"] == []
    assert {request.headers["x-agent-key"] for request in receiver.requests} == {OLD}


def test_secret_is_not_sent_to_an_address_that_is_not_approved(machine: Machine, snapshot: SnapshotAssertion) -> None:
    with receive() as receiver:
        machine.config.parent.mkdir()
        machine.config.write_text(json.dumps({"agent_id": AGENT, "base_url": receiver.base_url}))
        refused = machine.run("update-credentials", "--agent-secret", "-", stdin=f"{NEW}\n")
        assert refused.returncode == 2
        assert shown(machine, refused.stderr, receiver) == snapshot
        assert not Path(machine.environ["KEEPER"]).exists()
        other = machine.run("update-credentials", "--base-url", "https://elsewhere.example", "--agent-secret", "x")
        assert other.returncode == 2
        arguments = ("--base-url", receiver.base_url, "--agent-secret", "-")
        assert machine.run("update-credentials", *arguments, stdin=f"{NEW}\n").returncode == 0
        assert machine.run("test").returncode == 0
    assert [request.headers["x-agent-key"] for request in receiver.requests] == [NEW]


def test_change_of_agent(machine: Machine) -> None:
    """The secret is stored for the new agent, and the project file changes only its agent id."""
    other = "00000000-0000-4000-8000-000000000001"
    with receive() as receiver:
        set_up(machine, receiver.base_url)
        before = json.loads(machine.config.read_text())
        # The address was approved for the first agent alone.
        arguments = ("--agent-id", other.upper(), "--base-url", receiver.base_url, "--agent-secret", "-")
        assert machine.run("update-credentials", *arguments, stdin=f"{NEW}\n").returncode == 0
        assert json.loads(machine.config.read_text()) == before | {"agent_id": other}
        assert machine.run("test").returncode == 0
    assert receiver.requests[0].headers["x-agent-id"] == other


@pytest.mark.parametrize("case", ["no project", "local", "no secret", "no keyring"])
def test_update_credentials_error(machine: Machine, case: str, snapshot: SnapshotAssertion) -> None:
    with receive() as receiver:
        if case == "local":
            machine.set_up()
        elif case != "no project":
            set_up(machine, receiver.base_url)
        before = machine.config.read_bytes() if machine.config.exists() else b""
        environ = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"} if case == "no keyring" else {}
        secret = () if case == "no secret" else ("--agent-secret", NEW)
        done = machine.run("update-credentials", *secret, environ=environ)
        assert done.returncode in (1, 2)
        assert shown(machine, done.stderr, receiver) == snapshot
        assert (machine.config.read_bytes() if machine.config.exists() else b"") == before


def test_test_trace_is_sent(machine: Machine) -> None:
    """It is sent without the outbox and is not in the history; its id is printed."""
    with receive(200, 200) as receiver:
        set_up(machine, receiver.base_url)
        assert "trace-1" in machine.run("test").stdout
        assert machine.json("test")["trace_id"] == "trace-2"
    first, second = (request.trace for request in receiver.requests)
    assert first["environment"]["custom_tags"]["test"] == "true"
    assert first["name"] == second["name"]
    keys = [request.headers["idempotency-key"] for request in receiver.requests]
    assert keys[0] != keys[1]
    assert machine.json("history")["traces"] == []


@pytest.mark.parametrize("status", [401, 404, 302, 413, 503])
def test_test_trace_is_not_accepted(machine: Machine, status: int, snapshot: SnapshotAssertion) -> None:
    with receive(status, status) as receiver:
        set_up(machine, receiver.base_url)
        done = machine.run("test")
        assert (done.returncode, done.stdout) == (1, "")
        assert shown(machine, done.stderr, receiver) == snapshot
        assert machine.json("test")["status"] == status


def test_test_trace_without_a_server(machine: Machine) -> None:
    with receive() as receiver:
        set_up(machine, receiver.base_url)
    done = machine.run("test")
    assert done.returncode == 1
    assert f"{receiver.base_url} could not be reached" in done.stderr
    assert "HTTPS_PROXY" in done.stderr


def test_local_test_trace_is_stored(machine: Machine) -> None:
    machine.set_up()
    key = machine.json("test")["key"]
    shown = machine.json("show", key)
    assert shown["traces"][0]["name"] == "Test trace of infinium-codex"
    assert shown["turns"][0]["summary"]["delivery"]["state"] == "local"
    [listed] = machine.json("history")["traces"]
    told = {name: listed[name] for name in ("key", "trace_id", "kind", "project", "base_url", "agent_id")}
    ours = {"kind": "test", "project": machine.project.name, "base_url": "local", "agent_id": "local"}
    assert told == {"key": key, "trace_id": key, **ours}
    line = machine.run("history").stdout
    assert line.endswith("  Test trace of infinium-codex  (this machine)\n")
    assert machine.json("status")["last_trace"]["key"] == key


def test_test_trace_without_a_secret_is_not_sent(machine: Machine) -> None:
    with receive() as receiver:
        set_up(machine, receiver.base_url)
        Path(machine.environ["KEEPER"]).unlink()
        done = machine.run("test")
    assert done.returncode == 1
    assert "no secret for agent" in done.stderr
    assert receiver.requests == []


def aged(path: Path, days: float, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    when = time.time() - days * 86_400
    os.utime(path, (when, when))
    return path


def gone(found: dict[str, Any]) -> set[str]:
    return {path for name in ("sessions", "ledger", "damaged", "logs") for path in found[name]}


def test_cleanup_removes_old_files_and_lists_them(machine: Machine) -> None:
    machine.set_up()
    state, spools = machine.home / ".local" / "state" / "infinium-codex", spool_directory(machine.environ)
    old = [
        aged(state / "logs" / "worker.old.jsonl", 40),
        aged(state / "ledger" / "ledger.old.jsonl", 40),
        aged(spools / "dead.spool", 2),
        aged(spools / "ended.state", 2, "{}"),
    ]
    young = [
        aged(state / "logs" / "worker.jsonl", 3),
        aged(state / "ledger" / "ledger.jsonl", 3),
        aged(state / "local" / "6f9619ff-8b86-4d01-b42d-00cf4fc964ff.json", 400, "{}"),
        aged(spools / "alive.spool", 0.9),
        aged(spools / "alive.state", 0.9, "{}"),
    ]
    would = machine.json("cleanup", "--dry-run")
    assert gone(would) == {str(path) for path in old}
    assert all(path.exists() for path in old)
    assert gone(machine.json("cleanup")) == {str(path) for path in old}
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in young)
    assert machine.run("cleanup").stdout == "Nothing to clean up.\n"


def test_cleanup_keeps_recently_set_aside_files(machine: Machine) -> None:
    """`--days 0` removes them too; queued traces are always kept."""
    machine.set_up()
    state = machine.home / ".local" / "state" / "infinium-codex"
    damaged = aged(state / "outbox" / "corrupt" / "x.trace", 400)  # old when it was written, set aside just now
    waiting = aged(state / "outbox" / f"{AGENT}.trace", 1)
    assert gone(machine.json("cleanup")) == set()
    assert gone(machine.json("cleanup", "--days", "0")) == {str(damaged)}
    assert waiting.exists()


def test_cleanup_traces_an_ended_session_before_it_removes_it(machine: Machine) -> None:
    """A worker that failed (no memory, a full disk) has left a spool with complete turns."""
    machine.set_up()
    venv = machine.home / ".local" / "share" / "infinium-codex" / "venv"
    target = venv.readlink()
    venv.unlink()
    machine.play(recordings("turn")[-1])
    venv.symlink_to(target)
    assert machine.traces() == []
    [spool] = machine.spools
    when = time.time() - 2 * 86_400
    os.utime(spool, (when, when))
    machine.run("cleanup")
    assert len(machine.traces()) == 1
    assert machine.spools == []
