"""`uninstall` keeps what other projects need, and `--purge` leaves nothing behind after the last one."""

import json
from pathlib import Path

import keeper
import pytest
from machine import Machine, processes

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
OTHER_AGENT = "0a9619ff-8b86-4d01-b42d-00cf4fc964ff"
ADDRESS = "http://127.0.0.1:1/v1"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose keyring is a file outside of it."""
    machine = Machine(tmp_path / "machine", project="one")
    assert keeper.__file__
    machine.environ |= {
        "PYTHONPATH": str(Path(keeper.__file__).parent),
        "PYTHON_KEYRING_BACKEND": "keeper.Keeper",
        "KEEPER": str(tmp_path / "keyring.json"),
    }
    return machine


def set_up(machine: Machine, name: str, agent: str = AGENT) -> None:
    """Set a project up that sends to an agent; it is the machine's project from now on."""
    machine.project = machine.home / name
    (machine.project / ".git").mkdir(parents=True, exist_ok=True)
    options = ("--agent-id", agent, "--agent-secret", "-", "--base-url", ADDRESS)
    done = machine.run("init", "--no-interactive", *options, stdin="sesame-4711\n")
    assert done.returncode == 0, done.stdout + done.stderr


def secrets(machine: Machine) -> int:
    return len(json.loads(Path(machine.environ["KEEPER"]).read_text()))


def test_a_secret_that_another_project_uses_is_kept(machine: Machine) -> None:
    """The last project of the agent takes secret and approval with it."""
    set_up(machine, "two")
    set_up(machine, "one")
    origins = machine.state.parent / "infinium" / "origins.json"
    said = machine.must_run("uninstall", "--yes")
    assert f"Secret     kept, because other projects use this agent: {machine.home / 'two'}" in said
    assert secrets(machine) == 1
    assert AGENT in origins.read_text()
    machine.project = machine.home / "two"
    assert "Secret     removed from the system keyring" in machine.must_run("uninstall", "--yes")
    assert secrets(machine) == 0
    assert AGENT not in origins.read_text()


@pytest.mark.parametrize("state", ["another agent", "uninstalled", "deleted"])
def test_a_secret_that_no_other_project_uses_is_removed(machine: Machine, state: str) -> None:
    set_up(machine, "two", OTHER_AGENT if state == "another agent" else AGENT)
    if state == "uninstalled":
        machine.must_run("uninstall", "--yes")
    elif state == "deleted":
        machine.config.unlink()
    set_up(machine, "one")
    assert "Secret     removed from the system keyring" in machine.must_run("uninstall", "--yes")


def test_a_project_that_only_codex_knows_keeps_its_secret(machine: Machine) -> None:
    """A colleague's clone came with its project file: `init` never ran in it."""
    set_up(machine, "one")
    clone = machine.home / "clone"
    (clone / ".infinium").mkdir(parents=True)
    (clone / ".infinium" / "config.json").write_bytes(machine.config.read_bytes())
    machine.codex_home.mkdir()
    (machine.codex_home / "config.toml").write_text(f"[projects.'{clone}']\ntrust_level = \"trusted\"\n")
    assert f"other projects use this agent: {clone}" in machine.must_run("uninstall", "--yes")


def test_purge_of_one_project_keeps_the_data_of_others(machine: Machine) -> None:
    set_up(machine, "two")
    set_up(machine, "one")
    said = machine.must_run("uninstall", "--yes", "--purge")
    assert f"because other projects are set up: {machine.home / 'two'}" in said
    assert (machine.data / "hook.py").exists()
    assert (machine.home / "two" / ".infinium" / "config.json").exists()


def played_turn(machine: Machine) -> None:
    """A turn whose trace cannot be sent yet, so that a scheduler waits with it: nothing listens at the address."""
    machine.environ["INFINIUM_AGENT_SECRET"] = "sesame-4711"  # the detached worker does not find the test's keyring
    machine.read_hooks()
    for name, fields in (("UserPromptSubmit", {"prompt": "x"}), ("Stop", {"last_assistant_message": "y"})):
        event = {"session_id": "s-1", "turn_id": "t-1", "hook_event_name": name, "model": "gpt", **fields}
        machine.hook(machine.placed(event, None))
    machine.wait_until_idle()
    machine.wait_for(lambda: machine.schedulers, "the scheduler")


@pytest.mark.parametrize("user_hooks", [False, True])
def test_purge_of_the_last_project_leaves_nothing(machine: Machine, user_hooks: bool) -> None:
    """No process, spool, queue, trace, hook program, approval or empty directory; the user's files stay."""
    machine.codex_home.mkdir()
    mine = machine.codex_home / "hooks.json"
    mine.write_text('{"description": "mine"}')
    before = {path: path.read_bytes() if path.is_file() else b"" for path in machine.root.rglob("*")}
    set_up(machine, "one")
    played_turn(machine)
    if user_hooks:
        machine.must_run("init", "--no-interactive", "--user-hooks")
        assert "infinium-codex" in mine.read_text()
    said = machine.must_run("uninstall", "--yes", "--purge")
    assert "1 queued trace not sent" in said
    assert processes(machine.root, "infinium") == []
    left = {path: path.read_bytes() if path.is_file() else b"" for path in machine.root.rglob("*")}
    shared = {machine.home / ".local", machine.home / ".local" / "share", machine.home / ".local" / "state"}
    assert set(left) - set(before) <= shared
    assert {path: left[path] for path in before} == before
    assert secrets(machine) == 0


def test_user_hooks_are_kept_for_other_projects_unless_told(machine: Machine) -> None:
    set_up(machine, "one")
    machine.must_run("init", "--no-interactive", "--user-hooks")
    said = machine.must_run("uninstall", "--yes")
    assert "kept for your other projects; 'uninstall --user-hooks' removes them" in said
    assert (machine.codex_home / "hooks.json").exists()
    machine.must_run("uninstall", "--yes", "--user-hooks")
    assert not (machine.codex_home / "hooks.json").exists()


def test_an_empty_codex_directory_goes_with_the_hooks(machine: Machine) -> None:
    set_up(machine, "one")
    machine.must_run("uninstall", "--yes")
    assert not (machine.project / ".codex").exists()
