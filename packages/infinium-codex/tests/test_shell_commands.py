"""The command of a shell step is what a person would type, and nothing else."""

import json
from pathlib import Path

import pytest
from infinium_codex.codex.shell_commands import readable_command
from infinium_codex.codex.tools import call_arguments
from infinium_codex.codex.transcript.reader import Transcript
from infinium_trace import ToolStarted
from recorded import recording

WINDOWS_POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"


@pytest.mark.parametrize(
    ("command", "readable"),
    [
        ("make test", "make test"),
        (["make", "test"], "make test"),
        (["git", "commit", "-m", "two words"], "git commit -m 'two words'"),
        (["bash", "-lc", "make test | tee log"], "make test | tee log"),
        (["/bin/zsh", "-lc", "pwd"], "pwd"),
        (["sh", "-c", "a && b"], "a && b"),
        ("bash -lc 'make test'", "make test"),
        ("/bin/bash -lc \"echo 'a b'\"", "echo 'a b'"),
        ("/bin/zsh -lc 'node server.js'", "node server.js"),
        ("""/bin/zsh -lc 'echo '"'"'a'"'"''""", "echo 'a'"),
        ("bash -lc 'sh -c \"ls\"'", "ls"),
        (["powershell.exe", "-NoProfile", "-Command", "Get-ChildItem"], "Get-ChildItem"),
        ("powershell.exe -Command 'Get-Content a.txt'", "Get-Content a.txt"),
        ('powershell -NoProfile -ExecutionPolicy Bypass -Command "Get-Date"', "Get-Date"),
        ([WINDOWS_POWERSHELL, "-Command", "Get-Date"], "Get-Date"),
        (f'"{WINDOWS_POWERSHELL}" -Command \'rg -n "x" "a b"\'', 'rg -n "x" "a b"'),
        (f"\"{WINDOWS_POWERSHELL}\" -Command '$a = ''b'''", "$a = 'b'"),
        ("pwsh -Command [Console]::OutputEncoding=[System.Text.Encoding]::UTF8;\nGet-Date", "Get-Date"),
        (["cmd.exe", "/c", "dir"], "dir"),
        ("cmd /c dir /b", "dir /b"),
        # Not a shell that runs one script: nothing may be removed.
        ("bash -n setup.sh && echo fine", "bash -n setup.sh && echo fine"),
        ("bash -lc 'a' && rm b", "bash -lc 'a' && rm b"),
        ("bash setup.sh", "bash setup.sh"),
        (["bash", "-lc", "echo $1", "name"], "bash -lc 'echo $1' name"),
        ("powershell -ExecutionPolicy Bypass -File run.ps1", "powershell -ExecutionPolicy Bypass -File run.ps1"),
        ("bash -lc 'never closed", "bash -lc 'never closed"),
        ("echo bash -lc 'x'", "echo bash -lc 'x'"),
        ("", None),
        ([], None),
        ([1, "a"], None),
        (7, None),
    ],
)
def test_a_command_is_shown_without_the_shell_that_runs_it(command: object, readable: str | None) -> None:
    assert readable_command(command) == readable


def test_a_long_command_is_read_in_linear_time() -> None:
    """A here-document may be megabytes long. The test hangs if the time grows with the square."""
    for line in ("a" * 2_000_000, "a/" * 1_000_000, "bash -lc " + "a " * 500_000, "cmd " + "-a " * 200_000):
        assert readable_command(line) is not None


@pytest.mark.parametrize(
    "raw",
    [
        {"cmd": "make test", "workdir": "/repo", "yield_time_ms": 1000, "max_output_tokens": 6000},
        {"cmd": ["bash", "-lc", "make test"], "workdir": "/repo", "yield_time_ms": 1000, "max_output_tokens": 6000},
        {"command": "bash -lc 'make test'", "workdir": "/repo", "yield_time_ms": 1000, "max_output_tokens": 6000},
    ],
)
def test_directory_and_limits_of_a_call_are_no_part_of_its_command(raw: dict[str, object]) -> None:
    arguments, options = call_arguments("exec_command", json.dumps(raw))
    assert arguments == {"command": "make test"}
    assert options == {"workdir": "/repo", "yield_time_ms": 1000, "max_output_tokens": 6000}


def test_an_old_local_shell_call_has_its_command_in_an_action(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    action = {"type": "exec", "command": ["bash", "-lc", "ls -a"], "working_directory": "/repo", "timeout_ms": None}
    call = {"type": "local_shell_call", "call_id": "c", "status": "completed", "action": action}
    record = {"timestamp": "2026-03-01T10:00:00.000Z", "type": "response_item", "payload": call}
    path.write_text(json.dumps(record) + "\n", "utf-8")
    [started] = Transcript(path).read()
    assert isinstance(started, ToolStarted)
    assert (started.tool, started.arguments) == ("shell", {"command": "ls -a"})
    assert started.options == {"type": "exec", "working_directory": "/repo"}


def test_a_step_shows_the_command_and_keeps_the_options_as_metadata() -> None:
    """Real calls carry limits beside the command. They used to hide it: the step's text was their JSON."""
    [trace] = recording("0.169.0", "background").payloads()
    step = trace["steps"][0]
    command = "echo started; sleep 1; echo ended; exit 4"
    assert step["description"] == command
    assert step.get("input_preview", command) == command
    assert step["metadata"]["options"] == {"yield_time_ms": 250}
