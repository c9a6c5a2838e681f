"""The wizard in a real terminal, with typing errors."""

import json
from collections.abc import Iterator
from pathlib import Path

import keeper
import pytest
from sandbox import Sandbox
from syrupy.assertion import SnapshotAssertion
from terminal import Terminal

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"


@pytest.fixture
def machine(tmp_path: Path) -> Sandbox:
    """A machine without Codex; its keyring is a file outside of the machine."""
    machine = Sandbox(tmp_path / "machine", None, "none")
    assert keeper.__file__
    machine.environ |= {
        "PYTHONPATH": str(Path(keeper.__file__).parent),
        "PYTHON_KEYRING_BACKEND": "keeper.Keeper",
        "KEEPER": str(tmp_path / "keyring.json"),
    }
    return machine


@pytest.fixture
def terminal(machine: Sandbox) -> Iterator[Terminal]:
    with Terminal(machine.project, machine.environ) as terminal:
        terminal.see("$ ")
        yield terminal


def test_first_and_second_run(machine: Sandbox, terminal: Terminal, snapshot: SnapshotAssertion) -> None:
    """The wizard repeats a question after an invalid answer and shows no secret; a second run changes one setting."""
    terminal.type("infinium-codex init")
    terminal.see("Choose [1]:")
    terminal.type("")
    terminal.see("[https://platform.i42m.ai/api/v1]:")
    terminal.type("ftp://example.org")
    terminal.see("[https://platform.i42m.ai/api/v1]:")
    terminal.type("https://api.example.org/v1/")
    terminal.see("Agent id (UUID):")
    terminal.type("me")
    terminal.see("Agent id (UUID):")
    terminal.type(AGENT.upper())
    terminal.see("to use the secret in the system keyring):")
    terminal.type(SECRET)
    terminal.see("[turn]:")
    terminal.type("")
    terminal.see("[Y/n]:")
    terminal.type("y")
    terminal.see("\n$ ")
    config = machine.config
    first = json.loads(config.read_text())
    terminal.type("infinium-codex init")
    terminal.see("Choose [2]:")
    terminal.type("7")
    terminal.see("Choose [2]:")
    terminal.type("3")
    terminal.see("[turn]:")
    terminal.type("both")
    terminal.see("\n$ ")
    assert terminal.screen.replace(str(machine.root), "<root>") == snapshot
    assert SECRET not in terminal.screen
    assert [path for path, data in machine.contents().items() if SECRET.encode() in data] == []
    assert list(json.loads(Path(machine.environ["KEEPER"]).read_text()).values()) == [SECRET]
    assert json.loads(config.read_text()) == first | {"flush_on_session_end": True}


@pytest.mark.parametrize("key", ["C-c", "C-d"])
def test_cancelled_wizard_changes_nothing(machine: Sandbox, terminal: Terminal, key: str) -> None:
    """The wizard writes nothing before the last question."""
    before = machine.contents()
    terminal.type("infinium-codex init")
    terminal.see("Choose [1]:")
    terminal.type("")
    terminal.see("[https://platform.i42m.ai/api/v1]:")
    terminal.type("")
    terminal.see("Agent id (UUID):")
    terminal.press(key)
    terminal.see("Stopped.\n$ ")
    assert machine.contents() == before


def test_choice_to_change_nothing(machine: Sandbox, terminal: Terminal) -> None:
    machine.must_run("init", "--local", "--no-interactive")
    before = machine.modification_times()
    terminal.type("infinium-codex init")
    terminal.see("Choose [2]:")
    terminal.type("5")
    terminal.see("\n$ ")
    assert "Nothing was changed" in terminal.screen
    assert machine.modification_times() == before


def test_start_over_asks_everything_and_keeps_other_connectors_keys(machine: Sandbox, terminal: Terminal) -> None:
    machine.run("init", "--no-interactive", "--agent-id", AGENT, "--granularity", "both")
    config = machine.config
    config.write_text(json.dumps(json.loads(config.read_text()) | {"paused": True, "claude": {"x": 1}}))
    terminal.type("infinium-codex init")
    terminal.see("Choose [2]:")
    terminal.type("4")
    terminal.see("[https://platform.i42m.ai/api/v1]:")
    terminal.type("local")
    terminal.see("[turn]:")
    terminal.type("session")
    terminal.see("[Y/n]:")
    terminal.type("n")
    terminal.see("\n$ ")
    assert json.loads(config.read_text()) == {
        "base_url": "local",
        "flush_on_stop": False,
        "flush_on_session_end": True,
        "claude": {"x": 1},
    }
    assert not (machine.project / ".gitignore").exists()


def test_address_of_the_project_file_has_to_be_confirmed(machine: Sandbox, terminal: Terminal) -> None:
    """Enter means no."""
    config = machine.config
    config.parent.mkdir()
    config.write_text(json.dumps({"agent_id": AGENT, "base_url": "https://elsewhere.example/v1"}))
    terminal.type("infinium-codex init")
    terminal.see("Choose [2]:")
    terminal.type("")
    terminal.see(f"Send the traces and the secret of agent {AGENT} to https://elsewhere.example/v1? [y/N]:")
    terminal.type("")
    terminal.see("\n$ ")
    assert "Nothing was changed." in terminal.screen
    assert not (machine.project / ".codex").exists()
    assert not (machine.home / ".local").exists()
