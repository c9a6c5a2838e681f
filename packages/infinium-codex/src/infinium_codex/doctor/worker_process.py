"""Starts a process as the hook starts the worker, to see what a background process can read."""

import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from infinium_codex.support.json_fields import parse_object, text
from infinium_codex.support.paths import Places
from infinium_codex.support.spawn import module_command

_PROBE = "infinium_codex.doctor.worker_probe"
TIMEOUT_SECONDS = 30.0 if sys.platform == "win32" else 10.0
"""The probe's own look-up of the secret times out after 3 s."""


class WorkerReport(Struct, frozen=True, kw_only=True):
    """The report of `worker_probe`."""

    error: str = ""
    """Why there is no report."""
    python: str = ""
    """The environment the process ran in."""
    secret_source: str = ""
    """Where it found the secret; empty when it found none."""
    reason: str = ""
    """Why it found no secret."""
    hint: str = ""
    has_otlp: bool = False
    """Whether it can import the libraries of the extra `otlp`."""


def run_worker_probe(places: Places, environ: Mapping[str, str], cwd: Path) -> WorkerReport:
    """Run `worker_probe` as the hook runs the worker, and pass it one pipe for its output and no other descriptor."""
    command = _command(places, cwd)
    output, error = _run(command, environ)
    if error:
        return WorkerReport(error=f"{command[0]}: {error}.")
    if output is None:
        return WorkerReport(error=f"{command[0]} did not report within {TIMEOUT_SECONDS:.0f} s.")
    return _parse(output, command[0])


if sys.platform == "win32":

    def _command(_places: Places, cwd: Path) -> list[str]:
        return module_command(_PROBE, str(cwd))

    def _run(command: list[str], environ: Mapping[str, str]) -> tuple[bytes | None, str]:
        """The output, None after the timeout; and why the process could not be started."""
        import subprocess

        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                creationflags=subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, ""
        except OSError as error:
            return None, error.strerror or str(error)
        return done.stdout, ""

else:

    def _command(places: Places, cwd: Path) -> list[str]:
        return [str(places.data / "venv" / "bin" / "python"), "-I", "-m", _PROBE, str(cwd)]

    def _run(command: list[str], environ: Mapping[str, str]) -> tuple[bytes | None, str]:
        """The output, None after the timeout; and why the process could not be started."""
        ours, theirs = os.pipe()
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, theirs, 1),
            (os.POSIX_SPAWN_DUP2, theirs, 2),
        ]
        try:
            pid = os.posix_spawn(command[0], command, dict(environ), file_actions=actions, setsid=True)
        except OSError as error:
            os.close(ours)
            return None, error.strerror or str(error)
        finally:
            os.close(theirs)
        output = _read(ours)
        os.close(ours)
        if output is None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return output, ""


def _parse(output: bytes, python: str) -> WorkerReport:
    """The report is the last line; errors of the interpreter may stand before it."""
    last_line = output.decode("utf-8", "replace").strip().rpartition("\n")[2]
    report = parse_object(last_line)
    if report is None:
        return WorkerReport(error=f"{python} ended without a report: {last_line or 'no output'}")
    return WorkerReport(
        python=text(report, "python") or "",
        secret_source=text(report, "source") or "",
        reason=text(report, "reason") or "",
        hint=text(report, "hint") or "",
        has_otlp=bool(text(report, "otlp")),
    )


def _read(fd: int) -> bytes | None:
    """Read until the other end is closed; None after the timeout."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    output = b""
    while select.select([fd], [], [], max(deadline - time.monotonic(), 0.0))[0]:
        chunk = os.read(fd, 1 << 16)
        if not chunk:
            return output
        output += chunk
    return None
