"""Hooks and workers are killed at random instants."""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from lab import Lab, Row

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
    with subprocess.Popen(lab.command(name), stdin=subprocess.PIPE, cwd=lab.project, env=lab.environ) as process:
        assert process.stdin
        time.sleep(after / 2)
        try:
            process.stdin.write(payload)
            process.stdin.close()
        except BrokenPipeError:
            pass
        time.sleep(after / 2)
        process.kill()
    return process.returncode == -signal.SIGKILL
