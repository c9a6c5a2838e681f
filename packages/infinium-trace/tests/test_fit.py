"""The body of every trace fits the API's size limit, keeps the important parts and reports what was omitted."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from infinium_trace import (
    MAX_BODY_BYTES,
    ChangeKind,
    Event,
    FileChange,
    ModelResponded,
    ToolFinished,
    ToolStarted,
    TraceOptions,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    encode,
    fold,
)
from msgspec.structs import replace
from story import CWD, FIRST, MODEL, OPTIONS, hook, transcript, turn_payload

WIDE = replace(OPTIONS, max_input_preview=4_000, max_output_preview=65_536, max_body_bytes=1 << 40)
"""Options with long previews and no size limit."""
FAILED = 250
"""Index of the failing call in the middle of the long turn."""


def long_turn(calls: int = 500, output: str = "x" * 65_536, options: TraceOptions = WIDE) -> dict[str, Any]:
    events: list[Event] = [TurnStarted(**hook(0, "t"), prompt="Run everything.", cwd=CWD, model=MODEL)]
    for number in range(calls):
        call = f"call-{number}"
        ms = 100 + number * 10
        events += [
            ModelResponded(**transcript(ms, "t"), response_id=call, usage=FIRST, model=MODEL),
            ToolStarted(**transcript(ms + 1, "t"), call_id=call, tool="shell", arguments={"command": f"step {number}"}),
            ToolFinished(
                **transcript(ms + 5, "t"),
                call_id=call,
                output=output,
                exit_code=3 if number == FAILED else 0,
                changes=[FileChange(path=f"{CWD}/f{number}.py", kind=ChangeKind.ADDED)],
            ),
        ]
    events.append(TurnEnded(**transcript(90_000, "t"), status=TurnStatus.COMPLETED, last_message="All run."))
    session = fold(events)
    return turn_payload(session, session.turns[0], options=options)


def sent(payload: dict[str, Any], limit: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Return the body as the API parses it: strict JSON in UTF-8 within the limit."""
    body = encode(payload, limit)
    assert len(body) <= limit

    def refuse(name: str) -> object:
        raise AssertionError(f"{name} is not JSON")

    read = json.loads(body.decode(), parse_constant=refuse)
    assert isinstance(read, dict)
    return read


def test_a_payload_that_fits_is_sent_as_it_is() -> None:
    payload = long_turn(3, "short")
    assert sent(payload) == payload
    assert encode(payload) == encode(payload)


