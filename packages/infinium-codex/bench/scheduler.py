"""The costs of an idle scheduler."""

import time
from collections.abc import Iterator
from pathlib import Path

from machine import Machine, end_background
from sessions import SESSION
from table import Row

SECONDS = 20


def idle_scheduler(ours: Machine) -> Iterator[Row]:
    """Memory and wake-ups of the scheduler while a turn is open."""
    end_background(ours.root)  # schedulers of earlier groups would run beside it
    ours.hook({"session_id": SESSION, "turn_id": "t", "hook_event_name": "UserPromptSubmit", "cwd": str(ours.project)})
    time.sleep(2)
    schedulers = ours.schedulers
    if len(schedulers) != 1:
        raise RuntimeError(f"{len(schedulers)} schedulers run")
    before = _status(schedulers[0])
    time.sleep(SECONDS)
    after = _status(schedulers[0])
    yield Row.figure("idle scheduler, memory", after["VmRSS"] / 1024, 15, "MiB")
    woken = sum(after[name] - before[name] for name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))
    yield Row.figure(f"idle scheduler, wake-ups in {SECONDS} s", woken, 0, "")


def _status(pid: int) -> dict[str, int]:
    lines = (line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    words = {name: value.split() for name, value in lines}
    return {name: int(found[0]) for name, found in words.items() if found and found[0].isdecimal()}
