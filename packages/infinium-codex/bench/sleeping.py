"""What the timer costs while it has nothing to do."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from connectors import Installation
from sessions import SESSION
from table import Row

SECONDS = 20


def sleeping_timer(ours: Installation) -> Iterator[Row]:
    """Its memory, and how often it wakes up, behind a turn that goes on."""
    end_timers(ours)  # those of sessions whose state was removed would sleep on beside it
    prompt = {"session_id": SESSION, "turn_id": "t", "hook_event_name": "UserPromptSubmit", "cwd": str(ours.project)}
    command = ours.commands()["UserPromptSubmit"]
    data = json.dumps(prompt).encode()
    subprocess.run(["sh", "-c", command], cwd=ours.project, env=ours.environ, input=data, check=True)
    time.sleep(2)
    timers = _timers(ours)
    if len(timers) != 1:
        raise RuntimeError(f"{len(timers)} timers run")
    before = _status(timers[0])
    time.sleep(SECONDS)
    after = _status(timers[0])
    yield Row.figure("idle timer, memory", after["VmRSS"] / 1024, 15, "MiB")
    woken = sum(after[name] - before[name] for name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))
    yield Row.figure(f"idle timer, wake-ups in {SECONDS} s", woken, 0, "")


def end_timers(ours: Installation) -> None:
    """End what the measured hooks have started: they would wait for sessions that are gone."""
    for directory in _timers(ours):
        os.kill(int(directory.name), signal.SIGTERM)


def _timers(ours: Installation) -> list[Path]:
    return [directory for directory in Path("/proc").iterdir() if _is_timer(directory, ours)]


def _is_timer(directory: Path, ours: Installation) -> bool:
    try:
        command = (directory / "cmdline").read_bytes()
    except OSError:
        return False
    return b"infinium_codex.background.scheduler" in command and os.fsencode(ours.home) in command


def _status(directory: Path) -> dict[str, int]:
    lines = (line.split(":", 1) for line in (directory / "status").read_text().splitlines())
    words = {name: value.split() for name, value in lines}
    return {name: int(found[0]) for name, found in words.items() if found and found[0].isdecimal()}
