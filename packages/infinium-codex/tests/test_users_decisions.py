"""What the user decided is not the agent's failure: interrupts, refusals; and whose threads are the user's."""

import json
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.codex.agent import CODEX
from recorded import Recording, recordings
from transcripts import SESSION_ID, event, meta, response, session_of, traces_of, turn, turn_id, write


def command(call_id: str, output: str) -> list[dict[str, Any]]:
    return [
        response("function_call", call_id=call_id, name="exec_command", arguments=json.dumps({"cmd": "rm -r build"})),
        response("function_call_output", call_id=call_id, output=output),
    ]


@pytest.mark.parametrize(
    "output",
    [
        "exec command rejected by user",
        "patch rejected by user",
        'exec_command failed for `/bin/zsh -lc "rm -r build"`: CreateProcess { message: "Rejected(\\"too risky\\")" }',
    ],
)
def test_a_refused_call_is_neither_failed_nor_interrupted(tmp_path: Path, output: str) -> None:
    session = session_of(tmp_path, *turn(1, "Clean up.", *command("c", output), answer="Not done."))
    [trace] = traces_of(session)
    [step] = trace["steps"]
    assert step["metadata"]["outcome"] == "refused"
    assert "error" not in step
    assert "errors" not in trace
    assert trace["description"].startswith("completed turn, 1 tool call (1 refused)")


def test_a_call_that_the_user_interrupted_has_not_failed(tmp_path: Path) -> None:
    records = turn(1, "Clean up.", *command("c", "aborted by user after 5.5s"))
    records[-1] = event("turn_aborted", turn_id=turn_id(1), reason="interrupted")
    [trace] = traces_of(session_of(tmp_path, *records))
    assert trace["steps"][0]["metadata"]["outcome"] == "interrupted by the user"
    assert [error["error_type"] for error in trace["errors"]] == ["TurnInterrupted"]


@pytest.mark.parametrize("one", recordings("background"), ids=str)
def test_a_background_command_counts_its_time_once(one: Any) -> None:
    """The calls that wait for it have no time of their own."""
    [trace] = one.payloads()
    command_step, *polls = trace["steps"]
    waiting = [poll for poll in polls if "waits_for" in poll["metadata"]]
    assert waiting
    assert {poll["metadata"]["waits_for"] for poll in waiting} == {command_step["metadata"]["call_id"]}
    assert all("duration_ms" not in poll for poll in waiting)


def test_a_background_command_that_outlives_its_turn_counts_until_the_turns_end(tmp_path: Path) -> None:
    """Codex ends it later, and its own record of it has the whole time. The records are a second apart."""
    start = {"cmd": "serve", "yield_time_ms": 250}
    ended = {"type": "CommandExecution", "id": "c", "command": ["bash", "-lc", "serve"], "exit_code": -1}
    session = session_of(
        tmp_path,
        meta("0.169.0"),
        *turn(
            1,
            "Serve it.",
            response("function_call", call_id="c", name="exec_command", arguments=json.dumps(start)),
            response("function_call_output", call_id="c", output="Process running with session ID 7\nOutput:\nup\n"),
        ),
        *turn(2, "Thanks."),
        event("item_completed", turn_id=turn_id(1), item={**ended, "duration": {"secs": 60, "nanos": 0}}),
    )
    [call] = session.turns[0].tool_calls
    assert call.duration_ms == 2_000
    assert call.failed is False


def test_a_thread_that_codex_runs_for_itself_is_no_session_of_the_users(tmp_path: Path) -> None:
    """An automatic review of a call has a transcript, a prompt and an answer. Nobody asked for it."""
    session = session_of(tmp_path, meta(source={"subagent": {"other": "guardian"}}), *turn(1, "Judge this call."))
    assert session.spawned_by is not None


def test_hooks_of_a_thread_that_codex_runs_for_itself_report_nothing(tmp_path: Path) -> None:
    guardian = "019e6000-1111-7000-8000-000000000000"
    path = tmp_path / f"rollout-2026-05-01T10-00-00-{guardian}.jsonl"
    write(path, [meta(id=guardian, source={"subagent": {"other": "guardian"}}), *turn(1, "Judge this call.")])
    payload = {
        "session_id": SESSION_ID,
        "transcript_path": str(path),
        "turn_id": turn_id(1),
        "hook_event_name": "UserPromptSubmit",
        "prompt": "Judge this call.",
        "cwd": "/repo",
    }
    assert CODEX.translate(payload, 1).events == ()


@pytest.mark.parametrize("one", recordings("guardian"), ids=str)
def test_a_review_by_codex_in_the_users_place_is_told_and_its_tokens_are_not_the_users(one: Recording) -> None:
    """Codex's own reviewer allows one command and refuses the other; it asks the model in a thread of its own."""
    [trace] = one.payloads()
    steps = trace["steps"]
    allowed, refused = (step["metadata"] for step in steps if step["action"] == "tool_call")
    assert allowed["exit_code"] == 0
    assert refused["outcome"] == "refused"
    assert [step["metadata"]["answer"] for step in steps if step["action"] == "permission_request"] == [
        "granted",
        "refused",
    ]
    assert "errors" not in trace
    assert trace["llm_usage"]["total_tokens"] == sum(usage["total_tokens"] for usage in one.about["reported"])
