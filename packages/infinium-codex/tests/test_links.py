"""Commands follow no link out of the project, and open no device, FIFO or endless file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from machine import Machine

INIT = ("init", "--local", "--no-interactive", "--gitignore")
SECONDS = 60.0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def refused(machine: Machine, words: str, *arguments: str) -> None:
    """The command ends with an error that has these words, and no file of the user has changed."""
    before = machine.modification_times()
    done = machine.execute([*machine.program, *arguments], check=False, timeout=SECONDS)
    assert done.returncode == 1, done.stdout
    assert words in done.stderr
    assert machine.modification_times() == before


@pytest.mark.parametrize(
    ("link", "target"),
    [
        (".codex/hooks.json", ".claude/settings.json"),
        (".codex", ".claude"),
        (".gitignore", ".bashrc"),
        (".infinium", "elsewhere"),
        (".infinium/config.json", "elsewhere.json"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_init_follows_no_link_out_of_the_project(machine: Machine, link: str, target: str, exists: bool) -> None:
    """The error names where the link leads to; nothing is written there."""
    place = machine.home / target
    place.parent.mkdir(exist_ok=True)
    if (exists and "." in Path(target).name[1:]) or target == ".bashrc":
        place.write_text("{}")
    elif exists:
        place.mkdir()
    (machine.project / link).parent.mkdir(exist_ok=True)
    (machine.project / link).symlink_to(place)
    refused(machine, f"leads to {place}", *INIT)


def test_links_within_the_project_are_followed(machine: Machine) -> None:
    (machine.project / "shared").mkdir()
    (machine.project / "shared" / "ignore").write_text("build/\n")
    (machine.project / ".gitignore").symlink_to("shared/ignore")
    (machine.project / ".codex").symlink_to("shared")
    machine.must_run(*INIT)
    assert (machine.project / "shared" / "ignore").read_text() == "build/\n.infinium/\n"
    assert (machine.project / "shared" / "hooks.json").is_file()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def directory(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 << 30)


@pytest.mark.parametrize("make", [fifo, device, directory, huge])
@pytest.mark.parametrize("name", [".codex/hooks.json", ".gitignore", ".infinium/config.json"])
@pytest.mark.parametrize("command", ["init", "uninstall", "status", "doctor"])
def test_nothing_but_a_small_file_is_read(
    machine: Machine, make: Callable[[Path], None], name: str, command: str
) -> None:
    """Every command ends at once; `init` and `uninstall` name the file."""
    path = machine.project / name
    path.parent.mkdir(exist_ok=True)
    make(path)
    arguments = {"init": INIT, "uninstall": ("uninstall", "--yes")}.get(command, (command,))
    done = machine.execute([*machine.program, *arguments], check=False, timeout=SECONDS)
    assert "Traceback" not in done.stderr
    removes_it = command == "uninstall" and (name, make) == (".infinium/config.json", huge)
    if command == "init" or (command == "uninstall" and name != ".gitignore" and not removes_it):
        assert done.returncode == 1
        assert str(path) in done.stderr


@pytest.mark.parametrize("link", [".codex/hooks.json", ".infinium"])
def test_uninstall_follows_no_link_out_of_the_project(machine: Machine, link: str) -> None:
    machine.set_up()
    path = machine.project / link
    target = machine.home / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    refused(machine, f"leads to {target}", "uninstall", "--yes")


def test_a_fifo_in_the_files_of_other_agents_does_not_stop_uninstall(machine: Machine) -> None:
    machine.set_up()
    (machine.project / ".claude").mkdir()
    os.mkfifo(machine.project / ".claude" / "settings.json")
    machine.execute([*machine.program, "uninstall", "--yes"], timeout=SECONDS)
    assert not machine.hooks.exists()


COMMANDS = [
    ("status",),
    ("doctor",),
    ("config", "list"),
    ("config", "set", "flush_on_stop", "false"),
    ("pause",),
    ("resume",),
    ("update-credentials", "--agent-secret", "secret"),
]


@pytest.mark.parametrize("link", [".infinium", ".infinium/config.json"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_uses_a_linked_project_file(machine: Machine, link: str, command: tuple[str, ...]) -> None:
    """The file it leads to belongs to another project: it is not read and not changed, and the user learns why."""
    machine.set_up()
    path = machine.project / link
    target = machine.home / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    config = target / "config.json" if target.is_dir() else target
    before = config.read_bytes()
    done = machine.execute([*machine.program, *command], check=False, timeout=SECONDS)
    assert config.read_bytes() == before
    assert path.is_symlink()
    said = " ".join((done.stdout + done.stderr).split())
    if command[0] == "config" and command[1] == "list":
        assert "agent_id not set (default)" in said
    else:
        assert str(path) in said
        assert f"leads to {target}" in said


def test_init_refuses_a_linked_project_directory_inside_the_project(machine: Machine) -> None:
    """The hook would not use it."""
    (machine.project / "shared").mkdir()
    (machine.project / ".infinium").symlink_to("shared")
    refused(machine, f"leads to {machine.project / 'shared'}", *INIT)
