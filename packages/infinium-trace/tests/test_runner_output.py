"""Tests that ran and passed: from the summary of a known runner, the last run of each command."""

from pathlib import Path
from typing import Any

import pytest
from infinium_trace import (
    ChangeKind,
    Event,
    FileChange,
    RunOfTests,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    fold,
    read_test_run,
)
from infinium_trace.runner_output import only_shows_texts
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


REAL_OUTPUTS = Path(__file__).parent / "runner_outputs"
"""Outputs of real runners, each of a small project: one test that passes, one that fails, one that is skipped."""
REAL = {
    "bats": ("tap", 1, 1, 1),
    "bats-pretty": ("bats", 1, 1, 1),
    "bun": ("bun", 1, 1, 2),
    "cargo": ("cargo", 1, 1, 1),
    "ctest": ("ctest", 1, 1, 0),
    "deno": ("deno", 1, 1, 1),
    "go-json": ("go", 1, 1, 1),
    "go-v": ("go", 1, 1, 1),
    "gradle": ("gradle", 2, 1, 1),
    "gradle-lines": ("gradle", 2, 1, 1),
    "jest": ("jest", 1, 1, 2),
    "just": ("unittest", 2, 2, 1),
    "make": ("pytest", 2, 1, 1),
    "maven": ("maven", 1, 1, 1),
    "minitest": ("minitest", 1, 1, 1),
    "mocha": ("mocha", 1, 1, 1),
    "mocha-dot": ("mocha", 1, 1, 1),
    "mocha-tap": ("tap", 1, 1, 0),
    "nextest": ("nextest", 1, 1, 1),
    "node-test": ("node:test", 3, 1, 1),
    "node-test-spec": ("node:test", 3, 1, 1),
    "node-test-tap": ("node:test", 3, 1, 1),
    "nox": ("pytest", 3, 0, 0),
    "npm-vitest": ("vitest", 1, 1, 2),
    "phpunit": ("phpunit", 1, 1, 1),
    "phpunit-ok": ("phpunit", 1, 0, 0),
    "playwright": ("playwright", 1, 1, 1),
    "pytest": ("pytest", 2, 1, 1),
    "pytest-q": ("pytest", 2, 1, 1),
    "pytest-qq": ("pytest", 2, 1, 1),
    "pytest-xdist": ("pytest", 2, 1, 1),
    "rspec": ("rspec", 1, 1, 1),
    "tox": ("pytest", 2, 0, 0),
    "unittest": ("unittest", 2, 2, 1),
    "unittest-v": ("unittest", 2, 2, 1),
    "vitest": ("vitest", 1, 1, 2),
    "vitest-watch": ("vitest", 1, 1, 2),
}
"""Runner, passed, failed and skipped. An expected failure is a pass."""
UNCOUNTED = {"go": 1, "go-ok": 0}
"""`go test` without `-v` prints failures, and no number of passed tests."""
NOT_TESTS = {"node-test-dot"}
"""Outputs without numbers."""
DOTNET = "Failed!  - Failed:     1, Passed:    11, Skipped:     2, Total:    14, Duration: 9 ms - Shop.dll (net8.0)\n"
DOTNET_9 = "Test summary: total: 14, failed: 1, succeeded: 11, skipped: 2, duration: 1.2s\n"
TWO_RUNNERS = "2 passed in 0.01s\n\nTests:       1 failed, 3 passed, 4 total\n"


@pytest.mark.parametrize("name", sorted(REAL))
def test_tests_of_a_real_runner_are_counted(name: str) -> None:
    runner, passed, failed, skipped = REAL[name]
    output = (REAL_OUTPUTS / f"{name}.txt").read_text("utf-8")
    assert read_test_run(output) == RunOfTests(runner=runner, passed=passed, failed=failed, skipped=skipped)


def test_every_real_output_has_an_expectation() -> None:
    assert {path.stem for path in REAL_OUTPUTS.iterdir()} == REAL.keys() | UNCOUNTED.keys() | NOT_TESTS


