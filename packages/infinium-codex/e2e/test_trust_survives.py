"""A user's own trusted hooks keep their trust and run after init, use and uninstall.

Codex stores trust by position, and our groups are inserted between the user's and removed again. The versions are those
in which the rules differ: the first version with trust, one that skips async hooks, and the newest.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from codex_install import NEWEST, CodexUnavailableError, install_codex
from infinium_codex.capture.hook_command import is_our_command
from infinium_codex.codex.app_server import AppServer, HookState
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.trust import trust_ours
from infinium_codex.demo.scripted_model import ScriptedModel
from sandbox import Sandbox, sandbox_with
from scenarios import failing_command_patch_message, one_message

pytestmark = pytest.mark.codex

USERS = ("before", "untrusted", "behind")


@pytest.fixture(params=["0.129.0", "0.145.0", "0.169.0"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return sandbox_with(request.param, tmp_path)


@pytest.fixture
def upgrade() -> Path:
    """The directory of a newer Codex."""
    try:
        return install_codex(NEWEST)
    except CodexUnavailableError as error:
        pytest.skip(f"Codex {NEWEST}: {error}")


class Users:
    """A user with Stop hooks, each of which appends a line to a file when it runs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.file = sandbox.hooks
        self.file.parent.mkdir()
        self.ran_file = sandbox.root / "ran"

    def group(self, name: str) -> dict[str, Any]:
        command = f"echo {name} >> '{self.ran_file}'; exit 0"
        return {"hooks": [{"type": "command", "command": command, "timeout": 5}]}

    def write(self, *names: str) -> None:
        self.file.write_text(json.dumps({"hooks": {"Stop": [self.group(name) for name in names]}}, indent=4))

    def run_async(self) -> list[str]:
        """The events with an asynchronous hook."""
        events = json.loads(self.file.read_text())["hooks"].items()
        return [event for event, groups in events for group in groups if group["hooks"][0].get("async")]

    def append(self, name: str) -> None:
        """Append a hook after all others, as a user would."""
        document = json.loads(self.file.read_text())
        document["hooks"]["Stop"].append(self.group(name))
        self.file.write_text(json.dumps(document, indent=4))

    def listed(self) -> tuple[HookState, ...]:
        codex = find_codex(self.sandbox.environ)
        assert codex is not None
        with AppServer(codex, self.sandbox.project, self.sandbox.environ) as server:
            return server.list_hooks(self.sandbox.project).hooks

    def trust(self, *names: str) -> None:
        codex = find_codex(self.sandbox.environ)
        assert codex is not None
        with AppServer(codex, self.sandbox.project, self.sandbox.environ) as server:
            hooks = server.list_hooks(self.sandbox.project).hooks
            trust_ours(hooks, lambda command: any(f"echo {name} " in command for name in names)).write(server)

    def turn_off(self, name: str) -> None:
        """Disable a hook, as a user does in Codex's /hooks."""
        [key] = [hook.key for hook in self.listed() if f"echo {name} " in hook.command]
        codex = find_codex(self.sandbox.environ)
        assert codex is not None
        with AppServer(codex, self.sandbox.project, self.sandbox.environ) as server:
            server.write_config({"hooks.state": {key: {"enabled": False}}})

    def states(self) -> dict[str, str]:
        """The trust status of the user's hooks, in their order."""
        return {hook.command.split()[1]: hook.trust for hook in self.listed() if not is_our_command(hook.command)}

    def ran(self) -> list[str]:
        """Run a turn; returns the hooks that ran, sorted, because Codex starts them at the same time."""
        self.ran_file.unlink(missing_ok=True)
        self.sandbox.codex_exec("Say something.")
        self.sandbox.wait_until_idle()
        return sorted(self.ran_file.read_text().split())

    def positions(self) -> set[str]:
        """The keys for which config.toml stores trust."""
        config = tomllib.loads(self.sandbox.config_toml.read_text())
        return set(config["hooks"]["state"])


