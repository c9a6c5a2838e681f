"""Reads the number of tests that ran and passed from the output of a test runner."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from infinium_trace.preview import clean

_TAIL = 20_000
"""Characters at the end of an output that are searched: the runner prints its summary last."""


class RunOfTests(Struct, frozen=True, kw_only=True):
    """A test run, as counted by its runner. Skipped tests did not run."""

    runner: str
    passed: int
    failed: int
    skipped: int = 0

    @property
    def run(self) -> int:
        """Number of tests that ran."""
        return self.passed + self.failed


_PYTEST = re.compile(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))?\s*=*$", re.MULTILINE)
_JEST = re.compile(r"^Tests:\s+((?:\d+ [a-z]+, )*)\d+ total$", re.MULTILINE)
_CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;", re.MULTILINE)
_GO_STARTED = re.compile(r"^=== RUN   ([^\s/]+)$", re.MULTILINE)
_GO_ENDED = re.compile(
    r"--- (PASS|FAIL|SKIP): ([^\s/]+) \([\d.]+s\)$", re.MULTILINE
)  # not anchored at the start: a test may print without a line break
_COUNTED = re.compile(r"(\d+) ([a-z]+)")

_PASSED = frozenset({"passed", "xpassed", "xfailed"})  # an expected failure is a pass
_FAILED = frozenset({"failed", "error", "errors"})
_SKIPPED = frozenset({"skipped", "todo"})


def read_test_run(output: str) -> RunOfTests | None:
    """Return the test run in an output; None if no known runner reports its number of tests.

    Known runners: pytest, jest, cargo and `go test -v` (without `-v` it reports no number). Subtests are not counted.
    """
    tail = clean(output[-_TAIL:])
    if cargo := _CARGO.findall(tail):
        passed, failed, ignored = (sum(map(int, column)) for column in zip(*cargo, strict=True))
        return RunOfTests(runner="cargo", passed=passed, failed=failed, skipped=ignored)
    if jest := _JEST.findall(tail):
        return _counted("jest", jest[-1])
    for summary in reversed(_PYTEST.findall(tail)):
        if (found := _counted("pytest", summary)) is not None:
            return found
    return _count_go_tests(clean(output)) if "=== RUN   " in output else None


def _count_go_tests(output: str) -> RunOfTests | None:
    """Count the tests of `go test`, which prints no sum. Return None if a part of the output is missing."""
    started, ended = _GO_STARTED.findall(output), _GO_ENDED.findall(output)
    if not started or sorted(started) != sorted(name for _, name in ended):
        return None
    results = [result for result, _ in ended]
    counts = {result: results.count(result) for result in ("PASS", "FAIL", "SKIP")}
    return RunOfTests(runner="go", passed=counts["PASS"], failed=counts["FAIL"], skipped=counts["SKIP"])


def _counted(runner: str, summary: str) -> RunOfTests | None:
    numbers = {word: int(number) for number, word in _COUNTED.findall(summary)}
    if not numbers.keys() & (_PASSED | _FAILED | _SKIPPED):
        return None
    passed, failed, skipped = (sum(numbers.get(word, 0) for word in words) for words in (_PASSED, _FAILED, _SKIPPED))
    return RunOfTests(runner=runner, passed=passed, failed=failed, skipped=skipped)


def test_runs(commands: Iterable[tuple[str, str]]) -> Iterator[tuple[str, RunOfTests]]:
    """Return the commands that ran tests, with the test runs in their outputs."""
    for command, output in commands:
        if (run := read_test_run(output)) is not None:
            yield command, run
