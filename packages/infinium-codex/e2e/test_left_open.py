"""The real Codex is killed in the middle of a turn and never runs again."""

import os
import signal
import subprocess

import pytest
from infinium_codex.demo.scripted_model import Reply, ScriptedModel, Shell, Usage
from machine import wait_for
from sandbox import Sandbox

pytestmark = pytest.mark.codex

STALE = {"CONNECTOR_SESSION_TTL": "3"}
"""Shorter than the command runs."""


def test_a_killed_codex_leaves_an_interrupted_turn(sandbox: Sandbox) -> None:
    """No hook reports the end of the turn, and the trace arrives nevertheless."""
    long_command = Reply([Shell("sleep 60")], Usage(input_tokens=500, output_tokens=5))
    with ScriptedModel([long_command]) as model:
        sandbox.configure_codex(model)
        sandbox.must_run("init", "--no-interactive", "--local", "--trust")
        codex = subprocess.Popen(
            ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "Wait for it."],
            cwd=sandbox.project,
            env={**sandbox.environ, **STALE},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(lambda: any(b"PreToolUse" in spool.read_bytes() for spool in sandbox.spools), "the command")
        finally:
            os.killpg(codex.pid, signal.SIGKILL)
            codex.wait()
        [trace] = wait_for(lambda: sandbox.json("history")["traces"], "the trace")
        sandbox.wait_until_idle()
    [shown] = sandbox.json("show", trace["key"])["traces"]
    assert shown["input_summary"] == "Wait for it."
    assert shown["environment"]["custom_tags"]["status"] == "interrupted"
    assert sandbox.spools == []
