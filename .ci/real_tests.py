"""A pytest plugin for tests of the real thing: skipped ones are told at the end, or fail where nothing may be missing.

`INFINIUM_REQUIRE_REAL=1` (a CI machine) makes a skipped `browser`, `codex`, `keyring` or `faults` test an error.
`INFINIUM_SKIPPED` names a file that gathers the reasons over several pytest runs, so that the last line of a long run
can repeat them.
"""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

MARKERS = ("browser", "codex", "keyring", "faults")
FORBIDDEN_BY_THE_MACHINE = ("no private mounts here", "this machine permits no namespaces")
"""Reasons no installation helps against: a container may permit neither. Told, but no failure."""
_skipped: dict[str, int] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note a skipped test of the real thing; fail it where that is not allowed."""
    report = yield
    if report.skipped and any(item.get_closest_marker(marker) for marker in MARKERS):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        _skipped[reason] = _skipped.get(reason, 0) + 1
        if os.environ.get("INFINIUM_REQUIRE_REAL") and not reason.startswith(FORBIDDEN_BY_THE_MACHINE):
            report.outcome = "failed"
            report.longrepr = f"skipped, and on this machine nothing may be: {reason}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested, and why."""
    lines = [f"{count} tests of the real thing did not run: {reason}" for reason, count in _skipped.items()]
    if not lines:
        return
    terminalreporter.section("not tested on this machine")
    for line in lines:
        terminalreporter.write_line(line)
    if gathered := os.environ.get("INFINIUM_SKIPPED"):
        with Path(gathered).open("a", encoding="utf-8") as file:
            file.write("".join(f"{line}\n" for line in lines))
