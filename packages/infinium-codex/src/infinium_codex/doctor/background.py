"""Check of the background processes that run now: whether the scheduler, a worker or maintenance is stuck."""

import sys
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from infinium_codex.capture.install import LAUNCHER
from infinium_codex.doctor.checks import Check, ok, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.session.files import SessionFiles
from infinium_codex.support.paths import Places
from infinium_codex.support.processes import Process, is_stopped, own_processes, started_at

MAX_RUN_SECONDS = 3600.0
"""A worker or maintenance that runs longer is reported. The scheduler runs as long as something is scheduled."""


class _Running(Struct, frozen=True, kw_only=True):
    """A background process of the connector."""

    pid: int
    name: str
    waiting: str
    """What waits while it is stuck."""
    may_run_long: bool = False


def background(context: CheckContext) -> Check:
    """Check that no background process is stopped, as by Ctrl-Z, a debugger or SIGSTOP, or runs for too long."""
    name = "background"
    running = [found for process in own_processes() if (found := _recognize(process, context.places))]
    stuck = [(process, reason) for process in running if (reason := _stuck(process, context.now))]
    if not stuck:
        return ok(name, f"Running: {', '.join(p.name.lower() for p in running)}." if running else "None runs now.")
    evidence = " ".join(f"{p.name} (process {p.pid}) {reason}: {p.waiting} wait for it." for p, reason in stuck)
    return warning(name, evidence, _fix([process.pid for process, _ in stuck]))


def _recognize(process: Process, places: Places) -> _Running | None:
    """The connector's process with this command line; None for another program."""
    arguments = process.arguments
    launcher = str(places.data / LAUNCHER)
    if launcher in arguments:
        session = next((SessionFiles(Path(text)).session_id for text in _after(arguments, launcher)), "unknown")
        return _Running(pid=process.pid, name=f"The worker of session {session}", waiting="the session's turns")
    if str(places.schedule) not in arguments:
        return None
    if any("background.scheduler" in argument for argument in arguments):
        waiting = "delayed traces, summaries, and turns of a Codex that was killed,"
        return _Running(pid=process.pid, name="The scheduler", waiting=waiting, may_run_long=True)
    return _Running(pid=process.pid, name="Maintenance", waiting="the sessions and traces that were due")


def _after(arguments: tuple[str, ...], argument: str) -> Iterator[str]:
    yield from arguments[arguments.index(argument) + 1 :][:1]


def _stuck(process: _Running, now: float) -> str:
    """Why the process makes no progress; empty if it does."""
    if is_stopped(process.pid):
        return "is stopped"
    started = started_at(process.pid)
    if process.may_run_long or started is None or now - started <= MAX_RUN_SECONDS:
        return ""
    return f"has been running for {(now - started) / 60:,.0f} minutes"


def _fix(pids: list[int]) -> str:
    if sys.platform == "win32":
        end = "taskkill /F " + " ".join(f"/PID {pid}" for pid in pids)
        return f"End it: {end}. Nothing is lost; 'infinium-codex flush' then does its work."
    numbers = " ".join(map(str, pids))
    return (
        f"Let it continue: kill -CONT {numbers}. Or end it: kill -9 {numbers}. Nothing is lost; "
        "'infinium-codex flush' then does its work."
    )
