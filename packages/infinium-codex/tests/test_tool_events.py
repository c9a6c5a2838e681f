"""Events that start no worker: in a traced session the shell records them, without an interpreter."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.background.schedule import entry_name
from infinium_codex.capture.hook_command import FOR_USER, hook_command
from infinium_codex.capture.inbox import UNFINISHED_SECONDS, collect_events, remove_old_markers
from infinium_codex.capture.records import Record, read_records
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.hook_events import HOOK_EVENTS, SESSION_START
from infinium_codex.support.paths import spool_directory
from machine import Machine

pytest_plugins = ["no_leftovers"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="on Windows every event starts the hook's program")
SHELLS = ("sh", "dash", "bash", "busybox", "mksh", "zsh")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which the programs of hooks are counted, and a turn has begun."""
    found = Machine(tmp_path)
    found.set_up()
    python = found.data / "python"
    program = python.readlink()
    counted = tmp_path / "counted"
    counted.write_text(f'#!/bin/sh\necho >>"{tmp_path}/programs"\nexec "{program}" "$@"\n')
    counted.chmod(0o755)
    python.unlink()
    python.symlink_to(counted)
    found.hook(event(found, "UserPromptSubmit", prompt="build"))
    found.wait_until_idle()  # the worker of the prompt moves events, too
    return found


def programs(machine: Machine) -> int:
    """How many hooks started a program, besides that of the first prompt."""
    return (machine.root / "programs").read_bytes().count(b"\n") - 1


def event(machine: Machine, name: str, turn: str = "t-1", **fields: Any) -> dict[str, Any]:
    return machine.placed(
        {"session_id": "s-1", "turn_id": turn, "hook_event_name": name, "model": "gpt", **fields}, None
    )


def tool(machine: Machine, name: str, number: int, turn: str = "t-1") -> dict[str, Any]:
    own = {"tool_name": "Bash", "tool_use_id": f"call-{number}", "tool_input": {"command": f"make part-{number}"}}
    output = {"tool_response": f"made {number}"} if name == "PostToolUse" else {}
    return event(machine, name, turn, **own, **output)