@pytest.mark.parametrize("name", sorted(UNCOUNTED))
def test_a_runner_without_numbers_reports_its_failures(name: str) -> None:
    run = read_test_run((REAL_OUTPUTS / f"{name}.txt").read_text("utf-8"))
    assert run == RunOfTests(runner="go", passed=0, failed=UNCOUNTED[name], is_counted=False)


@pytest.mark.parametrize("name", sorted(NOT_TESTS))
def test_an_output_without_numbers_is_no_test_run(name: str) -> None:
    assert read_test_run((REAL_OUTPUTS / f"{name}.txt").read_text("utf-8")) is None


def test_all_colours_and_cursor_movements_are_ignored() -> None:
    assert "\x1b[" in (REAL_OUTPUTS / "bats-pretty.txt").read_text("utf-8")
    assert "\x1b[" in (REAL_OUTPUTS / "vitest.txt").read_text("utf-8")


def test_a_watching_runner_counts_its_last_run() -> None:
    output = (REAL_OUTPUTS / "vitest-watch.txt").read_text("utf-8")
    assert output.count("Test Files") == 2


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
        (DOTNET, RunOfTests(runner="dotnet", passed=11, failed=1, skipped=2)),
        (DOTNET_9, RunOfTests(runner="dotnet", passed=11, failed=1, skipped=2)),
        (TWO_RUNNERS, RunOfTests(runner="jest, pytest", passed=5, failed=1)),
        ("1 example, 0 failures\n", RunOfTests(runner="rspec", passed=1, failed=0)),
        (
            "0 examples, 0 failures, 1 error occurred outside of examples\n",
            RunOfTests(runner="rspec", passed=0, failed=1),
        ),
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
        "--- FAIL: TestTwo (0.00s)\nFAIL\n",
        "Tests: many",
        "I slept 3 times in 2s",
    ],
)
def test_other_texts_are_no_test_run(output: str) -> None:
    assert read_test_run(output) is None


@pytest.mark.parametrize(
    "line",
    [
        "1 a" * 200_000,
        "--- PASS: " * 90_000,
        '"Action":"pass"' * 60_000,
        " > " * 300_000,
        " " * 900_000,
        "Summary [" * 99_000,
    ],
)
def test_a_hostile_output_takes_linear_time(line: str) -> None:
    """A quadratic search would not end within the time of a test run."""
    hints = (
        " in Ran Tests: (OK Tests passing ( › Running duration_ms # pass across | run: ssertion Passed: 1.. %] 1 specs,"
    )
    assert read_test_run(f"{hints}\n{line}\n{hints}") is None


@pytest.mark.parametrize(
    ("command", "shows_texts"),
    [
        ("cat log.txt", True),
        ("cd shop && rg passed | head -5", True),
        ("git show HEAD:log.txt", True),
        ("sed -n 1,20p a.txt; cat b.txt", True),
        ("cat list.txt | xargs pytest", True),
        ("pytest -q | tail -5", False),
        ("cd shop && CI=1 timeout 60 npm test", False),
        ("cat a.txt && make test", False),
        ("git commit -m x", False),
    ],
)
def test_commands_that_show_texts_run_no_tests(command: str, shows_texts: bool) -> None:
    assert only_shows_texts(command) is shows_texts


def a_turn_with(*steps: tuple[str, str, int | None], patch_at: int | None = None) -> dict[str, Any]:
    """Return the payload of a turn that ran these commands (command, output, exit code), then perhaps a patch."""
    events: list[Event] = [TurnStarted(**hook(0, "t"), prompt="Test it.", cwd=CWD)]
    for number, (command, output, exit_code) in enumerate(steps):
        at = transcript(100 * number + 10, "t")
        events.append(ToolStarted(**at, call_id=str(number), tool="shell", arguments={"command": command}))
        events.append(ToolFinished(**at, call_id=str(number), output=output, exit_code=exit_code))
    if patch_at is not None:
        changes = [FileChange(path="a.py", kind=ChangeKind.MODIFIED)]
        events.append(ToolFinished(**transcript(patch_at, "t"), call_id="patch", tool="apply_patch", changes=changes))
    events.append(TurnEnded(**transcript(9_000, "t"), status=TurnStatus.COMPLETED))
    session = fold(events)
    return turn_payload(session, session.turns[0])


