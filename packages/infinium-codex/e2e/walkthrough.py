"""Walk through the README as a new user does, and print the terminal session for docs/first-run.md.

The home directory is empty, the Codex is real, its model is scripted, and the traces stay on this machine.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

from codex_install import NEWEST, install_codex
from infinium_codex.demo.scripted_model import DEMO_PROMPT, ScriptedModel, codex_config, demo_turn

COLUMNS = 80
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

_REWRITTEN = re.compile(r"[^\n]*(?:\n\x1b\[\?25h)?\r(?:\x1b\[1A)?\x1b\[2?K")
"""Text of a progress line that was replaced."""


class Shell:
    """A terminal in which each command is shown with what it prints."""

    def __init__(self, home: Path, project: Path) -> None:
        programs = home.parent / "bin"
        programs.mkdir()
        (programs / "codex").symlink_to(install_codex(NEWEST) / "codex")
        path = os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"]))
        self.environ = {
            "HOME": str(home),
            "PATH": path,
            "TERM": "xterm",
            "TMPDIR": str(home.parent / "tmp"),
            "LANG": "C.UTF-8",
        }
        self.home, self.project = home, project

    def run(self, command: str, *, shown: str = "") -> int:
        """Run a command in the terminal and print it with its output."""
        controller, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            cwd=self.project,
            env=self.environ,
        )
        os.close(terminal)
        output = b""
        while True:
            try:
                part = os.read(controller, 65_536)
            except OSError:  # the terminal's last user has ended
                break
            if not part:
                break
            output += part
        os.close(controller)
        code = process.wait()
        text = _COLOURS.sub("", _REWRITTEN.sub("", output.decode("utf-8", "replace"))).replace("\r\n", "\n")
        text = text.replace(str(self.home), "/home/ada").replace(str(self.home.parent), "")
        print(f"$ {shown or command}\n{text.rstrip()}")
        print(f"[exit code {code}]\n" if code else "")
        return code


def main() -> None:
    """Run the commands of the README in their order."""
    with tempfile.TemporaryDirectory(prefix="walk-") as directory, ScriptedModel(demo_turn()) as model:
        home = Path(directory) / "home"
        project = home / "my-project"
        for path in (project / ".git", home / ".codex", Path(directory) / "tmp"):
            path.mkdir(parents=True)
        (home / ".codex" / "config.toml").write_text(codex_config(model.base_url, str(project), NEWEST), "utf-8")
        shell = Shell(home, project)
        shell.run("infinium-codex status")
        shell.run("infinium-codex init --local")
        shell.run(
            f"codex exec --dangerously-bypass-approvals-and-sandbox '{DEMO_PROMPT}' 2>/dev/null",
            shown=f"codex exec '{DEMO_PROMPT}'",
        )
        time.sleep(3)
        shell.run("infinium-codex flush")
        shell.run("infinium-codex list")
        shell.run("infinium-codex show")
        shell.run("infinium-codex history")
        for command in (
            "status",
            "doctor",
            "logs",
            "errors",
            "pause",
            "status",
            "resume",
            "config set redaction metadata-only",
        ):
            shell.run(f"infinium-codex {command}")
        shell.run("infinium-codex uninstall --yes")
        shell.run("ls -A")


if __name__ == "__main__":
    main()
