"""Every system call that changes something, made to kill its caller or to fail."""

import re
import shlex
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from lab import Lab, Row
from machine import end_background

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]

CHANGING = (
    "write,fsync,rename,link,unlink,mkdir,utimensat,flock,ftruncate,chmod,fchmod,"
    "socket,connect,sendto,recvfrom,shutdown,symlink,clone3,vfork"
)
"""What leaves a trace outside of the process. A kill at any other call is one after the last of these."""
pytestmark = pytest.mark.faults


def test_hook_killed_at_every_system_call(lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell) -> None:
    """All of them: the interpreter's start, too. What was written before it stays readable."""
    with lab.idle_hooks():
        lab.turn("s-1", "t-0")
        calls = chosen(count_calls(lab, strace, "all", tmp_path, lab.command("Stop")), times(12, 10_000))
        for number, (call, which) in enumerate(calls, 1):
            turn = f"t-{number}"
            lab.call("UserPromptSubmit", "s-1", turn, prompt="x")
            lab.timed(
                tampering(strace, call, "signal=KILL", which, lab.command("Stop")), lab.event("Stop", "s-1", turn)
            )
            lab.expect("s-1", turn, surely=False)
        lab.turn("s-1", "t-last")
    tell(lab.account("SIGKILL of the hook, at each system call", len(calls)))


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_hook_whose_system_calls_fail(
    lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell, error: str
) -> None:
    """Codex notices nothing, whichever call fails: of the compiled hook, and of the source behind it."""
    names = "open,openat,read,write,mkdir,lstat,fstat,close,getcwd,vfork,clone,getdents64,fcntl,ioctl"
    with lab.idle_hooks():
        before = lab.commands["Stop"]
        lab.turn("s-1", "t-0")
        counted = count_calls(lab, strace, names, tmp_path, lab.command("Stop"))
        calls = chosen(counted, times(8, 10_000))
        for number, (call, which) in enumerate(calls, 1):
            turn = f"t-{number}"
            prefix = shlex.join(tampering(strace, call, f"error={error}", which, []))
            lab.call("UserPromptSubmit", "s-1", turn, prompt="x")
            lab.commands["Stop"] = before.replace("{ ", f"{{ {prefix} ").replace(" || ", f" || {prefix} ", 1)
            size = lab.spool("s-1").stat().st_size
            lab.call("Stop", "s-1", turn)
            lab.commands["Stop"] = before
            lab.expect("s-1", turn, surely=lab.spool("s-1").stat().st_size > size + 200)
        lab.turn("s-1", "t-last")
    tell(lab.account(f"{error} in the hook, at each system call", len(calls)))


def test_hook_overtaken_by_the_removal_of_its_spool(
    lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell
) -> None:
    """It has opened the spool and not written yet, when the worker takes the spool's name away."""
    count = times(2, 20)
    log = tmp_path / "calls"
    lab.timed([strace, "-o", str(log), "-e", "trace=write", *lab.command("Stop")], lab.event("Stop", "s-1", "t-0"))
    lab.expect("s-1", "t-0")
    which = len(log.read_text("utf-8", "replace").splitlines()) - 1  # the last line tells of the end
    lab.wait_until_idle()
    for number in range(count):
        lab.call("UserPromptSubmit", "s-1", f"t-{number + 1}")
        lab.wait_until_idle()
        command = tampering(strace, "write", "delay_enter=400000", which, lab.command("Stop"))
        with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=lab.project, env=lab.environ) as process:
            assert process.stdin
            process.stdin.write(lab.event("Stop", "s-1", f"t-{number + 1}"))
            process.stdin.close()
            time.sleep(0.2)
            spool = lab.spool("s-1")
            closed = spool.with_suffix(".closed")
            spool.rename(closed)
        lab.expect("s-1", f"t-{number + 1}")
        assert spool.stat().st_size, "the hook has not noticed"
    tell(lab.account("the spool removed under a hook", count))


def test_worker_killed_at_every_system_call(lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell) -> None:
    codes = tamper_with_workers(lab, strace, "signal=KILL", tmp_path, times(16, 10_000))
    tell(lab.account("SIGKILL of the worker, at each system call", codes[-signal.SIGKILL]))


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_worker_whose_system_calls_fail(
    lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell, error: str
) -> None:
    codes = tamper_with_workers(lab, strace, f"error={error}", tmp_path, times(10, 10_000))
    tell(lab.account(f"{error} in the worker, at each system call", codes.total()))


def tamper_with_workers(lab: Lab, strace: str, what: str, tmp_path: Path, most: int) -> Counter[int]:
    """A turn and the session's end for every call, the worker's run tampered with; then the user comes back.

    Gives how the workers ended.
    """
    codes: Counter[int] = Counter()
    with lab.idle_hooks():
        session_with_end(lab, 0)
        calls = chosen(count_calls(lab, strace, CHANGING, tmp_path, [*lab.worker_command, str(lab.spool("s-0"))]), most)
        for number, (call, which) in enumerate(calls, 1):
            session_with_end(lab, number)
            codes[lab.worker(lab.spool(f"s-{number}"), *tampering(strace, call, what, which, []))] += 1
            lab.turn(f"s-{number}", f"t-{number}-again")
    end_background(lab.root)  # and with it the tracers
    return codes


def session_with_end(lab: Lab, number: int) -> None:
    lab.turn(f"s-{number}", f"t-{number}")
    lab.call("SessionEnd", f"s-{number}", "", reason="other")


def count_calls(lab: Lab, strace: str, names: str, directory: Path, command: list[str]) -> Counter[str]:
    """How often each of these system calls is made by the program's busiest thread: strace counts by thread."""
    log = directory / "calls"
    lab.timed([strace, "-D", "-f", "-o", str(log), "-e", f"trace={names}", *command], lab.event("Stop", "s-1", "t-0"))
    counts: dict[str, Counter[str]] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if found := re.match(r"(\d+) +(\w+)\(", line):
            counts.setdefault(found[2], Counter())[found[1]] += 1
    return Counter({name: max(threads.values()) for name, threads in counts.items() if name != "execve"})


def chosen(counts: Counter[str], most: int) -> list[tuple[str, int]]:
    """Every call once, as (name, which one); when that is too many, some of all kinds."""
    calls = sorted(chain.from_iterable(((name, n) for n in range(1, count + 1)) for name, count in counts.items()))
    step = max(len(calls) / most, 1.0)
    return [calls[int(n * step)] for n in range(int(len(calls) / step))]


def tampering(strace: str, call: str, what: str, which: int, command: list[str]) -> list[str]:
    """A command, with one of its system calls tampered with."""
    inject = f"inject={call}:{what}:when={which}"
    # -D: the tracer steps aside, so that nobody waits for what the program leaves behind.
    return [strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, *command]
