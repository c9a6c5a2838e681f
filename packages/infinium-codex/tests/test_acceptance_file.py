"""The project's acceptance criteria, from `.infinium/acceptance.md` to the stored trace."""

from pathlib import Path

import pytest
from machine import Machine
from recorded import recording

pytest_plugins = ["no_leftovers"]

TURN = recording("0.169.0", "turn")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def criteria(machine: Machine) -> list[str] | None:
    machine.play(TURN)
    [trace] = machine.traces()
    found: list[str] | None = trace["expected_outcome"].get("acceptance_criteria")
    return found


def test_the_files_criteria_are_part_of_the_expected_outcome(machine: Machine) -> None:
    (machine.project / ".infinium" / "acceptance.md").write_text("- The build passes.\n", "utf-8")
    assert criteria(machine) == ["The build passes."]


def test_a_link_is_not_followed(machine: Machine) -> None:
    """A project could otherwise bring a file of its user's into a trace."""
    (machine.home / "private.md").write_text("- private\n", "utf-8")
    (machine.project / ".infinium" / "acceptance.md").symlink_to(machine.home / "private.md")
    assert criteria(machine) is None


def test_a_huge_file_is_not_read(machine: Machine) -> None:
    (machine.project / ".infinium" / "acceptance.md").write_text("- The build passes.\n" * 10_000, "utf-8")
    assert criteria(machine) is None
