"""Traces that were queued for a wrong address, and traces that nobody wants any more."""

import json
import os
import socket
from pathlib import Path

import pytest
from api import Api, receive
from infinium_transport import Outbox
from machine import Machine
from recorded import recordings

pytest_plugins = ["no_leftovers"]

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = {"INFINIUM_AGENT_SECRET": "sesame-4711", "INFINIUM_MAX_RETRIES": "0"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.environ |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"} | SECRET
    return machine


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def init(machine: Machine, base_url: str) -> None:
    machine.must_run("init", "--no-interactive", "--agent-id", AGENT, "--base-url", base_url)
    machine.read_hooks()


def queued_for_a_wrong_address(machine: Machine, receiver: Api) -> str:
    """A turn is queued for an address where no server is; then `init` is run with the right one."""
    wrong = f"http://127.0.0.1:{closed_port()}/v1"
    init(machine, wrong)
    machine.play(recordings("ephemeral")[-1])
    machine.wait_until_idle()
    init(machine, receiver.base_url)
    return wrong


def test_a_trace_for_a_wrong_address_is_sent_to_the_present_one(machine: Machine) -> None:
    """`retry` keeps the address of each trace; `--to-current` changes it, after a question. `doctor` names it."""
    with receive() as receiver:
        wrong = queued_for_a_wrong_address(machine, receiver)
        assert machine.run("retry").returncode == 1
        [check] = [check for check in machine.json("doctor")["checks"] if check["name"] == "queue"]
        assert (check["verdict"], wrong in check["evidence"]) == ("warning", True)
        assert "infinium-codex retry --to-current" in check["fix"]
        unasked = machine.run("retry", "--to-current")
        assert (unasked.returncode, unasked.stderr) == (2, "Not interactive; pass --yes.\n")
        assert receiver.requests == []
        done = machine.run("retry", "--to-current", "--yes")
        assert (done.returncode, done.stdout) == (0, "Sent       1\n")
    [request] = receiver.requests
    assert request.headers["x-agent-id"] == AGENT
    assert machine.json("history")["traces"][0]["base_url"] == receiver.base_url


def test_a_trace_that_was_rejected_at_a_wrong_address_is_sent_to_the_present_one(machine: Machine) -> None:
    with receive(404) as wrong, receive() as receiver:
        init(machine, wrong.base_url)
        machine.play(recordings("ephemeral")[-1])
        machine.wait_until_idle()
        init(machine, receiver.base_url)
        assert machine.run("retry", "--dead", "--to-current", "--yes").stdout == "Sent       1\n"
    assert len(receiver.requests) == 1


def test_queued_traces_are_listed_and_dropped(machine: Machine) -> None:
    """Only the traces that are named are deleted, after a question, and `errors` records each."""
    with receive() as receiver:
        wrong = queued_for_a_wrong_address(machine, receiver)
        [trace] = machine.json("queue", "list")["traces"]
        assert (trace["base_url"], trace["state"], trace["name"]) == (
            wrong,
            "queued",
            "Try the build, then leave a note.",
        )
        assert trace["key"][:8] in machine.run("queue", "list").stdout
        assert machine.run("queue", "drop").returncode == 2
        assert machine.run("queue", "drop", "ffffffff", "--yes").returncode == 1
        assert machine.run("queue", "drop", trace["key"][:8]).returncode == 2, "not interactive"
        kept = machine.run("queue", "drop", "--base-url", receiver.base_url, "--yes")
        assert (kept.returncode, len(machine.json("queue", "list")["traces"])) == (0, 1)
        dropped = json.loads(machine.run("queue", "drop", "--base-url", wrong, "--yes", "--json").stdout)
        assert dropped["deleted"] == [trace["key"]]
        assert machine.json("queue", "list")["traces"] == []
        assert "dropped by the user" in machine.errors()
    assert receiver.requests == []


def test_a_trace_that_is_being_sent_is_not_dropped(machine: Machine) -> None:
    """The command names the process that holds it, and fails."""
    with receive() as receiver:
        queued_for_a_wrong_address(machine, receiver)
        outbox = Outbox(machine.state / "outbox")
        [queued] = outbox.pending()
        with outbox.sender_lock(outbox.read(queued).recipient):
            done = machine.run("queue", "drop", "--everything", "--yes")
            assert done.returncode == 1
            assert f"process {os.getpid()} is sending" in done.stdout
        assert len(list(outbox.pending())) == 1
        assert machine.run("queue", "drop", "--everything", "--yes").returncode == 0
        assert list(outbox.pending()) == []


def test_the_errors_of_another_project_do_not_show_what_was_dropped_here(machine: Machine) -> None:
    with receive() as receiver:
        queued_for_a_wrong_address(machine, receiver)
        machine.must_run("queue", "drop", "--everything", "--yes")
        assert "dropped by the user" in machine.must_run("errors")
        other = machine.home / "other"
        other.mkdir()
        assert "dropped by the user" not in machine.run("errors", cwd=other).stdout


def test_a_trace_that_was_built_without_its_agents_secret_is_sent_without_it(machine: Machine) -> None:
    """The keyring gave the worker no secret, so the queued trace has it. It is removed before the trace is sent."""
    with receive() as receiver:
        init(machine, receiver.base_url)
        prompt = {"session_id": "s-1", "turn_id": "t-1", "prompt": "Use the key sesame-4711."}
        machine.environ |= {"INFINIUM_AGENT_SECRET": ""}
        for event in ("UserPromptSubmit", "Stop"):
            machine.hook(machine.placed({**prompt, "hook_event_name": event}, None))
        machine.wait_until_idle()
        [queued] = Outbox(machine.state / "outbox").pending()
        assert b"sesame-4711" in queued.path.read_bytes(), "nothing was known to remove"
        assert machine.run("retry", environ=SECRET).stdout == "Sent       1\n"
        [(_, body)] = receiver.requests
        assert json.loads(body)["name"] == "Use the key [redacted:own-secret]."
    assert b"sesame-4711" not in body
    state = [path for path in machine.state.rglob("*") if path.is_file()]
    assert not [path for path in state if b"sesame-4711" in path.read_bytes()], "nor is it in the copy or the ledger"
