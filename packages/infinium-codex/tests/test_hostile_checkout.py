"""A checkout or a transcript path that misbehaves costs no trace."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from machine import Machine

pytest_plugins = ["no_leftovers"]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def payload(machine: Machine, name: str, *, transcript: str | None = None, **fields: Any) -> dict[str, Any]:
    given = {"session_id": "s-1", "turn_id": "turn-1", "hook_event_name": name, "model": "gpt", **fields}
    return {**machine.placed(given, None), "transcript_path": transcript}


def play_turn(machine: Machine, transcript: str | None = None) -> None:
    machine.hook(payload(machine, "UserPromptSubmit", transcript=transcript, prompt="asked"))
    machine.hook(payload(machine, "Stop", transcript=transcript, last_assistant_message="answered"))


def assert_traced(machine: Machine) -> None:
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "answered")
    assert machine.errors() == []


def git_file(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def loop_of_links(path: Path) -> None:
    path.symlink_to(path.name)


def loop_of_worktrees(path: Path) -> None:
    path.write_text(f"gitdir: {path.parent}")
    (path.parent / "commondir").write_text(".git/../.git")


def head_is_a_fifo(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "HEAD")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(git_file(b"gitdir: a\0b"), id="NUL"),
        pytest.param(git_file(b"gitdir: " + b"x/" * 300_000), id="600 KB of path"),
        pytest.param(git_file(b"gitdir: " + b"x" * 5_000), id="5,000 characters"),
        pytest.param(git_file(b"\xff\xfe"), id="no text"),
        loop_of_links,
        loop_of_worktrees,
        head_is_a_fifo,
        os.mkfifo,
    ],
)
def test_a_turn_in_a_checkout_with_a_broken_git_file_is_traced(
    machine: Machine, make: Callable[[Path], object]
) -> None:
    shutil.rmtree(machine.project / ".git")
    make(machine.project / ".git")
    play_turn(machine)
    assert_traced(machine)


def fifo(root: Path) -> str:
    os.mkfifo(root / "transcript.jsonl")
    return str(root / "transcript.jsonl")


def directory(root: Path) -> str:
    (root / "transcript.jsonl").mkdir()
    return str(root / "transcript.jsonl")


def loop(root: Path) -> str:
    (root / "transcript.jsonl").symlink_to("transcript.jsonl")
    return str(root / "transcript.jsonl")


def long_name(root: Path) -> str:
    return str(root / ("x" * 5_000))


def long_path(root: Path) -> str:
    return str(root / ("x/" * 2_500))


def zero_byte(root: Path) -> str:
    return f"{root}/a\0b"


def device(root: Path) -> str:
    (root / "transcript.jsonl").symlink_to("/dev/zero")
    return str(root / "transcript.jsonl")


def compressed_fifo(root: Path) -> str:
    os.mkfifo(root / "transcript.jsonl.zst")
    return str(root / "transcript.jsonl")


@pytest.mark.parametrize("make", [fifo, directory, loop, long_name, long_path, zero_byte, device, compressed_fifo])
def test_a_turn_whose_transcript_is_no_file_is_traced(machine: Machine, make: Callable[[Path], str]) -> None:
    play_turn(machine, make(machine.home))
    assert_traced(machine)


def test_a_subagents_transcript_that_is_no_file_costs_no_trace(machine: Machine) -> None:
    machine.hook(payload(machine, "UserPromptSubmit", prompt="asked"))
    agent = {"agent_id": "01a208c1-2ef9-7a31-9771-78d2a8cd8651", "agent_type": "explorer", "turn_id": "turn-2"}
    machine.hook(payload(machine, "SubagentStop", agent_transcript_path=fifo(machine.home), **agent))
    machine.hook(payload(machine, "Stop", last_assistant_message="answered"))
    assert_traced(machine)


def test_a_project_that_is_renamed_before_the_turn_ends_is_traced(machine: Machine) -> None:
    """Codex goes on in the renamed directory and tells the old path."""
    machine.hook(payload(machine, "UserPromptSubmit", prompt="asked"))
    renamed = machine.project.rename(machine.home / "renamed")
    command = ["sh", "-c", machine.commands["Stop"]]
    machine.execute(command, stdin=json.dumps(payload(machine, "Stop", last_assistant_message="answered")), cwd=renamed)
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "answered")
    assert trace["sections"]["project"]["project_name"] == "a project"


def test_a_worktree_that_is_removed_before_the_turn_ends_is_traced(machine: Machine) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(machine.project)]
    shutil.rmtree(machine.project / ".git")
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True)
    worktree = machine.home / "worktree"
    subprocess.run([*git, "worktree", "add", "-q", "--detach", str(worktree)], check=True)
    prompt = {**payload(machine, "UserPromptSubmit", prompt="asked"), "cwd": str(worktree)}
    stop = {**payload(machine, "Stop", last_assistant_message="answered"), "cwd": str(worktree)}
    machine.execute(["sh", "-c", machine.commands["UserPromptSubmit"]], stdin=json.dumps(prompt), cwd=worktree)
    remove = shlex.join([*git, "worktree", "remove", "--force", str(worktree)])
    script = f"{remove} && {{ {machine.commands['Stop']}; }}"
    machine.execute(["sh", "-c", script], stdin=json.dumps(stop), cwd=worktree)
    assert not worktree.exists()
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "answered")
