"""What a turn changed in its checkout, by patches and by shell commands, is in its trace."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.session.turn_changes import read_turn_changes
from infinium_trace import TreeChanges
from infinium_trace.events import ChangeKind
from machine import Machine

pytest_plugins = ["no_leftovers"]


def git(directory: Path, *arguments: str) -> str:
    """Run git without the user's configuration; return what it prints."""
    environ = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(directory), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    path = tmp_path / "checkout"
    path.mkdir()
    git(path, "init", "-q", "-b", "trunk")
    (path / "kept.txt").write_text("one\ntwo\nthree\n")
    (path / "gone.txt").write_text("gone\n" * 3)
    (path / "old name.txt").write_text("a file\nwith lines\nto find\nit again\n")
    (path / ".gitignore").write_text("ignored.txt\n")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "first")
    return path


class Turn:
    """A turn that starts when this is made, with the snapshots of earlier ones."""

    def __init__(self, checkout: Path, session: str = "s-1") -> None:
        time.sleep(0.15)  # more than the tolerance between the clocks of files and hooks
        self.checkout, self.session = checkout, session
        self.started_ms = int(time.time() * 1000)
        self.before = git(checkout, "rev-parse", "HEAD")

    def ends(self) -> TreeChanges:
        """Return what it changed."""
        found = read_turn_changes(
            self.checkout,
            self.checkout.parent / "snapshots",
            self.session,
            started_ms=self.started_ms,
            ended_ms=int(time.time() * 1000),
            commit_before=self.before,
        )
        assert found is not None
        return found


def listed(changes: TreeChanges, checkout: Path) -> dict[str, tuple[ChangeKind, int | None, int | None]]:
    return {
        str(Path(change.path).relative_to(checkout)): (change.kind, change.lines_added, change.lines_removed)
        for change in changes.files
    }


def test_files_that_commands_made_changed_renamed_and_deleted_are_listed_with_their_lines(checkout: Path) -> None:
    turn = Turn(checkout)
    (checkout / "kept.txt").write_text("one\n2\n3\n4\n")
    (checkout / "made.txt").write_text("new\n")
    (checkout / "ignored.txt").write_text("no\n")
    (checkout / "gone.txt").unlink()
    (checkout / "old name.txt").rename(checkout / "new name.txt")
    changes = turn.ends()
    assert listed(changes, checkout) == {
        "kept.txt": (ChangeKind.MODIFIED, 3, 2),
        "made.txt": (ChangeKind.ADDED, 1, 0),
        "gone.txt": (ChangeKind.DELETED, 0, 3),
        "old name.txt": (ChangeKind.MOVED, 0, 0),
    }
    assert [change.moved_to for change in changes.files if change.moved_to] == [str(checkout / "new name.txt")]
    assert "+++ b/made.txt" in changes.diff
    assert "-two" in changes.diff
    assert "ignored.txt" not in changes.diff
    assert changes.is_dirty is True


def test_changes_from_before_the_turn_are_not_its_own(checkout: Path) -> None:
    (checkout / "kept.txt").write_text("edited by the user\n")
    (checkout / "draft.txt").write_text("of the user\n")
    turn = Turn(checkout)
    (checkout / "made.txt").write_text("new\n")
    changes = turn.ends()
    assert listed(changes, checkout) == {"made.txt": (ChangeKind.ADDED, 1, 0)}
    assert "user" not in changes.diff


def test_a_second_turn_on_the_same_file_has_only_its_own_lines(checkout: Path) -> None:
    first = Turn(checkout)
    (checkout / "made.txt").write_text("of the first turn\n")
    first.ends()
    second = Turn(checkout)
    (checkout / "made.txt").write_text("of the first turn\nof the second turn\n")
    changes = second.ends()
    assert listed(changes, checkout) == {"made.txt": (ChangeKind.MODIFIED, 1, 0)}
    assert "+of the second turn" in changes.diff
    assert "+of the first turn" not in changes.diff


def test_commits_of_the_turn_have_their_subjects_and_their_files_count(checkout: Path) -> None:
    turn = Turn(checkout)
    (checkout / "made.txt").write_text("new\n")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "Add a file\n\nWith a body.")
    changes = turn.ends()
    assert [(one.commit, one.subject) for one in changes.commits] == [
        (git(checkout, "rev-parse", "HEAD"), "Add a file")
    ]
    assert listed(changes, checkout) == {"made.txt": (ChangeKind.ADDED, 1, 0)}
    assert changes.is_dirty is False


