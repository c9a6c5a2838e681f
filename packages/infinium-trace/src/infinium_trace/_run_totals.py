"""Adds up the test runs of a payload's turns, and tells whether the last one is still valid."""

from infinium_trace._format import Payload, count, present
from infinium_trace.runner_output import RunOfTests, command_of, is_watching, only_shows_texts, read_test_run
from infinium_trace.session import ToolCall, Turn


class RunTotals:
    """The test runs so far."""

    def __init__(self) -> None:
        self._by_command: dict[int, RunOfTests] = {}
        """By a hash of the call's arguments. If a command ran again, only its last run counts."""
        self._runs = 0
        self._last: RunOfTests | None = None
        self._last_failed = False
        self._last_ended_ms = 0
        self._changed_ms = 0

    def add(self, turn: Turn) -> str | None:
        """Add the test runs and the file changes of a turn. Return the turn's last run in words; None without one."""
        last = None
        # The output of a call that ran other calls (a program of tool calls) repeats theirs.
        callers = {call.parent_call_id for call in turn.tool_calls}
        for call in turn.tool_calls:
            if call.changes:
                self.add_change(call.started_at_ms)
            if call.call_id not in callers and (run := _test_run(call)) is not None:
                self._add_run(call, run)
                last = run
        if last is None:
            return None
        return f"{count(last.run, 'test')} run ({last.failed:,} failed)" if last.is_counted else "tests run"

    def add_change(self, at_ms: int) -> None:
        """Add the time of a change to a file."""
        self._changed_ms = max(self._changed_ms, at_ms)

    def _add_run(self, call: ToolCall, run: RunOfTests) -> None:
        self._runs += 1
        self._by_command[hash(str(call.arguments))] = run
        ended = call.ended_at_ms or call.started_at_ms
        if ended >= self._last_ended_ms:
            self._last, self._last_ended_ms = run, ended
            self._last_failed = run.failed > 0 or call.failed

    @property
    def _counted(self) -> list[RunOfTests]:
        return [run for run in self._by_command.values() if run.is_counted]

    @property
    def run(self) -> int | None:
        """Number of tests that ran, in the last run of each command; None without a counted run."""
        return sum(run.run for run in self._counted) if self._counted else None

    @property
    def passed(self) -> int | None:
        """Number of tests that passed, likewise."""
        return sum(run.passed for run in self._counted) if self._counted else None

    def tags(self) -> Payload:
        """Return what the API has no fields for: failures, the state after the last run, and whether it is stale."""
        if self._last is None:
            return {}
        state = "failed" if self._last_failed else "passed"
        numbers = f"{self._last.run:,} run, {self._last.failed:,} failed" if self._last.is_counted else "not counted"
        return present(
            tests_failed=str(sum(run.failed for run in self._counted)) if self._counted else None,
            tests_last=f"{state}: {self._last.runner}, {numbers}",
            tests_runs=str(self._runs),
            tests_stale="true" if self._changed_ms > self._last_ended_ms else None,
        )


def _test_run(call: ToolCall) -> RunOfTests | None:
    """Return the test run of a call; None for a call without a command, or whose command may still print more."""
    command = command_of(call.arguments)
    if not command or not call.output or call.aborted or only_shows_texts(command):
        return None
    if not call.finished and not is_watching(call.output):
        return None
    return read_test_run(call.output)
