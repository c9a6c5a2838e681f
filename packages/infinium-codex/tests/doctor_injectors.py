"""Break one thing on a healthy machine. Functions that take settings return the injector."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from api import reply
from doctor_machine import AGENT, SECRET, HealthyMachine
from infinium_codex.support.paths import spool_directory
from infinium_transport import Ledger, Outbox

Injector = Callable[[HealthyMachine], object]

OLD_COMMAND = '"/usr/bin/python3" -m infinium_codex_connector.hook'
OLD_HOOKS = {"Stop": [{"matcher": ".*", "hooks": [{"type": "command", "command": OLD_COMMAND, "timeout": 5000}]}]}
"""The hooks that the public connector 1.1.0 writes."""


# Codex and its answers


def codex_version(version: str) -> Injector:
    """Install another version of Codex."""
    return lambda machine: machine.codex.set_version(version)


def codex_cannot_read_its_config(machine: HealthyMachine) -> None:
    """Codex fails to parse config.toml."""
    machine.codex.refuse("config/read", "config.toml:57:8: unclosed table")


def hooks_feature_off(machine: HealthyMachine) -> None:
    """The user's config.toml turns hooks off."""
    layer = {"name": {"type": "user", "file": "/home/dev/.codex/config.toml"}, "config": {"features": {"hooks": False}}}
    projects = {str(machine.project): {"trust_level": "trusted"}}
    config = {"features": {"hooks": False}, "projects": projects}
    machine.codex.answer("config/read", {"config": config, "layers": [layer]})
    machine.codex.list_no_hooks()


def old_codex_without_feature_flag(machine: HealthyMachine) -> None:
    """A Codex in which hooks are off by default, and which cannot write its configuration itself."""
    machine.codex.set_version("0.118.0")
    machine.codex.refuse("config/batchWrite", "unknown method")
    machine.codex_home.mkdir()
    (machine.codex_home / "config.toml").write_text("# mine\n[features]\nother = true\n")


def managed_hooks_only(machine: HealthyMachine) -> None:
    """An administrator allows managed hooks only."""
    machine.codex.answer("configRequirements/read", {"requirements": {"allowManagedHooksOnly": True}})
    machine.codex.list_no_hooks()


def untrusted_project(machine: HealthyMachine) -> None:
    """The user has not trusted the project in Codex."""
    machine.codex.answer("config/read", {"config": {"projects": {}}, "layers": []})
    machine.codex.list_no_hooks()


def no_hooks_listed(warning: str) -> Injector:
    """Codex lists no hooks for the project, with this warning."""
    return lambda machine: machine.codex.list_no_hooks(warning)


def hooks_listed(trust: str = "trusted", **of_event: dict[str, Any]) -> Injector:
    """Codex lists the hooks with this trust; `of_event` has the fields that differ for an event."""
    return lambda machine: machine.codex.list_hooks(trust=trust, **of_event)


# hooks.json


def no_hooks_file(machine: HealthyMachine) -> None:
    """Remove hooks.json."""
    machine.hooks.unlink()


def hooks_file_is_not_json(machine: HealthyMachine) -> None:
    """Truncate hooks.json."""
    machine.hooks.write_text('{"hooks": {')


def hooks_of_old_connector(machine: HealthyMachine) -> None:
    """Add the hooks of connector 1.1.0, at the top level as it wrote them; Codex then rejects the file."""
    machine.edit_hooks(lambda document: document.update(OLD_HOOKS))
    machine.codex.list_no_hooks(f"failed to parse hooks config {machine.hooks}: unknown field `Stop`")


def no_hook_for(event: str) -> Injector:
    """Remove the hook of one event."""

    def inject(machine: HealthyMachine) -> None:
        machine.edit_hooks(lambda document: document["hooks"].pop(event))
        machine.codex.list_hooks()

    return inject


def same_hooks_for_the_user(machine: HealthyMachine) -> None:
    """Register the same hooks in Codex's home too."""
    path = machine.codex_home / "hooks.json"
    path.parent.mkdir()
    path.write_text(machine.hooks.read_text("utf-8"), "utf-8")
    machine.codex.list_hooks(path)


def old_hooks_for_the_user(machine: HealthyMachine) -> None:
    """Register the hooks of connector 1.1.0 in Codex's home."""
    machine.codex_home.mkdir()
    (machine.codex_home / "hooks.json").write_text(json.dumps(OLD_HOOKS), "utf-8")


def hook_prints(machine: HealthyMachine) -> None:
    """Edit a hook's command: it still runs our hook, and prints."""
    shell = f"echo hello; python3 -I -S {machine.data}/infinium-codex/hook.py SessionStart"
    machine.edit_hooks(lambda document: document["hooks"]["SessionStart"][0]["hooks"][0].update(command=shell))
    machine.codex.list_hooks()


# The hook's home and the connector's environment


def no_hook_program(machine: HealthyMachine) -> None:
    """Remove hook.py."""
    (machine.data / "hook.py").unlink()


def hook_fails(machine: HealthyMachine) -> None:
    """Replace the hook with a program that fails."""
    _replace_hook(machine, "raise SystemExit(3)\n")