def test_a_turn_of_500_calls_with_long_outputs_fits_and_keeps_what_matters() -> None:
    payload = long_turn()
    read = sent(payload)
    steps = read["steps"]
    assert [steps[0]["step_number"], steps[-1]["step_number"]] == [1, 500]
    assert steps[0]["output_preview"], "the first step is thinned last"
    assert 0 < len(steps[len(steps) // 2 - 2]["output_preview"]) <= 300, "both ends of the others are kept"
    assert [step["step_number"] for step in steps if "error" in step] == [FAILED + 1]
    assert read["errors"] == payload["errors"]
    assert read["errors"][0]["error_code"] == "3"
    totals = {name: value for name, value in payload["llm_usage"].items() if name != "calls"}
    assert "calls" not in read["llm_usage"], "the list of calls goes before any preview"
    assert totals.items() <= read["llm_usage"].items()
    assert read["sections"]["development"] == payload["sections"]["development"]
    for name in ("name", "description", "duration", "current_datetime", "input_summary", "output_summary"):
        assert read[name] == payload[name]


def test_the_trace_reports_what_was_omitted() -> None:
    read = sent(long_turn())
    (warning,) = read["sections"]["general"]["warnings"]
    thinned = sum(len(step["output_preview"]) <= 300 for step in read["steps"])
    assert warning == (
        f"Size limit: omitted 0 steps, 500 model calls. Shortened or omitted the previews of {thinned} steps."
    )
    tags = read["environment"]["custom_tags"]
    assert tags["steps_thinned"] == str(thinned)
    assert tags["trace_key"] == long_turn(1)["environment"]["custom_tags"]["trace_key"]


@pytest.mark.parametrize("limit", range(28_000, 32_000, 97))
def test_the_reported_numbers_are_those_of_the_missing_parts(limit: int) -> None:
    payload = long_turn(500, "y" * 300)
    read = sent(payload, limit)
    tags = read["environment"]["custom_tags"]
    assert int(tags["steps_left_out"]) == 500 - len(read["steps"]) > 0
    assert int(tags["steps_thinned"]) == len(read["steps"])
    assert int(tags["calls_left_out"]) == 500
    assert "shortened_to" not in tags, "steps are enough"
    assert "calls" not in read["llm_usage"]
    kept = [step["step_number"] for step in read["steps"]]
    assert kept == sorted(kept)
    assert {1, FAILED + 1, 500} <= set(kept), "the first, the failed and the last"
    assert read["llm_usage"]["prompt_tokens"] == 500 * FIRST.prompt


def test_twice_as_many_steps_fit_whole() -> None:
    """A step says each thing once, so that 1,400 steps with previews fit into the API's limit."""
    payload = long_turn(3_000, "line of code\n" * 200, replace(OPTIONS, max_body_bytes=1 << 40))
    read = sent(payload)
    assert sum("output_preview" in step for step in read["steps"]) > 1_400


def test_steps_are_removed_from_the_middle_outwards() -> None:
    kept = {step["step_number"] for step in sent(long_turn(500, "y" * 300), 30_000)["steps"]} - {FAILED + 1}
    gone = set(range(1, 501)) - kept - {FAILED + 1}
    assert sorted(gone) == [number for number in range(min(gone), max(gone) + 1) if number != FAILED + 1]
    assert abs((min(gone) - 1) - (500 - max(gone))) <= 1


def test_model_calls_are_removed_before_any_step() -> None:
    payload = long_turn(20, "out")
    payload["llm_usage"]["calls"] *= 1_000
    read = sent(payload)
    assert [step["step_number"] for step in read["steps"]] == list(range(1, 21))
    assert read["llm_usage"]["prompt_tokens"] == 20 * FIRST.prompt
    assert read["environment"]["custom_tags"]["calls_left_out"] == "20000"


def test_a_turn_that_changed_more_files_than_fit_still_has_a_trace() -> None:
    payload = long_turn(5, "out")
    payload["sections"]["development"]["files_modified"] = [f"src/generated/module_{n:06}.py" for n in range(60_000)]
    read = sent(payload)
    files = read["sections"]["development"]["files_modified"]
    assert (files[0], files[-1]) == ("src/generated/module_000000.py", "src/generated/module_059999.py")
    assert [step["step_number"] for step in read["steps"]][:: len(read["steps"]) - 1] == [1, 5]
    assert "Truncated lists to 10,000 entries" in read["sections"]["general"]["warnings"][-1]


def test_a_turn_of_nothing_but_failures_fits() -> None:
    payload = long_turn(10, "out")
    failed = {**payload["steps"][0], "error": {"error_type": "CommandFailed", "message": "m" * 300}}
    payload |= {"steps": [failed] * 20_000, "errors": [failed["error"]] * 20_000}
    read = sent(payload)
    assert len(read["steps"]) >= 2
    assert len(read["errors"]) >= 80
    assert read["environment"]["custom_tags"]["steps_left_out"]


@pytest.mark.parametrize("text", ["\ud83d", "a\ude00b", "\x00", "é" * 700_000, '"\\' * 300_000])
def test_hostile_texts_fit_and_arrive(text: str) -> None:
    payload = long_turn(2, "out")
    payload |= {"description": text, "input_summary": text}
    payload["environment"]["custom_tags"]["own"] = text
    read = sent(payload)
    assert read["name"] == payload["name"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_not_finite_are_omitted(number: float) -> None:
    payload = long_turn(2, "out") | {"duration": number}
    payload["steps"][0]["duration_ms"] = number
    read = sent(payload)
    assert "duration" not in read
    assert "duration_ms" not in read["steps"][0]
    assert read["steps"][1] == payload["steps"][1]


def test_a_limit_that_is_too_small_is_an_error_with_both_sizes() -> None:
    with pytest.raises(ValueError, match=r"The truncated payload has [0-9,]+ bytes\. The limit is 100\."):
        encode(long_turn(2, "out"), 100)


TEXTS = st.text(st.characters()) | st.text(st.characters(), min_size=1, max_size=4).map(lambda text: text * 9_000)
FLOATS = st.floats() | st.integers() | st.none() | st.booleans()
VALUES = st.recursive(
    TEXTS | FLOATS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
STEP = st.dictionaries(st.sampled_from(["error", "output_preview", "metadata", "action"]), VALUES)


@given(
    st.dictionaries(st.sampled_from(["name", "description", "errors", "sections", "llm_usage", "environment"]), VALUES),
    st.lists(STEP, max_size=8),
    st.integers(40_000, 200_000),
    st.integers(1, 200),
)
def test_a_body_never_exceeds_its_limit(frame: dict[str, Any], steps: list[Any], limit: int, times: int) -> None:
    sent({**frame, "steps": steps * times}, limit)


@settings(max_examples=25)
@given(st.integers(2, 400), st.integers(0, 5_000), st.sampled_from(["x", "é", "😀", "\ud83d", '"', "\x1b[0m"]))
def test_every_turn_fits_and_keeps_its_first_and_last_step(calls: int, length: int, letter: str) -> None:
    limit = 80_000
    payload = long_turn(calls, letter * length, replace(WIDE, max_output_preview=5_000))
    read = sent(payload, limit)
    numbers = [step["step_number"] for step in read["steps"]]
    assert (numbers[0], numbers[-1]) == (1, calls)
    assert len(read["errors"]) == len(payload.get("errors", [])) if "errors" in payload else "errors" not in read
    assert read["llm_usage"]["total_tokens"] == calls * FIRST.total
