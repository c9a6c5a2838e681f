"""Install pinned versions of the real Codex from npm, once per machine."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

_PINS: Final = tomllib.loads((Path(__file__).parent / "versions.toml").read_text("utf-8"))
NEWEST: Final[str] = _PINS["newest"]
OLDEST: Final[str] = _PINS["oldest"]
ALL: Final[tuple[str, ...]] = (OLDEST, *_PINS["between"], NEWEST)


class CodexUnavailableError(Exception):
    """Raised when a version of Codex cannot be installed; the text gives the reason."""


def chosen_versions() -> tuple[str, ...]:
    """The versions named in `INFINIUM_E2E_CODEX` (comma-separated), by default all."""
    wanted = os.environ.get("INFINIUM_E2E_CODEX", "")
    return tuple(filter(None, wanted.replace(" ", "").split(","))) or ALL


def install_codex(version: str) -> Path:
    """Install this version unless it is installed; returns the directory of its `codex`."""
    base = os.environ.get("INFINIUM_E2E_CACHE") or Path.home() / ".cache" / "infinium-codex-e2e"
    prefix = Path(base) / version
    program = prefix / "node_modules" / ".bin" / "codex"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise CodexUnavailableError("npm is not on PATH, and Codex comes from npm")
        prefix.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(prefix), f"@openai/codex@{version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CodexUnavailableError(f"npm could not install Codex {version}: {done.stderr.strip()[-500:]}")
    return program.parent


if __name__ == "__main__":
    for chosen in chosen_versions():
        print(f"Codex {chosen}: {install_codex(chosen)}")
