"""Two installations side by side, each in a home of its own: ours as pipx installs it, and the public 1.1.0."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WORKSPACE = Path(__file__).parents[3]
_DROPPED = ("INFINIUM_", "CONNECTOR_", "CODEX_", "XDG_", "PIP", "VIRTUAL_ENV", "PYTHON")


@dataclass(frozen=True, kw_only=True, slots=True)
class Installation:
    """A connector in its environment, with an empty home and a project."""

    home: Path
    project: Path
    environ: dict[str, str]
    program: Path

    @property
    def data(self) -> Path:
        """The hook's home (ours only)."""
        return self.home / ".local" / "share" / "infinium-codex"

    @property
    def spool(self) -> Path:
        """Where events wait (ours only)."""
        return Path(self.environ["TMPDIR"]) / f"infinium-codex-{os.getuid()}"

    @property
    def worker(self) -> list[str]:
        """The worker as the hook starts it, without its argument (ours only)."""
        return [str(self.data / "venv" / "bin" / "python"), "-I", "-S", str(self.data / "worker.py")]

    def commands(self) -> dict[str, str]:
        """The command hooks.json registers for each event."""
        hooks = json.loads((self.project / ".codex" / "hooks.json").read_text("utf-8"))["hooks"]
        return {event: groups[0]["hooks"][0]["command"] for event, groups in hooks.items()}

    @contextmanager
    def without_worker(self) -> Iterator[None]:
        """The hook starts a program that ends at once in place of the worker."""
        environment = self.data / "venv"
        aside = self.data / "venv.aside"
        environment.rename(aside)
        (environment / "bin").mkdir(parents=True)
        (environment / "bin" / "python").symlink_to("/bin/true")
        try:
            yield
        finally:
            shutil.rmtree(environment)
            aside.rename(environment)

    def run(self, *arguments: str) -> str:
        """The connector's command line."""
        done = subprocess.run(
            [str(self.program), *arguments],
            cwd=self.project,
            env=self.environ,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


def install_ours(root: Path) -> Installation:
    """`pipx install` of the checkout, and `init --local` in a project."""
    found = _empty(root, "infinium-codex")
    environ = {
        **os.environ,
        "PIPX_HOME": str(root / "pipx"),
        "PIPX_BIN_DIR": str(root / "bin"),
        "PIPX_MAN_DIR": str(root / "man"),
    }
    source = str(WORKSPACE / "packages" / "infinium-codex")
    subprocess.run(
        [sys.executable, "-m", "pipx", "install", "-q", source], env=environ, check=True, capture_output=True
    )
    found.run("init", "--local", "--no-interactive")
    found.spool.mkdir(mode=0o700, exist_ok=True)
    return found


def install_public(root: Path) -> Installation | None:
    """The public connector 1.1.0; None where the registry does not have it."""
    found = _empty(root, "python")
    subprocess.run([sys.executable, "-m", "venv", str(root)], check=True)
    (root / "bin").mkdir(exist_ok=True)
    pip = [str(root / "bin" / "python"), "-m", "pip", "install", "-q", "infinium-codex-connector==1.1.0"]
    done = subprocess.run(pip, check=False, capture_output=True)
    return found if done.returncode == 0 else None


def _empty(root: Path, program: str) -> Installation:
    home, temp = root / "home", root / "tmp"
    project = home / "project"
    for directory in (project / ".git", temp):
        directory.mkdir(parents=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
    environ |= {"HOME": str(home), "TMPDIR": str(temp)}
    return Installation(home=home, project=project, environ=environ, program=root / "bin" / program)
