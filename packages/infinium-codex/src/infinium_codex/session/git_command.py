"""Runs git in a user's checkout: with a deadline, bounded output, and without hooks, prompts, locks or network."""

import os
import signal
import sys
from pathlib import Path

_SAFE = (
    "--literal-pathspecs",
    "-c", "core.fsmonitor=false",
    "-c", f"core.hooksPath={os.devnull}",
    "-c", "core.quotePath=false",
    "-c", "protocol.allow=never",
    "-c", "gc.auto=0",
)  # fmt: skip
_ENVIRON = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


class GitError(Exception):
    """Git is missing, failed, took too long or printed too much."""


class Git:
    """Git in one checkout. All calls together may take `seconds`."""

    def __init__(self, root: Path, seconds: float) -> None:
        import time

        self._root, self._clock = root, time.monotonic
        self._deadline = self._clock() + seconds
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _ENVIRON

    def run(self, *arguments: str, stdin: Path | None = None, max_bytes: int = 4 << 20) -> bytes:
        """Return what a git command prints. Its input is the content of the file `stdin`.

        Raises GitError; then the command and its children are killed.
        """
        import subprocess
        from threading import Timer

        try:
            with Path(stdin or os.devnull).open("rb") as given:
                process = subprocess.Popen(
                    ["git", "-C", str(self._root), *_SAFE, *arguments],
                    env=self.environ,
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # the worker has no console to share
                )
        except (OSError, ValueError) as error:
            raise GitError(f"git could not be started: {error}") from error
        timer = Timer(max(self._deadline - self._clock(), 0.0), _kill, (process.pid,))
        timer.daemon = True
        timer.start()
        try:
            with process:
                assert process.stdout is not None
                output = process.stdout.read(max_bytes + 1)
                if len(output) > max_bytes:
                    _kill(process.pid)
        finally:
            timer.cancel()
        if process.returncode != 0:
            raise GitError(f"git {arguments[0]} ended with status {process.returncode}")
        return output


def _kill(pid: int) -> None:
    """Kill a process that leads a group, with its group."""
    try:
        if sys.platform == "win32":
            os.kill(pid, signal.SIGTERM)
        else:
            os.killpg(pid, signal.SIGKILL)
    except OSError:
        return  # it has ended
