"""Fixtures of the fault tests, and the table that a run prints."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from api import Api, reply, serve
from lab import Lab, Row
from machine import end_background

LONG = os.environ.get("INFINIUM_FAULTS") == "long"
_rows: list[Row] = []


@pytest.fixture
def api() -> Iterator[Api]:
    """An API that accepts everything until a test changes its answers."""
    with serve([reply(200)]) as api:
        yield api


@pytest.fixture
def lab(tmp_path: Path, api: Api) -> Iterator[Lab]:
    """A machine with the connector set up."""
    lab = Lab(tmp_path, api)
    with lab.watched():
        yield lab
    end_background(tmp_path)


@pytest.fixture
def times() -> Callable[[int, int], int]:
    """How often to inject a fault: the first number in the short form, the second in the long form."""
    return lambda short, long: long if LONG else short


@pytest.fixture
def tell(lab: Lab) -> Callable[[Row], None]:
    """Adds a row to the table; fails on a leak, a lost or doubled turn, or a hook call that Codex would notice."""

    def tell(row: Row) -> None:
        _rows.append(row)
        assert lab.leaks == set()
        assert (row.lost, row.doubled, row.affected) == (0, 0, 0), lab.errors()[:5]
        assert row.delivered + row.kept == row.turns

    return tell


@pytest.fixture
def strace() -> str:
    """The program that makes system calls fail."""
    return _program("strace")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if not _rows:
        return
    titles = {"fault": "fault", "affected": "Codex affected", "slowest_ms": "slowest hook, ms"}
    names = [field.name for field in fields(Row)]
    lines = [[titles.get(name, name) for name in names]]
    lines += [[str(getattr(row, name)) for name in names] for row in _rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    terminalreporter.section(f"faults, {'long' if LONG else 'short'} form")
    for line in lines:
        first, *rest = (
            text.ljust(width) if n == 0 else text.rjust(width)
            for n, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        terminalreporter.write_line("  ".join([first, *rest]))
