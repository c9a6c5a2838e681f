"""Every other command once, the hook registered twice, and a launcher without a window."""

import struct

import pytest
from api import receive
from infinium_codex.demo.scripted_model import ScriptedModel
from machine_windows import User, turn, wait_for
from scenarios import PROMPT

pytestmark = pytest.mark.codex

COMMANDS = {
    "status": 0,
    "test": 0,
    "list": 0,
    "history": 0,
    "show latest": 0,
    "errors": 0,
    "logs": 0,
    "config": 0,
    "queue": 0,
    "retry": 0,
    "flush": 0,
    "cleanup": 0,
    "cost": 0,
    "gaps": 0,
    "completion powershell": 0,
    "pause": 0,
    "resume": 0,
}
"""The exit code of each."""
_GUI = 2


def test_every_command_after_a_turn_that_two_hooks_recorded(user: User) -> None:
    """Hooks of the user and of the project record each event; the turn is traced once. No command fails."""
    with ScriptedModel(turn()) as model, receive() as receiver:
        user.configure_codex(model, "0.169.0")
        user.initialize(receiver.base_url)
        user.initialize(receiver.base_url, "--user-hooks")
        assert all(path.exists() for path in (user.codex_home / "hooks.json", user.project / ".codex" / "hooks.json"))
        user.codex_exec(PROMPT)
        wait_for(lambda: receiver.requests, "the trace")
        user.run("infinium-codex", "flush", "--timeout", "60")
        [request] = receiver.requests
        assert [step["tool_call"]["tool_name"] for step in request.trace["steps"]] == ["shell", "apply_patch"]
        failed = {}
        for command, code in COMMANDS.items():
            done = user.run("infinium-codex", *command.split())
            if done.returncode != code or b"Traceback" in done.stdout + done.stderr:
                failed[command] = (done.returncode, (done.stdout + done.stderr).decode("cp1252", "replace")[-2000:])
        assert failed == {}


def test_the_launcher_of_the_hook_has_no_window(user: User) -> None:
    """Its header names the subsystem of programs without a console, for which Windows opens no window."""
    user.connector("init", "--no-interactive", "--local", "--no-trust")
    header = user.launcher.read_bytes()[:1024]
    [start] = struct.unpack_from("<I", header, 0x3C)
    assert header[start : start + 4] == b"PE\0\0"
    assert struct.unpack_from("<H", header, start + 24 + 68) == (_GUI,)


def test_init_says_that_the_launcher_is_not_on_path(user: User) -> None:
    command = (r"C:\py\python.exe", "-m", "infinium_codex.cli", "init", "--no-interactive", "--local", "--no-trust")
    printed = [user.run(*command, environ=environ).stdout for environ in ({}, {"WINEPATH": r"C:\windows"})]
    assert [b"infinium-codex-hook' is not on PATH: add C:\\py\\Scripts" in each for each in printed] == [False, True]
