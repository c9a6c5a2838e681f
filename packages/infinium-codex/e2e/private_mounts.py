"""Run programs with mounts of their own, for example another /etc or a read-only project."""

import shutil
import subprocess

import pytest
from sandbox import Sandbox


def with_requirements(sandbox: Sandbox, requirements: str) -> tuple[str, ...]:
    """A command prefix that gives the command a copy of /etc with these requirements for Codex."""
    fake = sandbox.root / "etc"
    subprocess.run(["cp", "-aT", "/etc", str(fake)], stderr=subprocess.DEVNULL, check=False)  # what can be read of it
    (fake / "codex").mkdir(exist_ok=True)
    (fake / "codex" / "requirements.toml").write_text(requirements, "utf-8")
    return in_namespace(f"mount --bind '{fake}' /etc")


def in_namespace(prepare: str) -> tuple[str, ...]:
    """A command prefix that runs the command in a mount namespace changed by the script `prepare`."""
    prefix = ("unshare", "--map-root-user", "--mount", "sh", "-c", f'{prepare} && exec "$@"', "sh")
    if shutil.which("unshare") is None or subprocess.call([*prefix, "true"], stderr=subprocess.DEVNULL):
        pytest.skip("no private mounts here (unshare --map-root-user --mount)")
    return prefix
