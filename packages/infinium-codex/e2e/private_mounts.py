"""Programs that see other mounts than the rest of the machine: an /etc of their own, a project that is read-only."""

import shutil
import subprocess

import pytest
from sandbox import Sandbox


def with_requirements(sandbox: Sandbox, requirements: str) -> tuple[str, ...]:
    """A command's prefix that shows it an /etc with this administrator's requirements; the real one is not touched."""
    fake = sandbox.root / "etc"
    subprocess.run(["cp", "-aT", "/etc", str(fake)], stderr=subprocess.DEVNULL, check=False)  # what can be read of it
    (fake / "codex").mkdir(exist_ok=True)
    (fake / "codex" / "requirements.toml").write_text(requirements, "utf-8")
    return in_namespace(f"mount --bind '{fake}' /etc")


def in_namespace(prepare: str) -> tuple[str, ...]:
    """A command's prefix that runs it where `prepare` has changed the mounts, for it alone."""
    prefix = ("unshare", "--map-root-user", "--mount", "sh", "-c", f'{prepare} && exec "$@"', "sh")
    if shutil.which("unshare") is None or subprocess.call([*prefix, "true"], stderr=subprocess.DEVNULL):
        pytest.skip("no private mounts here (unshare --map-root-user --mount)")
    return prefix