def run(machine: Machine, payload: dict[str, Any], command: str | None = None, **options: Any) -> None:
    """Run a hook, which must print nothing and exit with 0; `command` and `options` differ from the usual ones."""
    command = machine.commands[payload["hook_event_name"]] if command is None else command
    usual = {"args": ["sh", "-c", command], "cwd": machine.project, "env": machine.environ}
    done = subprocess.run(**{**usual, **options}, input=json.dumps(payload).encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def inbox(machine: Machine) -> Path:
    [found] = (spool_directory(machine.environ) / "inbox").iterdir()
    return found


def files(machine: Machine) -> list[Path]:
    return sorted(inbox(machine).iterdir())


def spooled(machine: Machine) -> list[str]:
    """The events in the session's spool."""
    with machine.spool("s-1").open("rb") as file:
        return [found.event for found in read_records(file) if isinstance(found, Record)]


def steps(trace: dict[str, Any]) -> list[tuple[str, str | None]]:
    found = [step for step in trace["steps"] if step["action"] == "tool_call"]
    return [(step["description"], step.get("output_preview")) for step in found]


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("shell", SHELLS)
def test_tool_events_of_a_traced_session_start_no_program(machine: Machine, shell: str) -> None:
    """Whatever shell is `sh`. Their times are the times of the files."""
    if (path := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    for name in ("PreToolUse", "PostToolUse"):
        run(machine, tool(machine, name, 1), executable=path)
        time.sleep(0.05)
    assert programs(machine) == 0
    assert [path.stat().st_mode & 0o777 for path in (inbox(machine).parent, inbox(machine), *files(machine))] == [
        *(0o700, 0o700, 0o600, 0o600)
    ]
    run(machine, event(machine, "Stop", last_assistant_message="done"))
    [trace] = machine.wait_for_traces(1)
    assert steps(trace) == [("make part-1", "made 1")]
    [step] = [step for step in trace["steps"] if step["action"] == "tool_call"]
    assert 40 <= step["duration_ms"] < 20_000
    assert machine.errors() == []


def test_the_shell_records_the_events_that_start_no_worker() -> None:
    by_shell = {event.name for event in HOOK_EVENTS if event.by_shell}
    assert by_shell == {event.name for event in HOOK_EVENTS} - {*CODEX.hooks.triggers, SESSION_START.name}


def test_the_spool_has_all_events_in_the_order_of_their_times(machine: Machine) -> None:
    """The hook writes to the inbox too while that has events."""
    with machine.idle_hooks():
        run(machine, event(machine, "UserPromptSubmit", "t-2", prompt="next"))
        for name in ("PreToolUse", "PostToolUse"):
            run(machine, tool(machine, name, 1, "t-2"))
        run(machine, event(machine, "Stop", "t-2", last_assistant_message="done"))
        run(machine, event(machine, "UserPromptSubmit", "t-3", prompt="last"))
    assert [path.suffix == ".records" for path in files(machine)].count(True) == 2
    collect_events(str(spool_directory(machine.environ)))
    prompt = [".project", "UserPromptSubmit"]
    assert spooled(machine) == [*prompt, *prompt, "PreToolUse", "PostToolUse", "Stop", *prompt]
    assert files(machine) == []


def pause(machine: Machine) -> None:
    machine.must_run("pause")


def edit_in_place(machine: Machine) -> None:
    machine.edit_config(paused=True)


def replace_by_an_older_file(machine: Machine) -> None:
    other = machine.project / "paused.json"
    other.write_text(json.dumps({"base_url": "local", "paused": True}))
    age(other, 60)  # within a second of the first file's time
    other.rename(machine.config)


def replace_the_directory(machine: Machine) -> None:
    shutil.move(machine.config.parent, machine.home / "aside")
    machine.config.parent.mkdir()
    machine.config.write_text(json.dumps({"base_url": "local", "paused": True}))


def remove_the_project(machine: Machine) -> None:
    shutil.rmtree(machine.config.parent)


@pytest.mark.parametrize(
    "change", [pause, edit_in_place, replace_by_an_older_file, replace_the_directory, remove_the_project]
)
def test_a_pause_in_the_middle_of_a_turn_is_seen(machine: Machine, change: Callable[[Machine], None]) -> None:
    """However the project file changed: the shell records nothing then, and the program finds the pause."""
    run(machine, tool(machine, "PreToolUse", 1))
    assert len(files(machine)) == 1
    change(machine)
    run(machine, event(machine, "PostToolUse", tool_name="Bash", tool_response="secret words"))
    assert programs(machine) == 1
    assert [path for path, content in machine.contents().items() if b"secret words" in content] == []


def test_a_project_file_that_has_just_changed_is_read_by_the_program(machine: Machine) -> None:
    """A further change within the resolution of its time could not be seen. Once it is older, the shell records."""
    machine.config.touch()
    run(machine, event(machine, "UserPromptSubmit", "t-2", prompt="next"))
    run(machine, tool(machine, "PreToolUse", 1, "t-2"))
    assert programs(machine) == 2
    age(machine.config, 30)
    age(machine.config.parent, 30)
    run(machine, event(machine, "UserPromptSubmit", "t-3", prompt="next"))
    run(machine, tool(machine, "PreToolUse", 2, "t-3"))
    assert programs(machine) == 3


def test_another_directory_or_process_of_the_agent_is_not_marked(machine: Machine) -> None:
    """A session elsewhere may have no project, and another process another environment."""
    elsewhere = machine.home / "elsewhere"
    elsewhere.mkdir()
    run(machine, tool(machine, "PreToolUse", 1), cwd=elsewhere)
    assert programs(machine) == 1
    command = machine.commands["PreToolUse"]
    run(machine, tool(machine, "PreToolUse", 2), args=["sh", "-c", 'sh -c "$1"; exit $?', "sh", command])
    assert programs(machine) == 2
    assert files(machine) == []


def test_a_subdirectory_and_a_linked_worktree_are_marked_by_their_own_prompts(machine: Machine) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(machine.project)]
    tree = machine.home / "tree"
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["worktree", "add", "-q", tree]):
        subprocess.run([*git, *arguments], check=True)
    (machine.project / "src").mkdir()
    for number, place in enumerate((machine.project / "src", tree)):
        run(machine, event(machine, "UserPromptSubmit", f"t-{number}", prompt="x"), cwd=place)
        run(machine, tool(machine, "PreToolUse", number), cwd=place)
    assert programs(machine) == 2
    assert (machine.data / "traced" / str(os.getpid())).is_dir()


def test_a_prompt_without_a_project_removes_the_marker(machine: Machine) -> None:
    """Such as of a new agent process that got the number of an old one."""
    [marker] = (machine.data / "traced").rglob(".marker")
    shutil.rmtree(machine.config.parent)
    run(machine, event(machine, "UserPromptSubmit", "t-2", prompt="private"))
    assert not marker.exists()


