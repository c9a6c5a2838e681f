"""A process started as the hook starts the worker: what a background process gets at is seen from one."""

import os
import select
import signal
import time
from contextlib import suppress

from msgspec import Struct

from infinium_codex.doctor.checks import Check, ok, problem
from infinium_codex.doctor.situation import Situation
from infinium_codex.support.json_fields import parse_object, text

DEADLINE_SECONDS = 10.0
"""Its look-up of the secret ends by itself after 3 s."""


class Report(Struct, frozen=True, kw_only=True):
    """What the detached process told."""

    failed: str = ""
    """Why there is no report."""
    python: str = ""
    """The environment it runs in."""
    secret_source: str = ""
    """Where it found the secret; empty when it found none."""
    reason: str = ""
    hint: str = ""


def ask_detached(s: Situation) -> Report:
    """Start it in a session of its own, with nothing of ours but one pipe, and read what it says."""
    python = str(s.hook_places.data / "venv" / "bin" / "python")
    arguments = [python, "-I", "-m", "infinium_codex.doctor.probe", str(s.cwd)]
    ours, theirs = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, theirs, 1),
        (os.POSIX_SPAWN_DUP2, theirs, 2),
    ]
    try:
        pid = os.posix_spawn(python, arguments, dict(s.environ), file_actions=actions, setsid=True)
    except OSError as error:
        os.close(ours)
        return Report(failed=f"{python}: {error.strerror}")
    finally:
        os.close(theirs)
    said = _read(ours)
    os.close(ours)
    if said is None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if said is None:
        return Report(failed=f"{python} did not report within {DEADLINE_SECONDS:.0f} s")
    last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
    told = parse_object(last)
    if told is None:
        return Report(failed=f"{python} ended without a report: {last or 'it said nothing'}")
    return Report(
        python=text(told, "python") or "",
        secret_source=text(told, "source") or "",
        reason=text(told, "reason") or "",
        hint=text(told, "hint") or "",
    )


def worker(report: Report) -> Check:
    """Whether the worker's interpreter starts, detached, with the connector in it."""
    if report.failed:
        return problem("worker", report.failed, "infinium-codex doctor --fix; if that does not help, install it again.")
    return ok("worker", f"a detached process ran in {report.python}")


def _read(fd: int) -> bytes | None:
    """All that is written before the other end is closed; None when that takes too long."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    said = b""
    while select.select([fd], [], [], max(deadline - time.monotonic(), 0.0))[0]:
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            return said
        said += chunk
    return None
