"""Managed hooks: the real Codex reads the requirements that `managed-config` prints.

Codex reads /etc/codex/requirements.toml; here it sees an /etc of its own. Not tried: requirements from the cloud or
from a macOS profile, and Windows.
"""

import json
import sys
import tomllib
from pathlib import Path

import pytest
from infinium_codex.capture.hook_command import COMPILED, SCRIPT, SOURCE
from infinium_codex.capture.install import LAUNCHER
from infinium_codex.capture.launcher_windows import windows_command
from infinium_codex.demo.scripted_model import ScriptedModel
from private_mounts import with_requirements
from sandbox import Sandbox, sandbox_with
from scenarios import one_message

pytestmark = pytest.mark.codex


ASKED = ("0.140.0", "0.169.0")
"""Versions whose app-server lists hooks."""


@pytest.fixture(params=["0.124.0", *ASKED])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return sandbox_with(request.param, tmp_path)


def roll_out(sandbox: Sandbox, *options: str) -> tuple[str, ...]:
    """Do the administrator's part; returns the command prefix of a machine with these requirements."""
    directory = sandbox.root / "opt" / "infinium-codex"
    printed = sandbox.must_run("managed-config", "--prepare", "--directory", str(directory), *options)
    assert tomllib.loads(printed)["hooks"]["managed_dir"] == str(directory)
    modes = {path.name: oct(path.stat().st_mode) for path in directory.iterdir() if not path.is_symlink()}
    assert modes == dict.fromkeys((SOURCE, COMPILED, LAUNCHER, SCRIPT), "0o100644")
    return with_requirements(sandbox, printed)


def codex_exec(sandbox: Sandbox, prefix: tuple[str, ...]) -> None:
    sandbox.execute([*prefix, "codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "Say something."])
    sandbox.wait_until_idle()


def test_a_turn_is_traced_though_nobody_trusted_anything(sandbox: Sandbox) -> None:
    """`init` writes no hooks where managed hooks run, whatever the user's own trust and feature flag are."""
    with ScriptedModel(one_message()) as model:
        sandbox.configure_codex(model)
        config = sandbox.config_toml.read_text().replace('trust_level = "trusted"', 'trust_level = "untrusted"')
        sandbox.config_toml.write_text(config.replace("[features]\n", "[features]\nhooks = false\n"))
        prefix = roll_out(sandbox)
        if sandbox.version not in ASKED:  # cannot be asked about hooks, so init does not know
            (sandbox.project / ".infinium").mkdir()
            sandbox.config.write_text('{"base_url": "local"}')
        else:
            said = sandbox.execute([*prefix, "infinium-codex", "init", "--local", "--no-interactive"]).stdout
            assert "managed by your administrator" in said
            assert "will run: " in said
            assert not (sandbox.project / ".codex").exists()
        codex_exec(sandbox, prefix)
        [trace] = sandbox.json("history")["traces"]
    assert trace["name"] == "Say something."


@pytest.mark.parametrize("sandbox", ASKED, indirect=True)
def test_no_other_hooks(sandbox: Sandbox) -> None:
    """With `--only`, `init` removes the project's own hooks: each event would be recorded twice."""
    with ScriptedModel(one_message()) as model:
        sandbox.configure_codex(model)
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        prefix = roll_out(sandbox, "--only")
        said = sandbox.execute([*prefix, "infinium-codex", "init", "--no-interactive"]).stdout
        assert "the project's own are removed" in said
        assert not sandbox.hooks.exists()
        codex_exec(sandbox, prefix)
        assert len(sandbox.json("history")["traces"]) == 1


@pytest.mark.parametrize("sandbox", ASKED, indirect=True)
def test_what_codex_read_is_what_we_wrote(sandbox: Sandbox) -> None:
    """Codex reads the timeouts, the Windows command and `async` under the names that we print."""
    prefix = roll_out(sandbox)
    ask = (
        "import json, os; from pathlib import Path; from infinium_codex.codex.app_server import AppServer;"
        "from infinium_codex.codex.program import find_codex; codex = find_codex(os.environ); assert codex;"
        "server = AppServer(codex, Path.cwd(), os.environ).__enter__();"
        "print(json.dumps(server.ask('configRequirements/read', {})['requirements']))"
    )
    read = json.loads(sandbox.execute([*prefix, sys.executable, "-c", ask]).stdout)
    assert read["featureRequirements"] == {"hooks": True}
    [group] = read["hooks"]["PreToolUse"]
    [handler] = group["hooks"]
    assert handler["commandWindows"] == windows_command("PreToolUse")
    assert handler["timeoutSec"] == 5
    assert handler["async"] is (sandbox.version == "0.169.0")
