"""Codex's terminal UI, driven as a user drives it."""

import time
from types import TracebackType
from typing import Self

from machine import end_processes, wait_for
from sandbox import Sandbox
from terminal import Terminal

NO_ADVERTISEMENT = '[notice.model_migrations]\n"gpt-5.5" = "gpt-6-sol"\n"gpt-5.4" = "gpt-5.5"\n'
"""For config.toml: Codex does not ask, over the prompt, to try a newer model."""
_PROMPT = ("? for shortcuts", "context left", "% left", " · ~/")
"""The text below the prompt, one for each version of the UI."""


class CodexTerminal(Terminal):
    """`codex` in a terminal of its own. Leaving the `with` block ends it, and its daemon if it has one."""

    def __init__(self, sandbox: Sandbox, *arguments: str) -> None:
        super().__init__(sandbox.project, sandbox.environ, "codex", *arguments, width=150, height=50)
        self.sandbox = sandbox

    def __enter__(self) -> Self:
        super().__enter__()
        self.see_one_of(*_PROMPT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.sandbox.execute(["codex", "app-server", "daemon", "stop"], check=False)
        end_processes(self.sandbox.root, "app-server")  # the daemon's updater outlives its stop

    def say(self, text: str, key: str = "Enter") -> None:
        """Type a prompt and send it."""
        self._tmux("send-keys", "-l", text)
        self.see_one_of(text)
        time.sleep(0.3)  # Codex takes an Enter right after fast typing for a pasted line break
        self.press(key)
        time.sleep(1)
        shown = self._tmux("capture-pane", "-p", "-J", check=False).stdout  # nothing if Codex has quit
        prompts = [line for line in shown.splitlines() if line.startswith("›")]
        if key == "Enter" and prompts and prompts[-1].rstrip().endswith(text[-40:]):
            self.press(key)  # a busy machine: it was taken for a pasted line break all the same

    def leave(self) -> None:
        """Quit, and wait until Codex and the terminal have ended."""
        self.say("/quit")
        wait_for(lambda: self._tmux("has-session", check=False).returncode != 0, "Codex to end")
