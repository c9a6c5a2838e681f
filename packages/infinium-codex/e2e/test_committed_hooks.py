"""A committed hooks.json: every user trusts the same definition, and a user without the connector notices nothing."""

from pathlib import Path

import pytest
from infinium_codex.codex.app_server import AppServer
from infinium_codex.codex.program import find_codex
from infinium_codex.demo.scripted_model import ScriptedModel
from sandbox import Sandbox, sandbox_with
from scenarios import one_message

pytestmark = pytest.mark.codex

LONG_PROMPT = "x" * 300_000
"""More than a pipe holds: Codex notices if nobody reads it and it minds."""


def hashes(sandbox: Sandbox) -> dict[str, str]:
    codex = find_codex(sandbox.environ)
    assert codex is not None
    with AppServer(codex, sandbox.project, sandbox.environ) as server:
        return {hook.event: hook.current_hash for hook in server.list_hooks(sandbox.project).hooks}


@pytest.mark.parametrize("version", ["0.129.0", "0.169.0"])
def test_two_users_trust_the_same_definition(tmp_path: Path, version: str) -> None:
    users = [sandbox_with(version, tmp_path / name) for name in ("one", "other user")]
    with ScriptedModel([]) as model:
        for user in users:
            user.configure_codex(model)
            user.must_run("init", "--local", "--no-interactive", "--trust")
    one, other = map(hashes, users)
    assert len(one) >= 5
    assert one == other


def test_a_user_without_the_connector_notices_nothing(sandbox: Sandbox) -> None:
    """The turn is the same with and without the committed hooks, also with an event that no hook reads."""
    with ScriptedModel([reply for _ in range(2) for reply in one_message()]) as model:
        sandbox.configure_codex(model)
        command = ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "-"]
        before = sandbox.execute(command, stdin=LONG_PROMPT)
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        sandbox.data.rename(sandbox.data.with_name("elsewhere"))
        after = sandbox.execute(command, stdin=LONG_PROMPT)
    assert after.stdout == before.stdout
    about_hooks = [line.lower() for line in after.stderr.splitlines() if "hook" in line.lower()]
    assert not [line for line in about_hooks if any(word in line for word in ("fail", "error", "warn", "timed out"))]
    assert not sandbox.spools
