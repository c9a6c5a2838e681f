"""The real Codex runs the hooks of tool events: the shell records them, without an interpreter."""

import pytest
from infinium_codex.demo.scripted_model import Reply, Say, ScriptedModel, Shell, Usage
from sandbox import Sandbox

pytestmark = pytest.mark.codex
USAGE = Usage(input_tokens=100, output_tokens=5)


def test_tool_events_start_no_program(sandbox: Sandbox) -> None:
    """In a subdirectory too. Without a transcript the trace has nothing but the hooks' events."""
    below = sandbox.project / "src"
    below.mkdir()
    script = [Reply([step], USAGE) for step in (Shell("echo one"), Shell("echo two"), Say("done"))]
    with ScriptedModel(script) as model:
        sandbox.configure_codex(model)
        sandbox.must_run("init", "--no-interactive", "--local", "--trust")
        python, log = sandbox.data / "python", sandbox.root / "programs"
        counted = sandbox.root / "counted"
        counted.write_text(f'#!/bin/sh\necho "$4" >>"{log}"\nexec "{python.readlink()}" "$@"\n')
        counted.chmod(0o755)
        python.unlink()
        python.symlink_to(counted)
        sandbox.settle_config()
        command = ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "--ephemeral", "go"]
        sandbox.execute(command, cwd=below)
    [trace] = sandbox.wait_for_traces(1)
    started = log.read_text().split()
    assert "Stop" in started
    assert "PreToolUse" not in started
    assert "PostToolUse" not in started
    calls = [step for step in trace["steps"] if step["action"] == "tool_call"]
    assert [call["output_preview"].split() for call in calls] == [["one"], ["two"]]
    assert sandbox.errors() == []
