"""A turn of the real Codex for Windows arrives at the API as a correct trace."""

import json
import time

import pytest
from api import receive
from infinium_codex.demo.scripted_model import ScriptedModel
from machine_windows import COMMAND, SECRET, User, turn, wait_for
from scenarios import PROMPT
from tables import Tables
from wine_lab import windows_path

pytestmark = pytest.mark.codex


def test_a_turn_arrives_once_and_true(user: User, version: str, tables: Tables) -> None:
    """A command with exit code 3, a patch and a message; the secret is in the Credential Manager."""
    with ScriptedModel(turn()) as model, receive() as receiver:
        user.configure_codex(model, version)
        user.initialize(receiver.base_url)
        started = time.monotonic()
        user.codex_exec(PROMPT)
        played = time.monotonic()
        wait_for(lambda: receiver.requests, "the trace")
        arrived = time.monotonic()
        [request] = receiver.requests
        trace, tags = request.trace, request.trace["environment"]["custom_tags"]
        assert request.headers["x-agent-key"].encode() == SECRET
        assert trace["input_summary"] == PROMPT
        assert trace["output_summary"] == "The build fails; a note is left."
        shell, patch = trace["steps"]
        assert (shell["tool_call"]["tool_name"], patch["tool_call"]["tool_name"]) == ("shell", "apply_patch")
        assert COMMAND in json.dumps(shell)
        assert "powershell" not in json.dumps(trace["steps"]).lower()
        [error] = trace["errors"]
        assert error["error_code"] == "3"
        assert trace["sections"]["development"]["files_modified"] == ["notes.txt"]
        assert trace["environment"]["framework_version"] == version
        assert tags["cwd"] == windows_path(user.project)
        assert tags["sources"] == "hook, transcript"
        assert SECRET not in b"".join(path.read_bytes() for path in user.home.rglob("*") if path.is_file())
        seconds = {"turn": f"{played - started:.1f} s", "then_arrived_after": f"{arrived - played:.1f} s"}
        tables.add("a turn of Codex for Windows", Codex=version, steps=2, exit_code=error["error_code"], **seconds)


def test_uninstall_leaves_nothing(user: User) -> None:
    user.connector("init", "--no-interactive", "--local", "--no-trust")
    assert user.launcher.exists()
    user.connector("uninstall", "--yes", "--purge")
    assert not user.home.exists()
    assert not user.launcher.exists()
    assert not (user.project / ".codex" / "hooks.json").exists()
    assert user.processes() == []


def test_the_demo_traces_a_turn(user: User) -> None:
    assert "hello.py was missing; I added it" in user.connector("demo")
    assert not user.home.exists()