def hook_of_another_version(machine: HealthyMachine) -> None:
    """Replace the hook with a program whose records no worker of this version reads."""
    spool = f'os.environ["CONNECTOR_SESSION_DIR"] + "/infinium-codex-{os.getuid()}"'
    write = f'open({spool} + "/infinium-codex-doctor.spool", "w").write("I1 {{}}")'
    _replace_hook(machine, f"import os\nos.mkdir({spool})\n{write}\n")


def _replace_hook(machine: HealthyMachine, source: str) -> None:
    (machine.data / "hook.pyc").unlink()
    (machine.data / "hook.py").write_text(source)


def environment_removed(machine: HealthyMachine) -> None:
    """Remove the virtual environment that the hook's home links to."""
    _replace_environment(machine, Path("/nowhere/at/all"))


def environment_without_connector(machine: HealthyMachine) -> None:
    """Replace the virtual environment with one in which the connector is not installed."""
    environment = machine.root / "venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(shutil.which("true") or "/bin/true")
    _replace_environment(machine, environment)


def _replace_environment(machine: HealthyMachine, target: Path) -> None:
    (machine.data / "venv").unlink()
    (machine.data / "venv").symlink_to(target)


# Spool, outbox and ledger


def spool_is_a_link(machine: HealthyMachine) -> None:
    """Put a symbolic link in the spool's place, and in that of its fallback."""
    (machine.root / "elsewhere").mkdir()
    for _ in range(2):
        spool_directory(machine.environ, machine.data).symlink_to(machine.root / "elsewhere")


def disk_full_under_spool(machine: HealthyMachine) -> None:
    """Mount a disk of one page over the spool."""
    _mount("size=4k", spool_directory(machine.environ), machine)


def disk_read_only_under_state(machine: HealthyMachine) -> None:
    """Mount a read-only disk over the state directory."""
    _mount("ro", machine.state, machine)


def _mount(option: str, directory: Path, machine: HealthyMachine) -> None:
    """Mount a small disk over a directory, seen by the connector's commands alone."""
    probe = ["unshare", "-rm", "true"]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk of their own")
    directory.mkdir(parents=True, exist_ok=True)
    script = 'mount -t tmpfs -o "$0" none "$1" && shift && exec "$@"'
    machine.prefix = ["unshare", "-rm", "sh", "-c", script, option, str(directory)]


def file_in_place_of_ledger(machine: HealthyMachine) -> None:
    """Put a file in the place of the ledger's directory."""
    machine.state.mkdir(parents=True, exist_ok=True)
    (machine.state / "ledger").write_text("in the way")


def outbox_others_may_read(machine: HealthyMachine) -> None:
    """Make the outbox readable for every user."""
    (machine.state / "outbox").mkdir(parents=True)
    (machine.state / "outbox").chmod(0o755)


def refused_credentials(machine: HealthyMachine) -> None:
    """Park the agent's queue as after HTTP 401."""
    box = Outbox(machine.state / "outbox")
    box.put(machine.queued_trace())
    box.park(AGENT, "HTTP 401", "", base_url=machine.api.base_url)


def dead_letter(machine: HealthyMachine) -> None:
    """Make a trace a dead letter as after HTTP 400."""
    box = Outbox(machine.state / "outbox")
    box.put(machine.queued_trace())
    box.move_to_dead_letters(next(box.pending()), "HTTP 400", 400, "no")


def worker_failed(machine: HealthyMachine) -> None:
    """Record an error of the worker in the ledger."""
    Ledger(machine.state / "ledger").record_error("worker", "OSError: it broke", when=time.time())


def session_without_trace(machine: HealthyMachine) -> None:
    """Codex has the transcript of a session that no hook reported."""
    machine.write_transcript("01a2088e-5b33-74e3-967f-d035a225aaf9")


# Settings, credentials and the API


def project_file(**values: object) -> Injector:
    """Change values of the project file."""
    return lambda machine: machine.edit_config(**values)


def project_file_is_not_json(machine: HealthyMachine) -> None:
    """Truncate the project file."""
    machine.config.write_text("{")


def no_project_file(machine: HealthyMachine) -> None:
    """Remove the project file."""
    machine.config.unlink()


def variables(**values: str) -> Injector:
    """Set environment variables."""
    return lambda machine: machine.environ.update(values)


def no_secret(machine: HealthyMachine) -> None:
    """Unset the secret's variable; there is no keyring."""
    del machine.environ["INFINIUM_AGENT_SECRET"]


def keyring_of_this_shell_only(machine: HealthyMachine) -> None:
    """Use a keyring that a detached process does not reach: it starts without PYTHONPATH."""
    keyring = machine.root / "keyring.json"
    keyring.write_text(json.dumps({f"infinium-connector/{AGENT}": SECRET}))
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    machine.environ |= {"PYTHONPATH": path, "PYTHON_KEYRING_BACKEND": "keeper.Keeper", "KEEPER": str(keyring)}
    no_secret(machine)


def redirect(machine: HealthyMachine) -> None:
    """The API redirects to another address."""
    machine.api.answers = [reply(302, b"", "Location: https://elsewhere/")]


def clock_differs(machine: HealthyMachine) -> None:
    """The API's clock is an hour ahead."""
    machine.api.answers = [reply(405, b"", f"Date: {formatdate(time.time() + 3600, usegmt=True)}")]
