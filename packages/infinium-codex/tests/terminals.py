"""Runs a command in a terminal of a chosen width."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping

from machine import Machine


def in_terminal(
    machine: Machine, *arguments: str, columns: int = 80, environ: Mapping[str, str] | None = None, typed: str = ""
) -> str:
    """Run a command in a terminal of this width in which `typed` is typed; returns what the terminal gets."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    own = {name: value for name, value in machine.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [*machine.program, *arguments],
        stdin=terminal if typed else subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        cwd=machine.project,
        env={**own, "TERM": "xterm", **(environ or {})},
    )
    os.close(terminal)
    os.write(controller, typed.encode())
    found = b""
    while True:
        try:
            part = os.read(controller, 65_536)
        except OSError:  # the terminal's last user is gone
            break
        if not part:
            break
        found += part
    process.wait()
    os.close(controller)
    return found.decode("utf-8").replace("\r\n", "\n")
