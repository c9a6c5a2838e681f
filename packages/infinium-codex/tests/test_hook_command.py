"""The registered hook command: the same for every user, and without effect where the connector is not installed."""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.capture.hook_command import FOR_USER, home_of, hook_command, is_for_user, is_our_command
from infinium_codex.capture.launcher_windows import windows_command
from infinium_codex.capture.records import Record, read_records
from machine import Machine

EVENT = {"session_id": "s-1", "turn_id": "t-1", "hook_event_name": "PreToolUse", "cwd": "/", "tool_name": "Bash"}


def run_command(command: str, environ: dict[str, str], cwd: Path) -> tuple[int | None, bytes]:
    """Run a hook command as Codex does, which notices if nobody reads the event: its exit code and output."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environ,
        cwd=cwd,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps({**EVENT, "tool_input": "x" * 300_000}).encode())
        process.stdin.close()
        output = process.stdout.read()
    return process.returncode, output


def recorded(machine: Machine) -> list[Any]:
    """The events in the spools."""
    events = []
    for spool in machine.spools:
        with spool.open("rb") as file:
            events += [json.loads(found.payload) for found in read_records(file) if isinstance(found, Record)]
    return events


def test_hooks_json_is_the_same_for_every_user(tmp_path: Path) -> None:
    """A team can commit the file: it has no path of the user who ran `init`."""
    one, other = Machine(tmp_path / "one"), Machine(tmp_path / "other one")
    other.environ["XDG_DATA_HOME"] = str(tmp_path / "data")
    one.set_up()
    other.set_up()
    assert one.hooks.read_bytes() == other.hooks.read_bytes()


def test_init_says_that_the_file_may_be_committed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert "The file may be committed" in machine.must_run("init", "--local", "--no-interactive")
    own = {"hooks": [{"type": "command", "command": f"{machine.home}/mine.sh"}]}
    machine.edit_hooks(lambda file: file["hooks"]["Stop"].append(own))
    said = machine.must_run("init", "--local", "--no-interactive")
    assert f"has hooks with paths below {machine.home}: do not commit those" in said


@pytest.mark.parametrize("name", ["a b", "it's", 'a "quote"', "$HOME", "`id`", "käse", "back\\slash", "new\nline", "*"])
def test_any_home_directory(tmp_path: Path, name: str) -> None:
    """The shell finds the hook's home whatever characters its path has."""
    machine = Machine(tmp_path / name)
    machine.set_up()
    machine.hook(EVENT)
    assert recorded(machine) == [EVENT]


def test_home_is_found_in_the_user_database_where_the_agent_has_no_such_variable() -> None:
    command = hook_command("Stop")
    set_home, assign, _ = command.partition(" h=")
    assert assign
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = subprocess.run(
        ["/bin/sh", "-c", f'{set_home} env; printf "found=%s" "$HOME"'], capture_output=True, env=environ, check=True
    )
    home = pwd.getpwuid(os.getuid()).pw_dir
    assert f"HOME={home}\n".encode() in done.stdout
    assert done.stdout.endswith(f"found={home}".encode())


@pytest.mark.parametrize("home", [None, "", "home"])
def test_a_user_without_the_connector_notices_nothing(tmp_path: Path, home: str | None) -> None:
    """The command prints nothing, exits 0, and reads the event: Codex reports a hook as failed that does not."""
    started = tmp_path / "started"
    (tmp_path / "home").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cat").symlink_to(shutil.which("cat") or "/bin/cat")
    for name in ("python3", "id"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\necho {name} >> '{started}'; echo nobody-of-this-name; exit 3\n")
        program.chmod(0o755)
    environ = {"PATH": str(tmp_path / "bin")}
    if home is not None:
        environ["HOME"] = str(tmp_path / home) if home else ""
    assert run_command(hook_command("PreToolUse"), environ, tmp_path) == (0, b"")
    assert not started.exists() if home == "home" else started.read_text() == "id\n"


def test_another_python_runs_the_hook_if_its_own_is_gone(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.set_up()
    (machine.data / "python").unlink()
    assert shutil.which("python3", path=machine.environ["PATH"])
    machine.hook(EVENT)
    assert recorded(machine) == [EVENT]


EARLIER = (
    "{ '/home/a b/.local/share/infinium-codex/python' -I -S '/home/a b/.local/share/infinium-codex/hook.pyc' Stop || "
    "python3 -I -S '/home/a b/.local/share/infinium-codex/hook.py' Stop; } >/dev/null 2>&1; exit 0"
)


@pytest.mark.parametrize(
    "command",
    [hook_command("Stop"), EARLIER, "'/gone/infinium-codex/hook.py' Stop", "infinium-codex-connector hook stop"],
)
def test_a_hook_of_another_build_or_user_is_replaced(tmp_path: Path, command: str) -> None:
    """Whoever wrote the hook, `init` leaves one hook of ours for each event, and `uninstall` none."""
    machine = Machine(tmp_path)
    machine.hooks.parent.mkdir()
    top_level = "connector" in command and "hook.py" not in command
    groups = {"Stop": [{"hooks": [{"type": "command", "command": command}]}]}
    machine.hooks.write_text(json.dumps(groups if top_level else {"hooks": groups}))
    machine.set_up()
    found = json.loads(machine.hooks.read_text())["hooks"]["Stop"]
    assert [handler["command"] for group in found for handler in group["hooks"]] == [hook_command("Stop")]
    machine.must_run("uninstall", "--yes")
    assert not machine.hooks.exists()


@pytest.mark.parametrize(
    "directory", ["/opt/infinium-codex", "/opt/a b/it's/infinium-codex", "/opt/$x; [/infinium-codex"]
)
def test_a_managed_hook_runs_from_its_own_directory(directory: str) -> None:
    command = hook_command("Stop", Path(directory))
    assert home_of(command) == Path(directory)
    assert is_our_command(command)


@pytest.mark.parametrize("command", ["mine", "echo infinium-codex", "/home/a/infinium-codex/my-hook.py", "cat hook.py"])
def test_hooks_of_others_are_not_ours(command: str) -> None:
    assert not is_our_command(command)


@pytest.mark.parametrize("command", [hook_command, lambda event, **_: windows_command(event)], ids=["posix", "windows"])
def test_the_command_for_all_projects_is_told_from_a_projects_own(command: Any) -> None:
    """`doctor` counts an event twice only where two hooks of the same kind are registered for it."""
    assert not is_for_user(command("Stop"))
    assert is_for_user(hook_command("Stop", for_user=True))
    assert is_for_user(windows_command(f"Stop {FOR_USER}"))
