"""Counts the tests of runners that print a line a test and no sum: go, TAP, Gradle, `pytest -qq`."""

import re
from collections.abc import Callable, Iterable, Mapping

from infinium_trace.preview import clean
from infinium_trace.runner_formats import Counts

_GO_RUN = r"^=== RUN   ([^\s/]+)$"
_GO_END = (
    r"--- (PASS|FAIL|SKIP): ([^\s/]+) \([\d.]+s\)$"  # not at a line's start: a test may print without a line break
)
_GO_PACKAGE = r"^(ok|FAIL) ? ?\t\S+\t(?:[\d.]+s|\(cached\))"
_GO_EVENT = r'"Action":"(pass|fail|skip)"[^{}\n]{0,400}?"Test":"([^"/]+)"'
_TAP_PLAN = r"^1\.\.(\d+)"
_TAP_TEST = r"^(ok|not ok) \d+\b[^\n#]*(# ?(?:skip|todo))?"
_GRADLE = r"^\S[^\n]{0,500}? > [^\n]{1,500}? (PASSED|FAILED|SKIPPED)$"
_DOTS = r"^(?:\S+\.py )?([.FEsxXR]+) +\[ *\d+%\]$"


def _go(output: str) -> Counts | None:
    """Read `go test`. Without `-v` or `-json` it prints no number of passed tests."""
    if '"Action":"' in output:
        return _by_word(action for action, _ in re.findall(_GO_EVENT, output))
    if "--- " not in output and "ok  \t" not in output and "FAIL\t" not in output:
        return None
    text = clean(output)
    started = re.findall(_GO_RUN, text, re.MULTILINE)
    ended = re.findall(_GO_END, text, re.MULTILINE)
    if started and sorted(started) == sorted(name for _, name in ended):
        return _by_word(result for result, _ in ended)
    packages = re.findall(_GO_PACKAGE, text, re.MULTILINE)
    if not packages:
        return None
    failed = sum(result == "FAIL" for result, _ in ended) or int("FAIL" in packages)
    return Counts(failed=failed, is_counted=False)


def _tap(text: str) -> Counts | None:
    """Read a TAP stream without a sum, as bats prints it. It is complete if its plan says so."""
    plans = [int(number) for number in re.findall(_TAP_PLAN, text, re.MULTILINE)] if "1.." in text else []
    tests = re.findall(_TAP_TEST, text, re.MULTILINE | re.IGNORECASE) if plans else []
    if not tests or sum(plans) != len(tests):
        return None
    return _by_word("skip" if skipped else result for result, skipped in tests)


def _gradle(text: str) -> Counts | None:
    """Read Gradle's lines of tests, where its build file has them logged."""
    if " > " not in text:
        return None
    return _by_word(re.findall(_GRADLE, text, re.MULTILINE))


def _pytest_dots(text: str) -> Counts | None:
    """Read the progress lines of `pytest -qq`."""
    if "%]" not in text:
        return None
    return _by_word("".join(re.findall(_DOTS, text, re.MULTILINE)))


_PASSED, _FAILED, _SKIPPED = (
    frozenset(("pass", "PASS", "ok", "PASSED", ".", "x", "X")),
    frozenset(("fail", "FAIL", "not ok", "FAILED", "F", "E")),
    frozenset(("skip", "SKIP", "SKIPPED", "s")),
)


def _by_word(results: Iterable[str]) -> Counts | None:
    listed = list(results)
    if not listed:
        return None
    passed, failed, skipped = (sum(one in words for one in listed) for words in (_PASSED, _FAILED, _SKIPPED))
    return Counts(passed=passed, failed=failed, skipped=skipped)


LINE_READERS: Mapping[str, Callable[[str], Counts | None]] = {
    "go": _go,
    "gradle": _gradle,
    "pytest": _pytest_dots,
    "tap": _tap,
}
"""Readers by runner. They are tried if no summary was found. Go's reads the whole output."""
