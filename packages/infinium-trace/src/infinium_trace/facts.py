"""The figures of one turn: tools, failures, tests, files, tokens, cost and how it spent its time.

A trace reports the same figures. This module gives them to a program that lists turns without building their traces.
"""

from msgspec import Struct

from infinium_trace._run_totals import RunTotals
from infinium_trace._time_split import TimeSplit, split_time
from infinium_trace._tokens import TokenTotals
from infinium_trace.events import FileChange, TokenUsage
from infinium_trace.prices import PriceTable
from infinium_trace.session import Session, ToolCall, Turn
from infinium_trace.tree_changes import TreeChanges, merged_changes

__all__ = ["TimeSplit", "TurnFacts", "read_turn_facts", "working_calls"]


class TurnFacts(Struct, frozen=True, kw_only=True):
    """The figures of one turn, including those of its subagents."""

    tools: int
    """Tool calls, without those that only ran other calls."""
    failures: int
    """Tool calls that failed by themselves."""
    refused: int
    aborted: int
    subagents: int
    tests_run: int | None
    """Tests in the last run of each command; None without a counted run."""
    tests_passed: int | None
    tests: str | None
    """The last test run in words; None without one."""
    tests_stale: bool
    """Files changed after the last test run."""
    files: tuple[FileChange, ...]
    """Each changed file once."""
    usage: TokenUsage
    model_calls: int
    cost_usd: float | None
    """US dollars by list prices; None without model calls, or if a price is unknown."""
    unpriced: tuple[str, ...]
    """Models without a price."""
    time: TimeSplit | None

    @property
    def lines_added(self) -> int:
        return sum(change.lines_added or 0 for change in self.files)

    @property
    def lines_removed(self) -> int:
        return sum(change.lines_removed or 0 for change in self.files)


def read_turn_facts(session: Session, turn: Turn, prices: PriceTable, changes: TreeChanges | None = None) -> TurnFacts:
    """Return the figures of a turn of this session. `changes` is what it changed in its checkout, if that is known."""
    calls = working_calls(turn)
    tests, tokens = RunTotals(), TokenTotals()
    tests.add(turn)
    if changes is not None:
        tests.add_change(changes.changed_at_ms)
    tokens.add(turn.calls, session.provider, prices)
    tags = tests.tags()
    return TurnFacts(
        tools=len(calls),
        failures=sum(call.failed for call in calls),
        refused=sum(call.refused for call in calls),
        aborted=sum(call.aborted and not call.refused for call in calls),
        subagents=len(turn.subagents),
        tests_run=tests.run,
        tests_passed=tests.passed,
        tests=str(tags["tests_last"]) if "tests_last" in tags else None,
        tests_stale="tests_stale" in tags,
        files=merged_changes(turn.changes, changes, turn.cwd or session.cwd),
        usage=tokens.usage,
        model_calls=tokens.count,
        cost_usd=tokens.cost,
        unpriced=tuple(tokens.unpriced),
        time=split_time(turn),
    )


def working_calls(turn: Turn) -> list[ToolCall]:
    """Return the tool calls of a turn and its subagents, without those that only ran other calls."""
    callers = {call.parent_call_id for call in turn.tool_calls}
    return [call for call in turn.tool_calls if call.call_id not in callers]
