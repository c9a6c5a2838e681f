"""Two installations side by side, each on a machine of its own: ours as pipx installs it, and the public 1.1.0."""

import os
import subprocess
import sys
from pathlib import Path

WORKSPACE = Path(__file__).parents[3]
PACKAGES = WORKSPACE / "packages"
# Modules that the tests share; pytest has these directories from pyproject.toml.
sys.path += map(str, (PACKAGES / "infinium-codex" / "tests", PACKAGES / "infinium-codex" / "e2e"))
sys.path.append(str(PACKAGES / "infinium-transport" / "tests"))

from machine import Machine  # noqa: E402


def install_ours(root: Path) -> Machine:
    """`pipx install` of the checkout, and `init --local` in a project."""
    machine = Machine(root, project="project", program=[str(root / "bin" / "infinium-codex")])
    environ = {
        **os.environ,
        "PIPX_HOME": str(root / "pipx"),
        "PIPX_BIN_DIR": str(root / "bin"),
        "PIPX_MAN_DIR": str(root / "man"),
    }
    pipx = [sys.executable, "-m", "pipx", "install", "-q", str(PACKAGES / "infinium-codex")]
    subprocess.run(pipx, env=environ, check=True, capture_output=True)
    machine.set_up()
    machine.spool("any").parent.mkdir(mode=0o700, exist_ok=True)
    return machine


def install_public(root: Path) -> Machine | None:
    """The public connector 1.1.0, with its interpreter as the program; None where the registry does not have it."""
    python = str(root / "bin" / "python")
    machine = Machine(root, project="project", program=[python])
    subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
    pip = [python, "-m", "pip", "install", "-q", "infinium-codex-connector==1.1.0"]
    done = subprocess.run(pip, check=False, capture_output=True)
    return machine if done.returncode == 0 else None