def test_the_checkout_is_not_written_to(checkout: Path) -> None:
    def contents() -> dict[Path, tuple[bytes, int]]:
        files = [path for path in checkout.rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    turn = Turn(checkout)
    (checkout / "made.txt").write_text("new\n")
    (checkout / "kept.txt").write_text("changed\n")
    before = contents()
    turn.ends()
    assert contents() == before


def test_a_repository_without_a_commit_has_its_files(tmp_path: Path) -> None:
    path = tmp_path / "fresh"
    path.mkdir()
    git(path, "init", "-q")
    started = int(time.time() * 1000)
    (path / "a.txt").write_text("a\n")
    found = read_turn_changes(
        path, tmp_path / "snapshots", "s", started_ms=started, ended_ms=started + 1_000, commit_before=None
    )
    assert found is not None
    assert listed(found, path) == {"a.txt": (ChangeKind.ADDED, 1, 0)}


def test_a_large_file_is_listed_and_not_compared(checkout: Path) -> None:
    turn = Turn(checkout)
    (checkout / "large.bin").write_bytes(b"x" * (2 << 20))
    changes = turn.ends()
    assert [(Path(change.path).name, change.lines_added) for change in changes.files] == [("large.bin", None)]
    assert changes.diff == ""


def test_hooks_and_monitors_of_the_checkout_do_not_run(checkout: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = f"#!/bin/sh\ntouch '{ran}'\n"
    for name in ("post-index-change", "reference-transaction"):
        hook_file = checkout / ".git" / "hooks" / name
        hook_file.parent.mkdir(exist_ok=True)
        hook_file.write_text(script)
        hook_file.chmod(0o755)
    (tmp_path / "monitor").write_text(script)
    (tmp_path / "monitor").chmod(0o755)
    git(checkout, "config", "core.fsmonitor", str(tmp_path / "monitor"))
    ran.unlink(missing_ok=True)
    turn = Turn(checkout)
    ran.unlink(missing_ok=True)
    (checkout / "made.txt").write_text("new\n")
    turn.ends()
    assert not ran.exists()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: (path / ".git" / "index").write_bytes(b"DIRCgarbage"), id="index"),
        pytest.param(lambda path: (path / ".git" / "HEAD").write_text("garbage"), id="HEAD"),
        pytest.param(lambda path: (path / ".git" / "config").write_text("[garbage"), id="config"),
    ],
)
def test_a_damaged_checkout_tells_nothing(checkout: Path, damage: Any) -> None:
    damage(checkout)
    now = int(time.time() * 1000)
    assert (
        read_turn_changes(
            checkout, checkout.parent / "snapshots", "s", started_ms=now, ended_ms=now, commit_before=None
        )
        is None
    )


def test_a_git_that_hangs_is_stopped(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nsleep 1000 & sleep 1000\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("infinium_codex.session.turn_changes.SECONDS", 0.2)
    now = int(time.time() * 1000)
    found = read_turn_changes(
        checkout, tmp_path / "snapshots", "s", started_ms=now, ended_ms=now, commit_before="a" * 40
    )
    assert found is None


# From the hook to the trace


@pytest.fixture(params=["turn"])
def machine(tmp_path: Path, request: pytest.FixtureRequest) -> Machine:
    """A machine with a checkout; the parameter is the granularity of its traces."""
    found = Machine(tmp_path)
    found.set_up("--granularity", request.param)
    (found.project / ".git").rmdir()
    git(found.project, "init", "-q", "-b", "trunk")
    (found.project / "kept.txt").write_text("one\ntwo\n")
    git(found.project, "add", "-A")
    git(found.project, "commit", "-q", "-m", "first")
    return found


def call(machine: Machine, name: str, **fields: object) -> None:
    payload = {"session_id": "s-1", "turn_id": "turn-1", "hook_event_name": name, "model": "gpt", **fields}
    machine.hook(machine.placed(payload, None))


def shell_turn(machine: Machine, edit: Any) -> dict[str, Any]:
    """Play a turn with one shell command, which does `edit`; return its trace."""
    time.sleep(0.15)
    call(machine, "UserPromptSubmit", prompt="change it")
    tool = {"tool_name": "Bash", "tool_input": {"command": "./edit"}, "tool_use_id": "c-1"}
    call(machine, "PreToolUse", **tool)
    edit()
    call(machine, "PostToolUse", **tool, tool_response="done")
    call(machine, "Stop", last_assistant_message="done")
    [trace] = machine.traces()
    return trace


def test_a_shell_commands_changes_are_in_the_trace_with_a_redacted_diff(machine: Machine) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"

    def edit() -> None:
        (machine.project / "kept.txt").write_text("one\n2\n")
        (machine.project / "made.env").write_text(f"TOKEN={token}\n")

    trace = shell_turn(machine, edit)
    assert trace["sections"]["development"]["files_modified"] == ["kept.txt", "made.env"]
    step = trace["steps"][-1]
    assert (step["action"], step["description"]) == ("file_changes", "2 files changed, 2 lines added, 1 removed")
    assert step["metadata"]["files"] == [
        {"path": "kept.txt", "kind": "modified", "lines_added": 1, "lines_removed": 1},
        {"path": "made.env", "kind": "added", "lines_added": 1, "lines_removed": 0},
    ]
    assert "-two\n+2" in step["output_preview"]
    assert token not in str(trace)
    tags = trace["environment"]["custom_tags"]
    assert (tags["lines_added"], tags["lines_removed"], tags["git_dirty"]) == ("2", "1", "true")
    assert "2 files changed" in trace["description"]


def test_a_broken_checkout_costs_no_trace(machine: Machine) -> None:
    trace = shell_turn(machine, lambda: (machine.project / ".git" / "index").write_bytes(b"DIRCgarbage"))
    assert trace["steps"][-1]["action"] == "tool_call"


@pytest.mark.parametrize("machine", ["session", "both"], indirect=True)
def test_a_summary_lists_what_shell_commands_changed_in_each_turn(machine: Machine) -> None:
    """The files of a turn are kept until the summary, though a later turn changes the checkout further."""
    for number in (1, 2):
        time.sleep(0.15)
        turn = f"turn-{number}"
        call(machine, "UserPromptSubmit", turn_id=turn, prompt="change it")
        tool = {"tool_name": "Bash", "tool_input": {"command": "./edit"}, "tool_use_id": f"c-{number}"}
        call(machine, "PreToolUse", turn_id=turn, **tool)
        (machine.project / f"made-{number}.txt").write_text("new\n" * number)
        call(machine, "PostToolUse", turn_id=turn, **tool, tool_response="done")
        call(machine, "Stop", turn_id=turn, last_assistant_message="done")
        machine.wait_until_idle()
    call(machine, "SessionEnd", reason="other")
    [summary] = [one for one in machine.traces() if one["environment"]["custom_tags"]["kind"] == "session"]
    assert summary["sections"]["development"]["files_modified"] == ["made-1.txt", "made-2.txt"]
    assert summary["environment"]["custom_tags"]["lines_added"] == "3"