def test_an_event_whose_writer_was_killed_affects_only_itself(machine: Machine) -> None:
    run(machine, tool(machine, "PreToolUse", 1))
    command = ["sh", "-c", machine.commands["PostToolUse"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, cwd=machine.project, env=machine.environ, start_new_session=True
    ) as process:
        assert process.stdin
        process.stdin.write(json.dumps(tool(machine, "PostToolUse", 1)).encode()[:100])
        process.stdin.flush()
        machine.wait_for(lambda: any(path.stat().st_size == 100 for path in files(machine)), "the beginning")
        os.killpg(process.pid, signal.SIGKILL)
    run(machine, tool(machine, "PreToolUse", 2))
    directory = str(spool_directory(machine.environ))
    collect_events(directory)
    [torn] = files(machine)
    assert spooled(machine)[-2:] == ["PreToolUse", "PreToolUse"]
    age(torn, UNFINISHED_SECONDS + 1)
    run(machine, event(machine, "Stop", last_assistant_message="done"))
    [trace] = machine.wait_for_traces(1)
    assert [command for command, _ in steps(trace)] == ["make part-1", "make part-2"]
    assert files(machine) == []


def test_a_full_disk_is_silent_and_in_the_errors(machine: Machine) -> None:
    """A file size limit ends the write, as a full disk does. The event is still read to its end."""
    command = f"ulimit -f 8; trap '' XFSZ; {machine.commands['PostToolUse']}"
    big = event(machine, "PostToolUse", tool_name="Bash", tool_use_id="call-1", tool_response="x" * 300_000)
    run(machine, big, command)
    assert programs(machine) == 0
    run(machine, tool(machine, "PostToolUse", 2))
    run(machine, event(machine, "Stop", last_assistant_message="done"))
    [trace] = machine.wait_for_traces(1)
    assert ("make part-2", "made 2") in steps(trace)
    [message] = machine.errors()
    assert "PostToolUse could not be written" in message


def no_inbox(machine: Machine) -> None:
    shutil.rmtree(inbox(machine))


def no_script(machine: Machine) -> None:
    (machine.data / "tool_event.sh").unlink()


def broken_script(machine: Machine) -> None:
    (machine.data / "tool_event.sh").write_text("false")


@pytest.mark.parametrize("fault", [no_inbox, no_script, broken_script])
def test_where_the_shell_cannot_record_the_program_does(machine: Machine, fault: Callable[[Machine], None]) -> None:
    fault(machine)
    run(machine, tool(machine, "PreToolUse", 1))
    assert programs(machine) == 1
    assert spooled(machine) == [".project", "UserPromptSubmit", "PreToolUse"]


def test_a_name_that_is_taken_is_not_written_again(machine: Machine) -> None:
    """The shell's process id is in the name, and a process id can come again within a turn."""
    run(
        machine,
        tool(machine, "PreToolUse", 1),
        f': >"{inbox(machine)}/PreToolUse.$$"; {machine.commands["PreToolUse"]}',
    )
    assert programs(machine) == 1
    assert sorted(path.stat().st_size > 0 for path in files(machine)) == [False, True]


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can give a directory to another user")
def test_nothing_is_written_to_a_directory_of_another_user(machine: Machine) -> None:
    """The temp directory was emptied meanwhile, and the user got there first."""
    taken = inbox(machine)
    for path in (taken, taken.parent, taken.parent.parent):
        os.chown(path, 54_321, 54_321)
    run(machine, tool(machine, "PreToolUse", 1))
    assert list(taken.iterdir()) == []
    assert (machine.data / taken.parent.parent.name / "s-1.spool").exists()


def test_without_an_interpreter_the_shell_does_not_go_on_recording(machine: Machine) -> None:
    """No hook would notice that the spools are full. `python3` stands in for the interpreter where there is one."""
    (machine.data / "python").unlink()
    run(machine, tool(machine, "PreToolUse", 1))
    assert files(machine) == []
    assert spooled(machine)[-1] == "PreToolUse"


def test_events_of_many_shells_at_once_stay_whole(machine: Machine) -> None:
    payloads = [event(machine, "PostToolUse", tool_use_id=f"call-{n}", tool_response="o" * 64_000) for n in range(64)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda payload: run(machine, payload), payloads))
    assert programs(machine) == 0
    collect_events(str(spool_directory(machine.environ)))
    with machine.spool("s-1").open("rb") as file:
        found = [record.payload for record in read_records(file) if isinstance(record, Record)]
    assert sorted(found[2:]) == sorted(json.dumps(payload).encode() for payload in payloads)


