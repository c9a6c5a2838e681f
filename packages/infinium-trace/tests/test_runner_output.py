"""Tests that ran and passed: from the summary of a known runner, the last run of each command."""

import pytest
from infinium_trace import (
    Event,
    RunOfTests,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    fold,
    read_test_run,
)
from story import CWD, hook, transcript, turn_payload

PYTEST_IN_COLOUR = """\
\x1b[31mERROR\x1b[0m test_x.py::\x1b[1mtest_five\x1b[0m - ValueError
\x1b[31m========== \x1b[31m\x1b[1m1 failed\x1b[0m, \x1b[32m1 passed\x1b[0m, \x1b[33m1 skipped\x1b[0m, \
\x1b[33m1 xfailed\x1b[0m, \x1b[31m\x1b[1m1 error\x1b[0m\x1b[31m in 1.82s\x1b[0m\x1b[31m ==========\x1b[0m
"""
JEST = """\
      at Object.toBe (a.test.js:2:27)

Test Suites: 1 failed, 1 total
Tests:       1 failed, 1 skipped, 1 passed, 3 total
Snapshots:   0 total
Time:        0.872 s, estimated 1 s
Ran all test suites.
"""
CARGO = """\
running 3 tests
test three ... ignored
test one ... ok
test two ... FAILED

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s

error: test failed, to rerun pass `--lib`
"""
CARGO_TWO_CRATES = """\
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests shop
test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
"""
GO = """\
=== RUN   TestOne
--- PASS: TestOne (0.00s)
=== RUN   TestTwo
=== RUN   TestTwo/inner
    two_test.go:9: no
--- FAIL: TestTwo (0.00s)
    --- FAIL: TestTwo/inner (0.00s)
=== RUN   TestThree
--- SKIP: TestThree (0.00s)
FAIL
exit status 1
FAIL\texample.org/shop\t0.002s
"""


GO_WITH_PRINTS = """\
=== RUN   TestSkips
    a_test.go:5: later
--- SKIP: TestSkips (0.00s)
=== RUN   TestTogether
=== PAUSE TestTogether
=== RUN   TestPrints
no newline--- PASS: TestPrints (0.00s)
=== CONT  TestTogether
--- PASS: TestTogether (0.00s)
PASS
ok  \texample.org/shop\t0.002s
=== RUN   TestPrints
--- PASS: TestPrints (0.00s)
PASS
ok  \texample.org/shop/till\t0.001s
"""
JEST_WITH_TODO = """\
\x1b[1mTests:       \x1b[22m\x1b[1m\x1b[31m1 failed\x1b[39m\x1b[22m, \x1b[1m\x1b[33m1 skipped\x1b[39m\x1b[22m, \
\x1b[1m\x1b[35m1 todo\x1b[39m\x1b[22m, \x1b[1m\x1b[32m2 passed\x1b[39m\x1b[22m, 5 total
\x1b[1mSnapshots:   \x1b[22m0 total
"""


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (PYTEST_IN_COLOUR, RunOfTests(runner="pytest", passed=2, failed=2, skipped=1)),
        ("3 passed in 0.01s\n", RunOfTests(runner="pytest", passed=3, failed=0)),
        ("= 12 passed, 2 warnings in 70.10s (0:01:10) =", RunOfTests(runner="pytest", passed=12, failed=0)),
        ("..\n1 skipped, 3 deselected in 0.2s", RunOfTests(runner="pytest", passed=0, failed=0, skipped=1)),
        (JEST, RunOfTests(runner="jest", passed=1, failed=1, skipped=1)),
        ("Tests:       7 passed, 7 total", RunOfTests(runner="jest", passed=7, failed=0)),
        (CARGO, RunOfTests(runner="cargo", passed=1, failed=1, skipped=1)),
        (CARGO_TWO_CRATES, RunOfTests(runner="cargo", passed=6, failed=0, skipped=1)),
        (GO, RunOfTests(runner="go", passed=1, failed=1, skipped=1)),
        (GO_WITH_PRINTS, RunOfTests(runner="go", passed=3, failed=0, skipped=1)),
        (GO + "out\n" * 9_000, RunOfTests(runner="go", passed=1, failed=1, skipped=1)),
        (JEST_WITH_TODO, RunOfTests(runner="jest", passed=2, failed=1, skipped=2)),
    ],
)
def test_each_runners_summary_is_read(output: str, expected: RunOfTests) -> None:
    assert read_test_run(output) == expected


@pytest.mark.parametrize(
    "output",
    [
        "",
        "All 3 tests passed.",
        "3 passed",
        "no tests ran in 0.01s",
        "2 warnings in 0.10s",
        "ok  \texample.org/shop\t0.002s\n",  # go counts only with -v
        "--- FAIL: TestTwo (0.00s)\nFAIL\n",
        GO.replace("--- PASS: TestOne (0.00s)\n", "…12 lines truncated…\n"),
        "Tests: many",
        "I slept 3 times in 2s",
    ],
)
def test_other_texts_are_no_test_run(output: str) -> None:
    assert read_test_run(output) is None


def development(*runs: tuple[str, str, int | None]) -> dict[str, object]:
    """Return the development section of a turn that ran these commands (command, output, exit code)."""
    events: list[Event] = [TurnStarted(**hook(0, "t"), prompt="Test it.", cwd=CWD)]
    for number, (command, output, exit_code) in enumerate(runs):
        at = transcript(100 * number + 10, "t")
        events.append(ToolStarted(**at, call_id=str(number), tool="shell", arguments={"command": command}))
        events.append(ToolFinished(**at, call_id=str(number), output=output, exit_code=exit_code))
    events.append(TurnEnded(**transcript(9_000, "t"), status=TurnStatus.COMPLETED))
    session = fold(events)
    found = turn_payload(session, session.turns[0])["sections"].get("development", {})
    assert isinstance(found, dict)
    return found


def test_a_repeated_run_counts_once() -> None:
    assert development(
        ("pytest -q", "1 failed, 2 passed in 0.1s", 1), ("pytest -q", "3 passed in 0.1s", 0), ("cargo test", CARGO, 101)
    ) == {"tests_run": 5, "tests_passed": 4}


def test_without_a_test_run_there_are_no_numbers() -> None:
    assert development(("make", "done", 0)) == {}


def test_a_command_that_did_not_end_is_no_test_run() -> None:
    """Its output may be a log that it follows."""
    assert development(("tail -f log", "3 passed in 0.1s", None)) == {}
