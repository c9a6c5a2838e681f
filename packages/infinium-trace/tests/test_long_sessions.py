"""The summary of a session does not depend on its slices, and its size is bounded."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import (
    MAX_BODY_BYTES,
    Event,
    ModelResponded,
    Session,
    SummaryBuilder,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    TraceOptions,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    _bounded,
    _tokens,
    _totals,
    fold,
)
from msgspec.structs import replace
from story import CONTEXT, CWD, MODEL, OPTIONS, hook, transcript

SECRET = "ghp_" + "x8Kq2LmZ7Rt4Vw9Yb3Nc6Hd1Jf5Ps0Ga2TeU"
WIDE = replace(OPTIONS, max_input_preview=2_000, max_output_preview=2_000)


def one_turn(number: int, *, output: str = "no output", exit_code: int = 0, calls: int = 1) -> Session:
    """Return a session with this turn only, as one slice has it."""
    turn, ms = f"turn-{number}", number * 1_000
    events: list[Event] = [TurnStarted(**hook(ms, turn), prompt=f"Question {number}.", cwd=CWD, model=MODEL)]
    for call in range(calls):
        name = f"{turn}-{call}"
        usage = TokenUsage(prompt=1_000, completion=10, cached=100, reasoning=1)
        command = {"command": f"step {number}"}
        events += [
            ModelResponded(**transcript(ms + 1, turn), response_id=name, usage=usage, model=MODEL, latency_ms=5),
            ToolStarted(**transcript(ms + 2, turn), call_id=name, tool="shell", arguments=command),
            ToolFinished(**transcript(ms + 3, turn), call_id=name, output=output, exit_code=exit_code),
        ]
    events.append(TurnEnded(**transcript(ms + 9, turn), status=TurnStatus.COMPLETED, last_message=f"Answer {number}."))
    return fold(events)


def summary_of(sessions: list[Session], options: TraceOptions = OPTIONS) -> SummaryBuilder:
    summary = SummaryBuilder(CONTEXT, options)
    for session in sessions:
        summary.add(session, session.turns)
    return summary


def sent(summary: SummaryBuilder) -> dict[str, Any]:
    body = summary.build().body
    assert len(body) <= MAX_BODY_BYTES
    found = json.loads(body)
    assert isinstance(found, dict)
    return found


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_a_summary_does_not_depend_on_the_slices(sizes: list[int]) -> None:
    found = [one_turn(number, output=f"the key is {SECRET}", exit_code=number % 2) for number in range(sum(sizes))]
    turns = [turn for session in found for turn in session.turns]
    whole = SummaryBuilder(CONTEXT, OPTIONS)
    whole.add(found[-1], turns)
    summary = SummaryBuilder(CONTEXT, OPTIONS)
    for size in sizes:
        summary.add(found[0], turns[:size])
        turns = turns[size:]
    assert summary.build() == whole.build()
    assert "steps_left_out" not in sent(summary)["environment"]["custom_tags"]


def test_a_secret_in_a_repeated_text_is_counted_once() -> None:
    summary = summary_of([one_turn(number, output=f"the key is {SECRET}") for number in range(3)])
    assert sent(summary)["environment"]["custom_tags"]["redacted"] == "github-token: 1"


def test_a_long_summary_keeps_both_ends_and_all_totals_and_counts_what_is_missing() -> None:
    trace = sent(summary_of([one_turn(number, output="x" * 5_000, exit_code=7) for number in range(4_000)], WIDE))
    steps, tags = trace["steps"], trace["environment"]["custom_tags"]
    assert (steps[0]["step_number"], steps[-1]["step_number"]) == (1, 4_000)
    assert [steps[0]["description"], steps[-1]["description"]] == ["step 0", "step 3999"]
    assert [step["step_number"] for step in steps] == sorted({step["step_number"] for step in steps})
    assert len(steps) + int(tags["steps_left_out"]) == 4_000
    assert len(trace["errors"]) + int(tags["errors_left_out"]) == 4_000
    assert (trace["llm_usage"]["prompt_tokens"], trace["llm_usage"]["api_calls_count"]) == (4_000_000, 4_000)
    assert (trace["llm_usage"]["total_latency_ms"], tags["turns"]) == (20_000, "4000")
    assert trace["input_summary"].startswith("Question 0.\n\nQuestion 1.")
    assert trace["description"].endswith(" characters]")
    assert "steps" in trace["sections"]["general"]["warnings"][-1]


def test_the_memory_of_a_summary_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is 64 KiB instead of 1 MiB, so that a short session suffices."""
    for module in (_bounded, _tokens, _totals):
        monkeypatch.setattr(module, "MAX_BODY_BYTES", 64 << 10)
    summary = SummaryBuilder(CONTEXT, WIDE)

    def take_in(first: int, last: int) -> int:
        for number in range(first, last):
            session = one_turn(number, output="x" * 5_000, exit_code=7, calls=4)
            summary.add(session, session.turns)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        some, many = take_in(0, 400), take_in(400, 800)
    finally:
        tracemalloc.stop()
    assert "steps_left_out" in sent(summary)["environment"]["custom_tags"]
    assert many < 1.5 * some
