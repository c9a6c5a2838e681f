"""A program in a real terminal (tmux): the test types keys and reads the screen."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from machine import wait_for


class Terminal:
    """Runs a program, a shell by default, in a terminal of its own; leaving the `with` block ends it."""

    def __init__(
        self, cwd: Path, environ: Mapping[str, str], *program: str, width: int = 300, height: int = 100
    ) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux is not on PATH; it is the terminal of this test")
        self._sockets = tempfile.TemporaryDirectory()  # not below `cwd`: the path of a socket must be short
        # tmux gives its server's environment to the programs that it starts.
        self._environ = {**environ, "PS1": "$ ", "TERM": "screen"}
        size = ("-x", str(width), "-y", str(height))
        self._start = ("new-session", "-d", *size, "-c", str(cwd), *(program or ("sh", "-i")))

    def __enter__(self) -> Self:
        self._tmux("-f", "/dev/null", *self._start)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tmux("kill-server", check=False)  # the program may have ended already, and tmux with it
        self._sockets.cleanup()

    @property
    def screen(self) -> str:
        """The text on the screen, with wrapped lines joined."""
        return self._tmux("capture-pane", "-p", "-J").stdout.rstrip()

    def see(self, text: str) -> None:
        """Wait until the screen ends with this text."""
        wait_for(lambda: self.screen.endswith(text.rstrip()), f"{text!r} at the end of the screen")

    def see_one_of(self, *texts: str) -> None:
        """Wait until the screen contains one of these texts."""
        try:
            wait_for(lambda: any(text in self.screen for text in texts), f"one of {texts} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def type(self, text: str) -> None:
        """Type a line, with Enter."""
        self._tmux("send-keys", "-l", text)
        self._tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        """Press one key, by tmux's name for it."""
        self._tmux("send-keys", key)

    def _tmux(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["tmux", "-S", str(Path(self._sockets.name) / "tmux"), *arguments]
        return subprocess.run(command, env=self._environ, capture_output=True, text=True, check=check)
