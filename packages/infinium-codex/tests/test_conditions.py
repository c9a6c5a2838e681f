"""The conditions of a turn: reasoning, effort, policies, model, context, limits, and where the time went."""

import json
from pathlib import Path

import pytest
from infinium_trace import build_turn_trace, fold
from msgspec.structs import replace
from recorded import CONTEXT, OPTIONS, Recording, recordings
from transcripts import event, response, session_of, traces_of, turn, turn_id


@pytest.mark.parametrize("one", recordings("ide"), ids=str)
def test_a_summary_of_the_models_reasoning_is_a_step_unless_it_is_turned_off(one: Recording) -> None:
    """Two records repeat it, in every version."""
    session = fold(one.events())
    first = session.turns[0]
    [trace, _] = traces_of(session)
    [step] = [step for step in trace["steps"] if step["action"] == "reasoning"]
    assert step["output_preview"] == "**Rounding**\n\nTwo digits are enough."
    body = json.loads(build_turn_trace(session, first, CONTEXT, replace(OPTIONS, reasoning=False)).body)
    assert [step["action"] for step in body["steps"]] == ["context"]


def context(number: int, model: str, **more: object) -> dict[str, object]:
    return {"type": "turn_context", "payload": {"turn_id": turn_id(number), "cwd": "/repo", "model": model, **more}}


def counted(total: int, used_percent: float | None = None) -> dict[str, object]:
    window = {"used_percent": used_percent, "window_minutes": 300, "resets_at": 1}
    usage = {"input_tokens": total, "output_tokens": 0, "total_tokens": total}
    limits = {"primary": None, "secondary": None} if used_percent is None else {"primary": window, "secondary": None}
    return event("token_count", info={"total_token_usage": usage, "last_token_usage": usage}, rate_limits=limits)


def test_effort_policies_context_limits_and_a_switched_model_are_tags(tmp_path: Path) -> None:
    first = turn(
        1, "Begin.", context(1, "gpt-5.4", sandbox_policy={"type": "read-only"}), counted(100, 3.0), counted(100, 4.0)
    )
    second = turn(
        2,
        "Go on.",
        context(2, "gpt-5.5", effort="high", approval_policy="on-request", sandbox_policy={"mode": "workspace-write"}),
        counted(350, 7.5),
    )
    second[0]["payload"]["model_context_window"] = 258_400
    begun, switched = (
        trace["environment"]["custom_tags"] for trace in traces_of(session_of(tmp_path, *first, *second))
    )
    assert begun["sandbox"] == "read-only"
    assert begun["rate_limits"] == "4 % of 300 minutes"
    assert "previous_model" not in begun
    names = ("effort", "approval", "sandbox", "previous_model", "context_window", "context_used", "rate_limits")
    assert [switched[name] for name in names] == [
        "high",
        "on-request",
        "workspace-write",
        "gpt-5.4",
        "258400",
        "250",
        "7.5 % of 300 minutes",
    ]


@pytest.mark.parametrize("one", recordings("slow-model"), ids=str)
def test_the_time_of_a_turn_is_split_into_model_tools_and_the_rest(one: Recording) -> None:
    """The server took 800 and 500 ms, the command between them 300 ms."""
    [trace] = one.payloads()
    tags = trace["environment"]["custom_tags"]
    model, tools, other = (int(tags[f"time_{part}_ms"]) for part in ("model", "tools", "other"))
    assert 1_300 <= model < 1_700
    assert 290 <= tools < 600
    assert other >= 0
    assert abs(model + tools + other - trace["duration"] * 1000) <= 2


def test_the_time_a_permission_request_waits_is_not_the_tools() -> None:
    [one] = recordings("permission")
    [trace] = one.payloads()
    tags = trace["environment"]["custom_tags"]
    assert int(tags["time_permission_ms"]) > 300
    assert int(tags["time_tools_ms"]) < int(tags["time_permission_ms"])


def test_calls_at_the_same_time_count_once(tmp_path: Path) -> None:
    call = {"name": "exec_command", "arguments": json.dumps({"cmd": "sleep 3"})}
    ended = "Process exited with code 0\nOutput:\n"
    session = session_of(
        tmp_path,
        *turn(
            1,
            "Wait twice.",
            response("function_call", call_id="a", **call),
            response("function_call", call_id="b", **call),
            response("function_call_output", call_id="a", output=ended),
            response("function_call_output", call_id="b", output=ended),
            counted(10),
        ),
    )
    [trace] = traces_of(session)
    assert trace["environment"]["custom_tags"]["time_tools_ms"] == "3000"
