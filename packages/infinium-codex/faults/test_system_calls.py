"""Each system call that changes something kills its caller, or fails."""

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
"""The calls with an effect outside of the process. A kill at any other call equals one after the last of these."""
pytestmark = pytest.mark.faults


def test_hook_killed_at_every_system_call(lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell) -> None:
    """At any call, the start of the interpreter included: the events written before stay readable."""
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
    """Codex notices no failing call, neither in the compiled hook nor in the source that replaces it."""
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
            lab.commands["Stop"] = before.replace('"$h/python"', f'{prefix} "$h/python"')
            size = lab.spool("s-1").stat().st_size
            lab.call("Stop", "s-1", turn)
            lab.commands["Stop"] = before
            lab.expect("s-1", turn, surely=lab.spool("s-1").stat().st_size > size + 200)
        lab.turn("s-1", "t-last")
    tell(lab.account(f"{error} in the hook, at each system call", len(calls)))


def test_hook_overtaken_by_the_removal_of_its_spool(
    lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell
) -> None:
    """The worker removes the spool between the hook's open and its write."""
    count = times(2, 20)
    log = tmp_path / "calls"
    lab.timed([strace, "-o", str(log), "-e", "trace=write", *lab.command("Stop")], lab.event("Stop", "s-1", "t-0"))
    lab.expect("s-1", "t-0")
    which = len(log.read_text("utf-8", "replace").splitlines()) - 1  # the last line reports the exit
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


def test_worker_killed_while_it_moves_tool_events(
    lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell
) -> None:
    """At each system call: every trace has each of its tool calls once."""
    codes = tamper_with_workers(lab, strace, "signal=KILL", tmp_path, times(16, 10_000), tools=3)
    row = lab.account("SIGKILL of a worker with tool events, at each system call", codes[-signal.SIGKILL])
    bodies = [body for _, body in lab.api.requests if b"again" not in body]
    assert bodies
    assert all(b"3 tool calls" in body for body in bodies)
    tell(row)


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_worker_whose_system_calls_fail(
    lab: Lab, strace: str, tmp_path: Path, times: Times, tell: Tell, error: str
) -> None:
    codes = tamper_with_workers(lab, strace, f"error={error}", tmp_path, times(10, 10_000))
    tell(lab.account(f"{error} in the worker, at each system call", codes.total()))


def tamper_with_workers(lab: Lab, strace: str, what: str, tmp_path: Path, most: int, *, tools: int = 0) -> Counter[int]:
    """For each system call of the worker: a session, its worker with the fault, then another turn of the session.

    The session's turn has `tools` tool calls. Returns the exit codes of the workers.
    """
    codes: Counter[int] = Counter()
    with lab.idle_hooks():
        session_with_end(lab, 0, tools)
        calls = chosen(count_calls(lab, strace, CHANGING, tmp_path, [*lab.worker_command, str(lab.spool("s-0"))]), most)
        for number, (call, which) in enumerate(calls, 1):
            session_with_end(lab, number, tools)
            codes[lab.worker(lab.spool(f"s-{number}"), *tampering(strace, call, what, which, []))] += 1
            lab.turn(f"s-{number}", f"t-{number}-again")
    end_background(lab.root)  # and the tracers with them
    return codes


def session_with_end(lab: Lab, number: int, tools: int) -> None:
    session, turn = f"s-{number}", f"t-{number}"
    lab.call("UserPromptSubmit", session, turn, prompt=f"{session} asks {turn}")
    for call in range(tools):
        lab.call("PostToolUse", session, turn, tool_name="Bash", tool_use_id=f"c-{call}", tool_response="made")
    lab.call("Stop", session, turn, last_assistant_message="done")
    lab.expect(session, turn)
    lab.call("SessionEnd", f"s-{number}", "", reason="other")


def count_calls(lab: Lab, strace: str, names: str, directory: Path, command: list[str]) -> Counter[str]:
    """Count these system calls in the thread that makes most of them: strace injects by thread."""
    log = directory / "calls"
    lab.timed([strace, "-D", "-f", "-o", str(log), "-e", f"trace={names}", *command], lab.event("Stop", "s-1", "t-0"))
    counts: dict[str, Counter[str]] = {}
    for line in log.read_text("utf-8", "replace").splitlines():
        if found := re.match(r"(\d+) +(\w+)\(", line):
            counts.setdefault(found[2], Counter())[found[1]] += 1
    return Counter({name: max(threads.values()) for name, threads in counts.items() if name != "execve"})


def chosen(counts: Counter[str], most: int) -> list[tuple[str, int]]:
    """At most `most` calls, as (name, number of the call), spread over all kinds."""
    calls = sorted(chain.from_iterable(((name, n) for n in range(1, count + 1)) for name, count in counts.items()))
    step = max(len(calls) / most, 1.0)
    return [calls[int(n * step)] for n in range(int(len(calls) / step))]


def tampering(strace: str, call: str, what: str, which: int, command: list[str]) -> list[str]:
    """A command with a fault injected into one of its system calls."""
    inject = f"inject={call}:{what}:when={which}"
    # -D: the tracer is a child of the program, so that a test does not wait for the program's own children.
    return [strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject, *command]