def tags(payload: dict[str, Any]) -> dict[str, str]:
    found = payload["environment"]["custom_tags"]
    return {name: value for name, value in found.items() if name.startswith("tests_")}


def development(*runs: tuple[str, str, int | None]) -> dict[str, object]:
    """Return the development section of a turn that ran these commands."""
    found = a_turn_with(*runs)["sections"].get("development", {})
    assert isinstance(found, dict)
    return found


def test_a_repeated_run_counts_once() -> None:
    assert development(
        ("pytest -q", "1 failed, 2 passed in 0.1s", 1), ("pytest -q", "3 passed in 0.1s", 0), ("cargo test", CARGO, 101)
    ) == {"tests_run": 5, "tests_passed": 4}


def test_the_last_state_of_the_tests_is_reported() -> None:
    failed, passed = ("pytest -q", "1 failed, 2 passed in 0.1s", 1), ("pytest -q", "3 passed in 0.1s", 0)
    assert tags(a_turn_with(failed, passed)) == {
        "tests_failed": "0",
        "tests_last": "passed: pytest, 3 run, 0 failed",
        "tests_runs": "2",
    }
    found = tags(a_turn_with(passed, failed))
    assert (found["tests_failed"], found["tests_last"]) == ("1", "failed: pytest, 3 run, 1 failed")


def test_a_turns_description_has_its_last_test_run() -> None:
    description = a_turn_with(("pytest -q", "1 failed, 2 passed in 0.1s", 1))["description"]
    assert "3 tests run (1 failed)" in description


def test_a_run_that_exits_with_an_error_has_failed_even_if_its_tests_passed() -> None:
    assert tags(a_turn_with(("pytest --cov", "3 passed in 0.1s", 2)))["tests_last"].startswith("failed: pytest, 3 run")


def test_the_state_of_uncounted_tests_is_reported_without_numbers() -> None:
    payload = a_turn_with(("go test ./...", "ok  \texample.org/shop\t0.002s\n", 0))
    assert "development" not in payload["sections"]
    assert tags(payload) == {"tests_last": "passed: go, not counted", "tests_runs": "1"}


def test_tests_are_stale_if_files_changed_after_the_last_run() -> None:
    run = ("pytest -q", "3 passed in 0.1s", 0)
    assert tags(a_turn_with(run, patch_at=500))["tests_stale"] == "true"
    assert "tests_stale" not in tags(a_turn_with(run, patch_at=5))


def test_without_a_test_run_there_are_no_numbers() -> None:
    assert development(("make", "done", 0)) == {}
    assert tags(a_turn_with(("make", "done", 0), patch_at=50)) == {}


def test_a_text_that_is_shown_is_no_test_run() -> None:
    assert development(("cat log", "3 passed in 0.1s", 0)) == {}


def test_tests_are_counted_without_a_transcript() -> None:
    """Hooks do not report exit codes."""
    assert development(("pytest -q", "3 passed in 0.1s", None)) == {"tests_run": 3, "tests_passed": 3}


def test_a_command_that_still_runs_counts_only_if_it_watches_files() -> None:
    for output, counted in (("3 passed in 0.1s\n", False), ("3 passed in 0.1s\n[Watching for changes]\n", True)):
        at = transcript(10, "t")
        session = fold(
            [
                TurnStarted(**hook(0, "t"), prompt="Test it.", cwd=CWD),
                ToolStarted(**at, call_id="c", tool="shell", arguments={"command": "ptw"}),
                ToolFinished(**at, call_id="c", output=output, still_running=True),
            ]
        )
        assert bool(turn_payload(session, session.turns[0])["sections"].get("development")) is counted
