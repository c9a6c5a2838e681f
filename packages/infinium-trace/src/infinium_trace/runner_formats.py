"""The summaries of test runners: one row a format. To add a runner, add its row and a real output to the tests."""

import re
from collections.abc import Mapping

from msgspec import Struct


class Counts(Struct, frozen=True, kw_only=True):
    """Numbers of tests."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    is_counted: bool = True

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            passed=self.passed + other.passed,
            failed=self.failed + other.failed,
            skipped=self.skipped + other.skipped,
            is_counted=self.is_counted and other.is_counted,
        )


_TOTAL = frozenset(
    (
        "tests",
        "test",
        "tests run",
        "runs",
        "examples",
        "example",
        "specs",
        "spec",
        "ran",
        "tests completed",
        "test completed",
    )
)
"""Words for the number of all tests. Where there is none for those that passed, they are the rest of it."""
_PASSED = frozenset((
    "passed", "passing", "pass", "xpassed", "xfailed", "flaky", "ok", "succeeded", "expected failures",
))  # fmt: skip
"""An expected failure is a pass."""
_FAILED = frozenset((
    "failed", "failing", "fail", "failure", "failures", "error", "errors", "cancelled", "timed out", "exec failed",
    "unexpected successes", "interrupted",
))  # fmt: skip
_SKIPPED = frozenset((
    "skipped", "skip", "skips", "ignored", "pending", "todo", "incomplete", "did not run", "pending spec",
    "pending specs",
))  # fmt: skip
_WORD = r"[a-z]+(?: [a-z]+)*"


class Format(Struct, frozen=True, kw_only=True):
    """The summary of one runner: a regular expression of it, and the order of its words and numbers."""

    runner: str
    hint: str
    """A text that every such output has. It is searched first, because that is fast."""
    summary: str
    """Regular expression. Its named groups are the numbers; else group 1, if it has one, is the part with words and
    numbers."""
    number_first: bool = True
    """"3 passed", not "passed: 3"."""
    needs: str = ""
    """Another text that the output must have."""

    def read(self, text: str) -> list[Counts]:
        """Return the counts of every such summary in a text."""
        if self.hint not in text or self.needs not in text:
            return []
        found = []
        for match in re.finditer(self.summary, text, re.MULTILINE):
            if match.re.groupindex:
                numbers = {name: int(number or 0) for name, number in match.groupdict().items()}
            else:
                numbers = _numbers(match[1] if match.re.groups else match[0], number_first=self.number_first)
            counts = _count(numbers)
            if counts is not None:
                found.append(counts)
        return found


def _numbers(part: str, *, number_first: bool) -> dict[str, int]:
    """Return the numbers in a part of a summary by their words."""
    pattern = rf"(\d+) ({_WORD})" if number_first else rf"({_WORD})[ :=]+(\d+)"
    numbers: dict[str, int] = {}
    for one, other in re.findall(pattern, part.lower()):
        word, number = (other, one) if number_first else (one, other)
        numbers[word] = numbers.get(word, 0) + int(number)
    return numbers


def _count(numbers: Mapping[str, int]) -> Counts | None:
    passed, failed, skipped = (_sum(numbers, words) for words in (_PASSED, _FAILED, _SKIPPED))
    total = _sum(numbers, _TOTAL)
    if not numbers.keys() & _PASSED - {"expected failures"} and total:
        passed = max(total - failed - skipped, 0)
    if not passed + failed + skipped:
        return None
    return Counts(passed=passed, failed=failed, skipped=skipped)


def _sum(numbers: Mapping[str, int], words: frozenset[str]) -> int:
    return sum(number for word, number in numbers.items() if word in words)


FORMATS = (
    Format(
        runner="pytest", hint=" in ", summary=r"^=*[ \t]*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s(?: \([\d:]+\))?[ \t]*=*$"
    ),
    Format(
        runner="unittest",
        hint="Ran ",
        summary=r"^(Ran \d+ tests? in [\d.]+s\n\n(?:OK|FAILED|NO TESTS RAN)(?: \([^\n]*\))?)$",
        number_first=False,
    ),
    Format(runner="vitest", hint=" Tests ", summary=r"^[ \t]*Tests[ \t]+((?:\d+ [a-z]+(?: \| )?)+)[ \t]*\(\d+\)"),
    Format(runner="jest", hint="Tests:", summary=r"^Tests:[ \t]+((?:\d+ [a-z]+, )*)\d+ total[ \t]*$"),
    Format(
        runner="mocha", hint=" passing (", summary=r"^[ \t]*\d+ passing \(.*\)$(?:\n[ \t]*\d+ (?:pending|failing)$)*"
    ),
    Format(runner="jasmine", hint=" spec", summary=r"^(\d+ specs?, \d+ failures?(?:, \d+ pending specs?)?)"),
    Format(
        runner="playwright",
        hint=" › ",
        summary=r"^  \d+ (?:passed|failed|flaky|skipped|interrupted|did not run)(?: \([\d.]+(?:ms|s|m|h)\))?$",
        needs="Running ",
    ),
    Format(
        runner="node:test",
        hint=" duration_ms ",
        summary=r"^(?:#|ℹ) tests \d+$(?:\n(?:#|ℹ) [a-z]+ \d+$)+",
        number_first=False,
    ),
    Format(
        runner="tap", hint="# pass", summary=r"^# tests \d+$(?:\n# (?:pass|fail|skip|todo) +\d+$)+", number_first=False
    ),
    Format(
        runner="bun",
        hint=" across ",
        summary=r"(?:^[ \t]*\d+ (?:pass|fail|skip|todo|filtered out|error|errors|snapshots?.*"
        r"|expect\(\) calls?)\n)+"
        r"^Ran \d+ tests? across",
    ),
    Format(runner="deno", hint=" | ", summary=r"^(?:ok|FAILED) \| (\d+ passed.*)$"),
    Format(runner="cargo", hint="test result: ", summary=r"^test result: \w+\. (\d+ passed; \d+ failed; \d+ ignored);"),
    Format(runner="nextest", hint=" run: ", summary=r"^[ \t]+Summary \[[^\]\n]{0,40}\] [\d/]+ tests? run: (.+)$"),
    Format(
        runner="ctest",
        hint="% tests passed",
        summary=r"^\d+% tests passed, "
        r"(?P<failed>\d+) tests failed out of (?P<tests>\d+)",
    ),
    Format(
        runner="rspec",
        hint=" example",
        summary=r"^(?P<examples>\d+) examples?, (?P<failures>\d+) failures?(?:, (?P<pending>\d+) pending)?"
        r"(?:, (?P<errors>\d+) errors?)?",
    ),
    Format(
        runner="minitest", hint=" assertions, ", summary=r"^(\d+ (?:runs|tests), \d+ assertions, \d+ failures, .*)$"
    ),
    Format(runner="phpunit", hint="ssertion", summary=r"^(?:OK \((\d+ tests?), \d+ assertions?\))$"),
    Format(runner="phpunit", hint="Assertions: ", summary=r"^(Tests: \d+, Assertions: \d+.*)\.$", number_first=False),
    Format(
        runner="maven",
        hint="Tests run: ",
        summary=r"^(?:\[\w+\] )?(Tests run: \d+, Failures: \d+, Errors: \d+(?:, Skipped: \d+)?)[ \t]*$",
        number_first=False,
    ),
    Format(runner="gradle", hint=" completed, ", summary=r"^(\d+ tests? completed, \d+ failed(?:, \d+ skipped)?)"),
    Format(
        runner="dotnet",
        hint="Passed: ",
        summary=r"^(?:Passed!|Failed!|Skipped!)[ \t]+- (Failed: +\d+, Passed: +\d+, Skipped: +\d+), Total:",
        number_first=False,
    ),
    Format(
        runner="dotnet",
        hint="Test summary: ",
        summary=r"^Test summary: total: \d+, (failed: \d+, succeeded: \d+, skipped: \d+)",
        number_first=False,
    ),
    Format(runner="bats", hint=" failure", summary=r"^(\d+ tests?, \d+ failures?(?:, \d+ skipped)?)$"),
)
WRAPPING = frozenset(("ctest",))
"""Runners whose tests are programs with summaries of their own."""
