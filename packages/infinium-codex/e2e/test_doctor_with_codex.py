"""`doctor` with the real Codex: its report on hooks and trust agrees with what Codex then does."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from infinium_codex.codex.app_server import AppServer
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.versions import TRUST_SINCE, Version
from infinium_codex.demo.scripted_model import ScriptedModel
from machine import end_processes, wait_for
from sandbox import Sandbox
from scenarios import one_message

pytestmark = pytest.mark.codex

OLD_COMMAND = '"/usr/bin/python3" -m infinium_codex_connector.hook'
OLD_HOOKS = {"Stop": [{"matcher": ".*", "hooks": [{"type": "command", "command": OLD_COMMAND, "timeout": 5000}]}]}
"""What the public connector 1.1.0 writes."""
DAEMON_SINCE: Version = (0, 160, 0)


def is_since(sandbox: Sandbox, version: Version) -> bool:
    codex = find_codex(sandbox.environ)
    return codex is not None and codex.since(version)


@pytest.fixture
def asking(newest: Sandbox) -> Sandbox:
    """The newest version; skips the test if it requires no trust."""
    if not is_since(newest, TRUST_SINCE):
        pytest.skip(f"Codex {newest.version} asks for no trust")
    return newest


@pytest.fixture
def ready(sandbox: Sandbox) -> Iterator[Sandbox]:
    """A chosen version with a model that answers one message, before `init`."""
    with ScriptedModel(one_message()) as model:
        sandbox.configure_codex(model)
        yield sandbox


@pytest.fixture
def trusting(asking: Sandbox) -> Iterator[Sandbox]:
    """The newest version after `init`, with our hooks trusted."""
    with ScriptedModel(one_message()) as model:
        asking.configure_codex(model)
        asking.must_run("init", "--no-interactive", "--local", "--trust")
        yield asking


def examine(sandbox: Sandbox, *options: str) -> tuple[int, list[str], dict[str, dict[str, str]]]:
    """The exit code, the names of the problems, and the checks by name."""
    found: dict[str, Any] = sandbox.json("doctor", *options)
    problems = [check["name"] for check in found["checks"] if check["verdict"] == "problem"]
    return found["exit_code"], problems, {check["name"]: check for check in found["checks"]}


def test_traces_flow_after_init_and_the_doctor_knows(ready: Sandbox) -> None:
    """It reports no problem before the first turn, and the traced session after it."""
    ready.must_run("init", "--no-interactive", "--local", "--trust")
    code, problems, checks = examine(ready)
    assert (code, problems) == (0, [])
    assert [name for name, check in checks.items() if check["verdict"] == "warning"] == []
    ready.codex_exec("Say something.")
    wait_for(lambda: ready.json("history")["traces"], "the trace")
    ready.wait_until_idle()
    code, problems, checks = examine(ready)
    assert (code, problems) == (0, [])
    assert checks["sessions"]["verdict"] == "ok"
    assert checks["sessions"]["evidence"].startswith("1 session since ")


def test_a_turn_without_hooks_is_found(asking: Sandbox) -> None:
    """Codex skips untrusted hooks silently: doctor reports them before the turn, and the untraced session after it."""
    with ScriptedModel(one_message()) as model:
        asking.configure_codex(model)
        asking.must_run("init", "--no-interactive", "--local", "--no-trust")
        code, problems, checks = examine(asking)
        assert (code, problems) == (1, ["hooks trusted"])
        assert "Stop (untrusted)" in checks["hooks trusted"]["evidence"]
        asking.codex_exec("Say something.")
        asking.wait_until_idle()
        checks = examine(asking)[2]
        assert checks["sessions"]["verdict"] == "warning"
        assert str(asking.transcripts()[0]) in checks["sessions"]["evidence"]
        asking.must_run("init", "--no-interactive", "--local", "--trust")
        assert examine(asking)[:2] == (0, [])


@pytest.mark.parametrize("said", ['trust_level = "untrusted"', ""])
def test_an_untrusted_project_is_named(trusting: Sandbox, said: str) -> None:
    config = trusting.config_toml.read_text()
    trusting.config_toml.write_text(config.replace('trust_level = "trusted"', said))
    code, problems, checks = examine(trusting)
    assert (code, problems) == (1, ["project trusted"])
    assert f"Codex does not trust {trusting.project}" in checks["project trusted"]["evidence"]


def test_hooks_turned_off_are_named(trusting: Sandbox) -> None:
    config = trusting.config_toml.read_text()
    trusting.config_toml.write_text(config.replace("[features]\n", "[features]\nhooks = false\n"))
    code, problems, checks = examine(trusting)
    assert (code, problems) == (1, ["hooks feature"])
    assert str(trusting.config_toml) in checks["hooks feature"]["evidence"]


def test_a_configuration_codex_cannot_read_is_named(trusting: Sandbox) -> None:
    trusting.config_toml.write_text(trusting.config_toml.read_text() + "\n[broken")
    code, problems, checks = examine(trusting)
    assert (code, problems) == (1, ["codex answers"])
    assert f"{trusting.config_toml}:" in checks["codex answers"]["evidence"]


def test_what_the_old_connector_wrote_is_named_and_mended(trusting: Sandbox) -> None:
    """Its events at the top level make Codex drop our hooks too. `--fix` trusts no hook, and none lost its trust."""
    path = trusting.hooks
    path.write_text(json.dumps(OLD_HOOKS | json.loads(path.read_text("utf-8"))), "utf-8")
    code, problems, checks = examine(trusting)
    assert (code, problems) == (1, ["hooks file"])
    assert "has Stop at the top level" in checks["hooks file"]["evidence"]
    assert "unknown field `Stop`" in checks["codex warnings"]["evidence"]
    assert checks["hooks listed"]["evidence"] == "See 'hooks file'."
    assert examine(trusting, "--fix")[:2] == (0, [])


def test_a_disabled_hook_is_named(trusting: Sandbox) -> None:
    config = trusting.config_toml.read_text()
    entry = re.search(r'\[hooks\.state\."[^"]*:stop:0:0"\]\n', config)
    assert entry is not None
    trusting.config_toml.write_text(config.replace(entry[0], f"{entry[0]}enabled = false\n"))
    code, problems, checks = examine(trusting)
    assert (code, problems) == (1, ["hooks enabled"])
    assert checks["hooks enabled"]["evidence"] == "Disabled in Codex: Stop."


def test_ours_for_the_user_as_well_are_named(trusting: Sandbox) -> None:
    users = trusting.codex_home / "hooks.json"
    users.write_text(trusting.hooks.read_text("utf-8"), "utf-8")
    code, problems, checks = examine(trusting)
    assert (code, problems) == (0, [])
    assert checks["duplicates"]["verdict"] == "warning"
    assert checks["duplicates"]["fix"].startswith(f"Remove the infinium-codex hooks from {users}")


def test_the_daemon_of_the_terminal_ui_is_found(trusting: Sandbox) -> None:
    """A variable that is set after the daemon started does not reach the daemon's hooks."""
    if not is_since(trusting, DAEMON_SINCE):
        pytest.skip(f"Codex {trusting.version} has no daemon")
    codex = find_codex(trusting.environ)
    assert codex is not None
    with AppServer(codex, trusting.project, trusting.environ):
        assert "Not running" in examine(trusting)[2]["daemon"]["evidence"]  # an app-server of somebody's is no daemon
    try:
        trusting.execute(["codex", "app-server", "daemon", "start"])
        wait_for(lambda: "process" in examine(trusting)[2]["daemon"]["evidence"], "the daemon")
        assert examine(trusting)[2]["daemon"]["verdict"] == "ok"
        trusting.environ["CONNECTOR_MAX_OUTPUT_PREVIEW"] = "4711"
        check = examine(trusting)[2]["daemon"]
        assert check["verdict"] == "warning"
        assert "CONNECTOR_MAX_OUTPUT_PREVIEW (set only in this shell)" in check["evidence"]
        assert "4711" not in check["evidence"]
    finally:
        trusting.execute(["codex", "app-server", "daemon", "stop"], check=False)
        end_processes(trusting.root, "app-server")  # the daemon's updater outlives its stop
