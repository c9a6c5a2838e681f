"""Codex's terminal UI, driven as a user drives it: keys in, the screen out (through tmux)."""

import subprocess
import time
import uuid
from types import TracebackType
from typing import Self

from sandbox import Sandbox, wait_for

NO_ADVERTISEMENT = '[notice.model_migrations]\n"gpt-5.5" = "gpt-6-sol"\n"gpt-5.4" = "gpt-5.5"\n'
"""For config.toml: nobody asks, over the prompt, to try a newer model."""
_PROMPT = ("? for shortcuts", "context left", "% left", " · ~/")
"""What stands below the prompt, version by version."""


class CodexTerminal:
    """`codex` in a terminal of its own while the block runs; its daemon, where it has one, ends with it."""

    def __init__(self, sandbox: Sandbox, *arguments: str) -> None:
        self.sandbox = sandbox
        self.arguments = arguments
        self._socket = f"infinium-{uuid.uuid4().hex[:12]}"

    def __enter__(self) -> Self:
        self._tmux("-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "50", "codex", *self.arguments)
        wait_for(lambda: any(words in self.screen for words in _PROMPT), "Codex's prompt")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sandbox.run(["tmux", "-L", self._socket, "kill-server"], check=False)
        self.sandbox.run(["codex", "app-server", "daemon", "stop"], check=False)
        self.sandbox.end_programs("app-server")  # the daemon's updater outlives its stop

    @property
    def screen(self) -> str:
        """What the user sees."""
        return self._tmux("capture-pane", "-p").stdout

    def say(self, text: str, key: str = "Enter") -> None:
        """Type a prompt and send it off."""
        self._tmux("send-keys", "-l", text)
        wait_for(lambda: text in self.screen, f"{text!r} on the screen")
        time.sleep(0.3)  # Enter right behind fast typing is a pasted line break to Codex
        self.press(key)

    def press(self, key: str) -> None:
        """Press a key by tmux's name for it."""
        self._tmux("send-keys", key)

    def wait_for(self, text: str) -> None:
        """Wait until the screen holds these words."""
        try:
            wait_for(lambda: text in self.screen, f"{text!r} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen}") from None

    def wait_for_either(self, *texts: str) -> None:
        """Wait until the screen holds one of these texts."""
        wait_for(lambda: any(text in self.screen for text in texts), f"one of {texts} on the screen")

    def leave(self) -> None:
        """Quit, and wait until Codex has ended and the terminal with it."""
        self.say("/quit")
        wait_for(lambda: self._tmux("has-session", check=False).returncode != 0, "Codex to end")

    def _tmux(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.sandbox.run(["tmux", "-L", self._socket, *arguments], {"TERM": "xterm-256color"}, check=check)
