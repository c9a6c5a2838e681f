"""A checkout as git leaves it, and one that somebody has prepared for us."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from infinium_codex.session.git_state import GitState, read_git_state
from machine import Machine

FIRST, SECOND, THIRD = 1_700_000_000, 1_700_000_100, 1_700_000_200


def git(directory: Path, *arguments: str, at: int = FIRST) -> str:
    """Run git as somebody, at a time; gives what it prints."""
    when = {f"GIT_{who}_DATE": f"{at} +0000" for who in ("AUTHOR", "COMMITTER")}
    environ = os.environ | when | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(directory), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def commit(directory: Path, at: int) -> str:
    """Make a commit; gives its id."""
    git(directory, "commit", "-q", "--allow-empty", "-m", "tab\tin > it", at=at)
    return git(directory, "rev-parse", "HEAD")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "-q", "-b", "trunk")
    return path


def test_where_head_stands_and_how_it_came_there(checkout: Path) -> None:
    assert read_git_state(checkout) == GitState(branch="trunk")
    first, second = commit(checkout, FIRST), commit(checkout, SECOND)
    state = read_git_state(checkout / "deep" / "below")
    assert (state.branch, state.commit) == ("trunk", second)
    moves = [(move.at_ms, move.before, move.after) for move in state.moves]
    assert moves == [(FIRST * 1000, None, first), (SECOND * 1000, first, second)]
    git(checkout, "pack-refs", "--all")
    assert read_git_state(checkout).commit == second
    git(checkout, "checkout", "-q", "--detach", first)
    assert (read_git_state(checkout).branch, read_git_state(checkout).commit) == (None, first)


def test_a_linked_worktree_has_its_own_head(checkout: Path, tmp_path: Path) -> None:
    commit(checkout, FIRST)
    git(checkout, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    own = commit(tmp_path / "side", SECOND)
    state = read_git_state(tmp_path / "side")
    assert (state.branch, state.commit, state.moves[-1].after) == ("side", own, own)


def test_what_was_before_the_tail_of_a_long_log_is_not_known(checkout: Path) -> None:
    commit(checkout, FIRST)
    log = checkout / ".git" / "logs" / "HEAD"
    log.write_text(log.read_text() + log.read_text().replace("0" * 40, "a" * 40) * 1_000)
    assert read_git_state(checkout).moves[0].before is None


@pytest.mark.parametrize("head", ["ref: ../../secret", "ref: refs/heads/../../../secret", "hunter2"])
def test_no_other_files_content_is_told_as_a_commit(checkout: Path, tmp_path: Path, head: str) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (checkout / ".git" / "HEAD").write_text(head)
    assert "hunter2" not in str(read_git_state(checkout))


def test_a_fifo_holds_nobody_up(checkout: Path) -> None:
    (checkout / ".git" / "HEAD").unlink()
    os.mkfifo(checkout / ".git" / "HEAD")
    assert read_git_state(checkout) == GitState()


def test_the_commit_before_a_turn_is_the_one_it_began_at(machine: Machine) -> None:
    (machine.project / ".git").rmdir()
    git(machine.project, "init", "-q")
    before = commit(machine.project, int(time.time()) - 200)
    hook(machine, "UserPromptSubmit", prompt="commit")
    time.sleep(1.1)  # the log has seconds
    during = commit(machine.project, int(time.time()))
    hook(machine, "Stop", last_assistant_message="done")
    [trace] = machine.traces()
    tags = trace["environment"]["custom_tags"]
    assert (tags["git_commit_before"], tags["git_commit"]) == (before, during)


def test_a_commit_of_the_users_between_two_turns_is_neither_ones(machine: Machine) -> None:
    (machine.project / ".git").rmdir()
    git(machine.project, "init", "-q")
    commit(machine.project, int(time.time()) - 300)
    now = commit(machine.project, int(time.time()) - 200)
    hook(machine, "UserPromptSubmit", prompt="nothing to commit")
    hook(machine, "Stop", last_assistant_message="done")
    [trace] = machine.traces()
    tags = trace["environment"]["custom_tags"]
    assert (tags.get("git_commit_before"), tags["git_commit"]) == (None, now)


def hook(machine: Machine, name: str, **fields: str) -> None:
    """One hook call of the turn."""
    payload = {"session_id": "s-1", "turn_id": "turn-1", "hook_event_name": name, "model": "gpt", **fields}
    machine.hook(machine.placed(payload, None))
