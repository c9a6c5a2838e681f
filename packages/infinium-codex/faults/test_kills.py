"""Hooks and workers are killed at random instants."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from lab import Lab, Row, turn_of

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]


def test_hooks_killed_at_random_instants(lab: Lab, times: Times, tell: Tell) -> None:
    """Every turn arrives whose Stop hook was not killed."""
    chance = random.Random(4711)
    wanted, killed, number = times(20, 300), 0, 0
    while killed < wanted:
        number += 1
        session, turn = f"s-{number % 3}", f"t-{number}"
        victim = chance.choice(("UserPromptSubmit", "PostToolUse", "Stop"))
        promised = True
        for name in ("UserPromptSubmit", "PostToolUse", "Stop"):
            fields: dict[str, Any] = {"prompt": "x", "tool_name": "Bash", "tool_response": "x" * 70_000}
            if name == victim:
                died = kill(lab, lab.event(name, session, turn, **fields), name, chance.uniform(0, 0.03))
                promised = name != "Stop" or not died
                killed += died
            else:
                lab.call(name, session, turn, **fields)
        lab.expect(session, turn, surely=promised)
    tell(lab.account("SIGKILL of the hook, random instant", killed))


def test_writers_of_tool_events_killed_at_random_instants(lab: Lab, times: Times, tell: Tell) -> None:
    """The shell and its `cat` are killed. Every turn arrives, with the events whose writer was not killed."""
    chance = random.Random(4713)
    wanted, killed, number = times(20, 300), 0, 0
    calls: dict[str, int] = {}
    while killed < wanted:
        number += 1
        session, turn = f"s-{number % 3}", f"t-{number}"
        lab.call("UserPromptSubmit", session, turn, prompt="x")
        whole = 0
        for call in range(4):
            fields = {"tool_name": "Bash", "tool_use_id": f"{turn}-{call}", "tool_response": "x" * 70_000}
            died = kill(lab, lab.event("PostToolUse", session, turn, **fields), "PostToolUse", chance.uniform(0, 0.01))
            killed += died
            whole += not died
        lab.call("Stop", session, turn, last_assistant_message="done")
        lab.expect(session, turn)
        calls[turn] = whole
    row = lab.account("SIGKILL of a tool event's writer, random instant", killed)
    found = {turn_of(body): len(json.loads(body)["steps"]) for _, body in lab.api.requests}
    assert all(found[turn] >= whole for turn, whole in calls.items())
    tell(row)


def test_workers_killed_at_random_instants(lab: Lab, times: Times, tell: Tell) -> None:
    chance = random.Random(4712)
    wanted, killed, number = times(20, 300), 0, 0
    while killed < wanted:
        number += 1
        session = f"s-{number // 4}"
        with lab.idle_hooks():
            lab.turn(session, f"t-{number}")
            if number % 4 == 3:
                lab.call("SessionEnd", session, "", reason="other")
        command = [*lab.worker_command, str(lab.spool(session))]
        with subprocess.Popen(command, env=lab.environ) as process:
            time.sleep(chance.uniform(0.01, 0.3))
            process.kill()
        killed += process.returncode == -signal.SIGKILL
    tell(lab.account("SIGKILL of the worker, random instant", killed))


def kill(lab: Lab, payload: bytes, name: str, after: float) -> bool:
    """Run a hook and kill it after `after` seconds; False if it had ended by then."""
    with subprocess.Popen(
        lab.command(name), stdin=subprocess.PIPE, cwd=lab.project, env=lab.environ, start_new_session=True
    ) as process:
        assert process.stdin
        time.sleep(after / 2)
        try:
            process.stdin.write(payload)
            process.stdin.close()
        except BrokenPipeError:
            pass
        time.sleep(after / 2)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode == -signal.SIGKILL
