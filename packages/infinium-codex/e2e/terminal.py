"""A real terminal: a program under tmux, typed to and looked at."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from sandbox import wait_for


class Terminal:
    """A shell in `cwd` with a screen of its own; ended with the `with` block."""

    def __init__(self, cwd: Path, environ: Mapping[str, str]) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not on PATH, and the wizard is run in a real terminal")
        self._sockets = tempfile.TemporaryDirectory()  # a socket's path must be short
        self._cwd = cwd
        # tmux gives its server's environment to what it starts.
        self._environ = {**environ, "PS1": "$ ", "TERM": "screen"}

    def __enter__(self) -> Self:
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "300", "-y", "100", "-c", str(self._cwd), "sh", "-i")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server")
        self._sockets.cleanup()

    @property
    def screen(self) -> str:
        """What stands on the screen, lines that were wrapped joined."""
        return self._tmux("capture-pane", "-p", "-J").rstrip()

    def see(self, text: str) -> None:
        """Wait until the screen ends with this."""
        wait_for(lambda: self.screen.endswith(text.rstrip()), f"{text!r} at the end of the screen")

    def type(self, text: str) -> None:
        """Type a line."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press one key, by tmux's name of it."""
        self._tmux("send-keys", key)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(Path(self._sockets.name) / "tmux"), *arguments]
        done = subprocess.run(command, env=self._environ, capture_output=True, text=True, check=True)
        return done.stdout
