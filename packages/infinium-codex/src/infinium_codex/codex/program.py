"""The Codex installation on this machine: its program, its version and its home directory."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.versions import ASYNC_SINCE, Version, format_version, is_at_least, parse_version

COMMAND_FIELD = "commandWindows" if sys.platform == "win32" else "command"
"""The field of a hook in hooks.json that Codex runs on this system."""
_VERSION_TIMEOUT_SECONDS = 20


class CodexProgram(Struct, frozen=True, kw_only=True):
    """One installed Codex."""

    path: str
    version: Version | None
    """None if `codex --version` failed or printed no version."""

    @property
    def version_text(self) -> str:
        """The version for people to read."""
        return format_version(self.version)

    def since(self, version: Version) -> bool:
        """Return whether this Codex has `version` or a newer one. An unknown version counts as new."""
        return is_at_least(self.version, version)

    @property
    def can_async(self) -> bool:
        """Whether it runs async hooks instead of skipping them."""
        return self.since(ASYNC_SINCE)


def find_codex(environ: Mapping[str, str]) -> CodexProgram | None:
    """Find the `codex` on PATH and ask it for its version. None if there is no such program."""
    path = _find_program("codex", environ.get("PATH", ""))
    if path is None:
        return None
    try:
        printed = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_SECONDS,
            check=False,
            env=dict(environ),
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        printed = ""
    return CodexProgram(path=path, version=parse_version(printed))


if sys.platform == "win32":

    def _find_program(name: str, path: str) -> str | None:
        """Find a program on PATH. Windows' own search begins in the working directory, which may be a project's."""
        for directory in filter(os.path.isabs, path.split(os.pathsep)):
            for suffix in os.environ.get("PATHEXT", ".COM;.EXE;.BAT;.CMD").split(";"):
                program = os.path.join(directory, name + suffix.lower())  # noqa: PTH118
                if os.path.isfile(program):  # noqa: PTH113
                    return program
        return None

    def shell_command(command: str) -> list[str]:
        """The arguments with which Codex runs the command of a hook."""
        return ["powershell.exe", "-NoProfile", "-Command", command]

else:

    def _find_program(name: str, path: str) -> str | None:
        """Find a program on PATH."""
        return shutil.which(name, path=path)

    def shell_command(command: str) -> list[str]:
        """The arguments with which Codex runs the command of a hook."""
        return ["sh", "-c", command]


def is_codex(command: tuple[str, ...]) -> bool:
    """Return whether a command line is Codex's: the program itself, or its launcher in an interpreter."""
    return any(Path(word).name.startswith("codex") for word in command[:2])


def codex_home(environ: Mapping[str, str]) -> Path:
    """Return Codex's home directory: `CODEX_HOME`, by default `~/.codex`."""
    configured = environ.get("CODEX_HOME")
    return Path(configured) if configured else Path.home() / ".codex"