def test_hooks_before_and_behind_ours(sandbox: Sandbox) -> None:
    """One hook is trusted before init, one never, and one is added and trusted after ours."""
    with ScriptedModel([reply for _ in range(3) for reply in one_message()]) as model:
        sandbox.configure_codex(model)
        user = Users(sandbox)
        user.write("before", "untrusted")
        user.trust("before")
        text = user.file.read_text()
        assert user.states() == {"before": "trusted", "untrusted": "untrusted"}

        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        assert user.states() == {"before": "trusted", "untrusted": "untrusted"}
        assert user.ran() == ["before"]

        user.append("behind")
        user.trust("behind")
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        assert user.states() == {"before": "trusted", "untrusted": "untrusted", "behind": "trusted"}
        assert user.ran() == ["before", "behind"]
        assert len(sandbox.json("history")["traces"]) == 2

        sandbox.must_run("uninstall", "--yes")
        assert user.states() == {"before": "trusted", "untrusted": "untrusted", "behind": "trusted"}
        assert user.ran() == ["before", "behind"]
        assert json.loads(user.file.read_text())["hooks"]["Stop"] == [user.group(name) for name in USERS]
        assert user.file.read_text().startswith(text[:40])
    # No trust is left behind for what stands at our places, or will.
    assert user.positions() == {hook.key for hook in user.listed() if hook.trust == "trusted"}
    assert sandbox.config_toml.read_text().startswith("# mine, keep it\n")


def test_a_repair_between_the_users_hooks(sandbox: Sandbox) -> None:
    """An old hook of ours between the user's is replaced at the end; the hooks after it keep their trust."""
    with ScriptedModel(one_message()) as model:
        sandbox.configure_codex(model)
        user = Users(sandbox)
        old = {"hooks": [{"type": "command", "command": "'/gone/infinium-codex/hook.py' Stop"}]}
        groups = [user.group("before"), old, user.group("untrusted"), user.group("behind")]
        user.file.write_text(json.dumps({"hooks": {"Stop": groups}}))
        user.trust("before", "behind")
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        assert user.states() == {"before": "trusted", "untrusted": "untrusted", "behind": "trusted"}
        assert user.ran() == ["before", "behind"]
        assert len(sandbox.json("history")["traces"]) == 1


@pytest.mark.parametrize("sandbox", ["0.145.0"], indirect=True)
def test_init_after_codex_was_upgraded(sandbox: Sandbox, upgrade: Path) -> None:
    """After the upgrade, tool hooks can be asynchronous; `init --trust` changes and trusts them."""
    with ScriptedModel(failing_command_patch_message()) as model:
        sandbox.configure_codex(model)
        user = Users(sandbox)
        tools = {"PreToolUse": [user.group("before")]}
        user.file.write_text(json.dumps({"hooks": tools}))
        user.trust("before")
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        assert user.run_async() == []
        sandbox.environ["PATH"] = os.pathsep.join((str(upgrade), sandbox.environ["PATH"]))
        before = json.loads(user.file.read_text())["hooks"]
        sandbox.must_run("init", "--local", "--no-interactive")
        after = json.loads(user.file.read_text())["hooks"]
        assert {event: after[event] for event in before} == before
        waiting = {check["name"]: check for check in sandbox.json("doctor")["checks"]}["hooks file"]
        assert waiting["verdict"] == "warning"
        assert "waits for the hooks for PreToolUse, PostToolUse" in waiting["evidence"]

        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        assert sorted(user.run_async()) == ["PostToolUse", "PreToolUse"]
        assert {hook.trust for hook in user.listed()} == {"trusted"}
        assert user.ran() == ["before", "before"]
        assert len(sandbox.json("history")["traces"]) == 1


def test_what_its_user_turned_off_stays_off_and_turns_nothing_else_off(sandbox: Sandbox) -> None:
    """Codex stores this by position too: without care the next hook would be disabled."""
    with ScriptedModel([reply for _ in range(2) for reply in one_message()]) as model:
        sandbox.configure_codex(model)
        user = Users(sandbox)
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        for name in ("off", "last"):
            user.append(name)
        user.trust("off", "last")
        user.turn_off("off")
        assert user.ran() == ["last"]
        sandbox.must_run("uninstall", "--yes")
        assert user.states() == {"off": "trusted", "last": "trusted"}
        assert user.ran() == ["last"]


def test_init_without_trust_gives_none(sandbox: Sandbox) -> None:
    with ScriptedModel(one_message()) as model:
        sandbox.configure_codex(model)
        user = Users(sandbox)
        user.write("before", "untrusted")
        user.trust("before")
        sandbox.must_run("init", "--local", "--no-interactive", "--no-trust")
        assert user.states() == {"before": "trusted", "untrusted": "untrusted"}
        assert {hook.trust for hook in user.listed() if is_our_command(hook.command)} == {"untrusted"}
        assert user.ran() == ["before"]
        assert sandbox.json("history")["traces"] == []
