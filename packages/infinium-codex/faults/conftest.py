"""The table of the fault suite, and what its tests share."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from api import Api, reply, serve
from lab import Lab, Row

LONG = os.environ.get("INFINIUM_FAULTS") == "long"
_rows: list[Row] = []


@pytest.fixture
def api() -> Iterator[Api]:
    """An API that accepts everything, until told otherwise."""
    with serve([reply(200)]) as api:
        yield api


@pytest.fixture
def lab(tmp_path: Path, api: Api) -> Iterator[Lab]:
    """A machine with the connector set up."""
    lab = Lab(tmp_path, api)
    try:
        with lab.watched():
            yield lab
    finally:
        lab.end_background()


@pytest.fixture
def times() -> Callable[[int, int], int]:
    """How often to inject a fault: the first number in the short form, the second in the long one."""
    return lambda short, long: long if LONG else short


@pytest.fixture
def tell(lab: Lab) -> Callable[[Row], None]:
    """Puts a row into the table, and fails when it is not as it must be."""

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
    """The table."""
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
