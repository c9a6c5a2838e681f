"""Hooks registered for all projects of the user: new worktrees and clones need nothing, and nothing is traced twice."""

from pathlib import Path

import pytest
from infinium_codex.demo.scripted_model import ScriptedModel
from sandbox import Sandbox, sandbox_with
from scenarios import failing_command_patch_message, one_message

pytestmark = pytest.mark.codex

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b.c")
INIT = ("init", "--local", "--no-interactive", "--trust")


@pytest.fixture(params=["0.118.0", "0.130.0", "0.145.0", "0.169.0"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """The versions between which Codex's rules for worktrees and trust differ."""
    return sandbox_with(request.param, tmp_path)


def names(sandbox: Sandbox) -> list[str]:
    sandbox.wait_until_idle()
    return [trace["name"] for trace in sandbox.json("history")["traces"]]


def test_an_untrusted_project_and_a_new_worktree_are_traced(sandbox: Sandbox) -> None:
    """One `init --user-hooks`; then a worktree that did not exist, without a `.codex`. Other projects stay untraced."""
    with ScriptedModel([reply for _ in range(3) for reply in one_message()]) as model:
        sandbox.configure_codex(model)
        config = sandbox.config_toml.read_text().replace('trust_level = "trusted"', 'trust_level = "untrusted"')
        sandbox.config_toml.write_text(config)
        said = sandbox.must_run(*INIT, "--user-hooks")
        assert f"{sandbox.codex_home / 'hooks.json'} (for all your projects): " in said
        assert not sandbox.hooks.exists()
        sandbox.codex_exec("From the project.")
        sandbox.execute([*GIT, "commit", "-q", "--allow-empty", "-m", "x"])
        worktree, other = sandbox.home / "new-tree", sandbox.home / "other"
        sandbox.execute([*GIT, "worktree", "add", "-q", str(worktree)])
        other.mkdir()
        sandbox.execute(["git", "init", "-q"], cwd=other)
        for directory, prompt in ((other, "From a project without init."), (worktree, "From the worktree.")):
            command = ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", prompt]
            sandbox.execute(command, cwd=directory)
        assert names(sandbox) == ["From the worktree.", "From the project."]
    checks = {check["name"]: check for check in sandbox.json("doctor")["checks"]}
    problems = [name for name, check in checks.items() if check["verdict"] == "problem"]
    assert problems == []


def test_hooks_of_the_user_and_of_the_project_trace_once(sandbox: Sandbox) -> None:
    """The project's file is committed by a team, and the user has registered the hooks for all projects."""
    with ScriptedModel(failing_command_patch_message()) as model:
        sandbox.configure_codex(model)
        sandbox.must_run(*INIT)
        assert sandbox.hooks.exists()
        sandbox.must_run(*INIT, "--user-hooks")
        assert sandbox.hooks.exists()
        sandbox.codex_exec("Do it.")
        assert names(sandbox) == ["Do it."]
        [trace] = sandbox.traces()
    calls = [step["tool_call"]["tool_name"] for step in trace["steps"] if step["action"] == "tool_call"]
    assert calls == ["shell", "apply_patch"]
    duplicates = {check["name"]: check for check in sandbox.json("doctor")["checks"]}["duplicates"]
    assert duplicates["verdict"] == "ok"
    assert "each event is traced once" in duplicates["evidence"]
