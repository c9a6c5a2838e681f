"""How many tests a command ran and passed, where the runner's own last words say so."""

import re
from collections.abc import Iterable, Iterator

from msgspec import Struct

from infinium_trace.preview import clean

_TAIL = 20_000
"""A summary stands at the end: no more of a long output is looked at."""


class RunOfTests(Struct, frozen=True, kw_only=True):
    """Tests as their runner counted them; skipped ones did not run."""

    runner: str
    passed: int
    failed: int
    skipped: int = 0

    @property
    def run(self) -> int:
        return self.passed + self.failed


_PYTEST = re.compile(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))?\s*=*$", re.MULTILINE)
_JEST = re.compile(r"^Tests:\s+((?:\d+ [a-z]+, )*)\d+ total$", re.MULTILINE)
_CARGO = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;", re.MULTILINE)
_GO_BEGUN = re.compile(r"^=== RUN   ([^\s/]+)$", re.MULTILINE)
_GO_ENDED = re.compile(
    r"--- (PASS|FAIL|SKIP): ([^\s/]+) \([\d.]+s\)$", re.MULTILINE
)  # a test may print without a line's end
_COUNTED = re.compile(r"(\d+) ([a-z]+)")

_PASSED = frozenset({"passed", "xpassed", "xfailed"})  # what fails as expected is in order
_FAILED = frozenset({"failed", "error", "errors"})
_SKIPPED = frozenset({"skipped", "todo"})


def read_test_run(output: str) -> RunOfTests | None:
    """The tests an output tells of; None where no known runner speaks, or does not say how many there were.

    `go test` counts its tests only with `-v`; subtests are their test's own.
    """
    whole, output = output, clean(output[-_TAIL:])
    if cargo := _CARGO.findall(output):
        passed, failed, ignored = (sum(map(int, column)) for column in zip(*cargo, strict=True))
        return RunOfTests(runner="cargo", passed=passed, failed=failed, skipped=ignored)
    if jest := _JEST.findall(output):
        return _counted("jest", jest[-1])
    for summary in reversed(_PYTEST.findall(output)):
        if (found := _counted("pytest", summary)) is not None:
            return found
    return _listed_by_go(clean(whole)) if "=== RUN   " in whole else None


def _listed_by_go(output: str) -> RunOfTests | None:
    """Go gives no sum: its tests are counted, unless the middle of the output is missing."""
    begun, ended = _GO_BEGUN.findall(output), _GO_ENDED.findall(output)
    if not begun or sorted(begun) != sorted(name for _, name in ended):
        return None
    ends = [how for how, _ in ended]
    return RunOfTests(runner="go", passed=ends.count("PASS"), failed=ends.count("FAIL"), skipped=ends.count("SKIP"))


def _counted(runner: str, summary: str) -> RunOfTests | None:
    numbers = {word: int(number) for number, word in _COUNTED.findall(summary)}
    if not numbers.keys() & (_PASSED | _FAILED | _SKIPPED):
        return None
    passed, failed, skipped = (sum(numbers.get(word, 0) for word in words) for words in (_PASSED, _FAILED, _SKIPPED))
    return RunOfTests(runner=runner, passed=passed, failed=failed, skipped=skipped)


def test_runs(commands: Iterable[tuple[str, str]]) -> Iterator[tuple[str, RunOfTests]]:
    """The commands that ran tests, and what their outputs tell of them."""
    for command, output in commands:
        if (run := read_test_run(output)) is not None:
            yield command, run