def test_a_worker_killed_while_it_moves_events_loses_and_doubles_none(machine: Machine) -> None:
    """It removes a file after its event is in the spool. So do two workers at once, and the hooks go on meanwhile."""
    for number in range(3):
        for name in ("PreToolUse", "PostToolUse"):
            run(machine, tool(machine, name, number))
    kept = machine.root / "kept"
    shutil.copytree(inbox(machine), kept)  # with its times
    collect_events(str(spool_directory(machine.environ)))
    shutil.copytree(kept, inbox(machine), dirs_exist_ok=True)
    run(machine, event(machine, "Stop", last_assistant_message="done"))
    [trace] = machine.wait_for_traces(1)
    assert steps(trace) == [(f"make part-{number}", f"made {number}") for number in range(3)]
    assert machine.errors() == []


def test_an_event_that_the_project_and_the_user_have_a_hook_for_is_traced_once(machine: Machine) -> None:
    for name in ("PreToolUse", "PostToolUse"):
        run(machine, tool(machine, name, 1))
        run(machine, tool(machine, name, 1), hook_command(name, for_user=True, by_shell=True))
    assert [FOR_USER in path.name for path in files(machine)].count(True) == 2
    run(machine, event(machine, "Stop", last_assistant_message="done"))
    [trace] = machine.wait_for_traces(1)
    assert steps(trace) == [("make part-1", "made 1")]


def test_a_turn_that_was_killed_is_flushed_with_its_tool_events(machine: Machine) -> None:
    """No further hook comes: `flush` finds the events of the shell, and the last one counts as the turn's end."""
    for name in ("PreToolUse", "PostToolUse"):
        run(machine, tool(machine, name, 1))
    machine.wait_until_idle()
    machine.must_run("flush")
    [trace] = machine.wait_for_traces(1)
    assert steps(trace) == [("make part-1", "made 1")]


@pytest.mark.parametrize(("seconds", "closed"), [(7200, True), (10, False)])
def test_a_session_is_stale_when_its_last_tool_event_is(machine: Machine, seconds: float, closed: bool) -> None:
    """Its spool has not grown since the prompt. The agent was killed, or a long turn goes on."""
    with machine.idle_hooks():
        run(machine, event(machine, "UserPromptSubmit", "t-2", prompt="next"))
        run(machine, tool(machine, "PreToolUse", 1, "t-2"))
    spool = machine.spool("s-1")
    age(spool, 7200)
    age(files(machine)[0], seconds)
    schedule = str(machine.state / "schedule")
    size = spool.stat().st_size
    command = [sys.executable, "-I", "-m", "infinium_codex.background.maintenance", schedule]
    machine.execute([*command, f"{size}:{entry_name(str(spool))}"])
    assert len(machine.traces()) == (2 if closed else 0)


def test_a_torn_event_that_names_no_session_is_dropped(machine: Machine) -> None:
    for name, content in (("PostToolUse.4711", b""), ("PostToolUse.user.4712", b'{"session_id": "s-'), ("junk", b"?")):
        (inbox(machine) / name).write_bytes(content)
        age(inbox(machine) / name, UNFINISHED_SECONDS + 1)
    collect_events(str(spool_directory(machine.environ)))
    assert files(machine) == []
    assert [path.name for path in machine.spools] == ["s-1.spool"]


def test_markers_and_inboxes_of_ended_processes_are_removed(machine: Machine) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    directory = spool_directory(machine.environ)
    (directory / "inbox" / f"{ended.pid}.session_id").mkdir()
    marker = machine.data / "traced" / str(ended.pid) / "home" / ".marker"
    marker.mkdir(parents=True)
    collect_events(str(directory))
    remove_old_markers(str(machine.data))
    assert [path.name for path in (directory / "inbox").iterdir()] == [f"{os.getpid()}.session_id"]
    assert [path.name for path in (machine.data / "traced").iterdir()] == [str(os.getpid())]


def test_uninstall_with_purge_leaves_nothing_of_the_shells(machine: Machine) -> None:
    run(machine, tool(machine, "PreToolUse", 1))
    machine.must_run("uninstall", "--purge", "--yes")
    assert not machine.data.exists()
    assert not spool_directory(machine.environ).exists()


def test_a_home_for_all_users_gets_no_markers() -> None:
    """`managed-config`: its directory is the administrator's, so the program records every event."""
    assert "tool_event" not in hook_command("PreToolUse", Path("/opt/infinium-codex"), by_shell=True)
    assert "PPID" not in hook_command("UserPromptSubmit", Path("/opt/infinium-codex"))
