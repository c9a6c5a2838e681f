"""Linked worktrees: Codex reads hooks only in one with a `.codex` directory."""

from pathlib import Path

import pytest
from machine import Machine

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose project is a git repository."""
    machine = Machine(tmp_path, project="project")
    machine.execute(["git", "init", "-q"])
    machine.execute([*GIT, "commit", "-q", "--allow-empty", "-m", "x"])
    return machine


def add_worktree(machine: Machine, name: str) -> Path:
    worktree = machine.home / name
    machine.execute([*GIT, "worktree", "add", "-q", str(worktree)])
    return worktree


def check(machine: Machine, *options: str) -> dict[str, str]:
    found = {each["name"]: each for each in machine.json("doctor", *options)["checks"]}["worktrees"]
    assert isinstance(found, dict)
    return found


def test_init_covers_the_worktrees_that_exist(machine: Machine) -> None:
    worktree = add_worktree(machine, "tree")
    said = machine.must_run("init", "--local", "--no-interactive")
    assert f"Worktree   {worktree}: Codex now reads the hooks there" in said
    assert (worktree / ".codex").is_dir()
    assert machine.execute(["git", "status", "--short"], cwd=worktree).stdout == ""
    assert check(machine)["verdict"] == "ok"


def test_doctor_names_a_new_worktree_as_the_cause_and_fixes_it(machine: Machine) -> None:
    """The worktree was added after `init`, so Codex passes over it without a message."""
    machine.set_up()
    main, worktree = machine.project, add_worktree(machine, "tree")
    assert check(machine)["verdict"] == "warning"
    assert str(worktree) in check(machine)["evidence"]
    machine.project = worktree
    found = check(machine)
    assert found["verdict"] == "problem"
    assert f"Codex reads no hooks in the linked worktree {worktree}" in found["evidence"]
    assert found["fix"] == "Run 'infinium-codex doctor --fix'."
    assert "Codex reads none in this worktree" in machine.must_run("status")
    machine.project = main
    assert check(machine, "--fix")["verdict"] == "ok"
    assert (worktree / ".codex").is_dir()
    machine.project = worktree
    assert check(machine)["verdict"] == "ok"
    assert "reads none" not in machine.must_run("status")


def test_hooks_of_the_user_need_nothing_in_a_worktree(machine: Machine) -> None:
    said = machine.must_run("init", "--local", "--no-interactive", "--user-hooks")
    assert "may be committed" not in said
    assert not machine.hooks.exists()
    machine.project = add_worktree(machine, "tree")
    assert check(machine)["verdict"] == "ok"
    assert f"{machine.codex_home / 'hooks.json'} for all your projects" in machine.must_run("status")
    assert not (machine.project / ".codex").exists()


def test_init_keeps_hooks_registered_for_the_user(machine: Machine) -> None:
    """A further project needs no hooks of its own; `--no-user-hooks` registers them in the project."""
    machine.must_run("init", "--local", "--no-interactive", "--user-hooks")
    machine.project = machine.home / "other"
    (machine.project / ".git").mkdir(parents=True)
    machine.must_run("init", "--local", "--no-interactive")
    assert not machine.hooks.exists()
    machine.must_run("init", "--local", "--no-interactive", "--no-user-hooks")
    assert machine.hooks.exists()
