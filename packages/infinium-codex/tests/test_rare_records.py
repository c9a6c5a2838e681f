"""Records that only some clients, versions or features of Codex write: each is understood, and counted once."""

import json
from pathlib import Path

import pytest
from infinium_trace import SummaryBuilder, TurnStatus
from recorded import CONTEXT, OPTIONS, Recording, recordings
from transcripts import event, item, meta, response, session_of, traces_of, turn

SNOW = {"type": "search", "query": "snow in May"}
PAGE = {"type": "open_page", "url": "https://example.org/snow"}


@pytest.mark.parametrize("one", recordings("searches"), ids=str)
def test_every_web_search_is_a_call_of_its_own(one: Recording) -> None:
    """From 0.104 to 0.140 their records have no id."""
    [trace] = one.payloads()
    searches = [step for step in trace["steps"] if step["action"] == "tool_call"]
    assert [step["tool_call"]["tool_name"] for step in searches] == ["web_search"] * 3
    assert ["snow" in step["input_preview"] for step in searches] == [True] * 3
    assert sum("example.org" in step["input_preview"] for step in searches) == 1


def test_web_searches_with_and_without_an_end_record_are_counted_once(tmp_path: Path) -> None:
    """Up to 0.122 there is only the call. Later an end with an id stands before the call, also for a failed one."""
    session = session_of(
        tmp_path,
        *turn(
            1,
            "Search.",
            response("web_search_call", status="completed", action=SNOW),
            response("web_search_call", status="completed", action=SNOW),
            event("web_search_end", call_id="ws_1", query="snow in May", action=SNOW),
            event("web_search_end", call_id="ws_2", query="", action=PAGE),
            response("web_search_call", status="completed", action=SNOW),
            response("web_search_call", status="failed", action=PAGE),
        ),
    )
    calls = session.turns[0].tool_calls
    assert [(call.call_id, call.arguments) for call in calls] == [
        ("web_search-1", SNOW),
        ("web_search-2", SNOW),
        ("ws_1", SNOW),
        ("ws_2", PAGE),
    ]
    assert [call.failed for call in calls] == [False, False, False, True]


def test_a_patch_of_a_code_mode_program_is_a_call_of_apply_patch(tmp_path: Path) -> None:
    """Before 0.150 only its end is recorded, under an id that no call has."""
    change = {"type": "update", "unified_diff": "@@ -1 +1 @@\n-a\n+b\n", "move_path": None}
    session = session_of(
        tmp_path,
        *turn(
            1,
            "Change it.",
            response("custom_tool_call", call_id="call_1", name="exec", input="await tools.apply_patch(p)"),
            event(
                "patch_apply_end", call_id="exec-1", success=True, stdout="Success.", changes={"/repo/a.txt": change}
            ),
            response(
                "custom_tool_call_output",
                call_id="call_1",
                output="Script completed\nWall time 0.1 seconds\nOutput:\n\n",
            ),
        ),
    )
    program, patch = session.turns[0].tool_calls
    assert (program.tool, patch.tool) == ("exec", "apply_patch")
    assert patch.parent_call_id == "call_1"
    [found] = patch.changes
    assert (found.path, found.lines_added, found.lines_removed) == ("/repo/a.txt", 1, 1)


def test_a_plan_is_the_answer_of_its_turn(tmp_path: Path) -> None:
    """In plan mode `task_complete` has no answer. The turn used to count as failed."""
    text = "# Move it\n\n- first\n- then"
    message = [{"type": "output_text", "text": f"<proposed_plan>\n{text}\n</proposed_plan>"}]
    session = session_of(
        tmp_path,
        meta("0.119.0"),
        *turn(
            1,
            "Plan the move.",
            item("Plan", id="p", text=text + "\n"),
            response("message", role="assistant", content=message),
            answer=None,
        ),
    )
    [trace] = traces_of(session)
    assert trace["environment"]["custom_tags"]["status"] == "completed"
    assert trace["output_summary"].strip() == text
    assert "proposed a plan" in trace["description"]
    assert trace.get("steps", []) == [], "the plan is told once"
    assert "errors" not in trace


def test_a_search_for_tools_has_its_query_and_what_it_found(tmp_path: Path) -> None:
    found = [{"type": "namespace", "name": "mcp__editor", "tools": [{"type": "function", "name": "open_file"}]}]
    session = session_of(
        tmp_path,
        *turn(
            1,
            "Open it.",
            response("tool_search_call", call_id="c", status="completed", arguments={"query": "editor", "limit": 8}),
            response("tool_search_output", call_id="c", status="completed", tools=found),
        ),
    )
    [trace] = traces_of(session)
    [step] = trace["steps"]
    assert step["tool_call"]["tool_name"] == "tool_search"
    assert "editor" in step["input_preview"]
    assert step["output_preview"] == "mcp__editor.open_file"


@pytest.mark.parametrize(("status", "answer"), [("approved", "granted"), ("denied", "refused")])
def test_an_automatic_review_answers_a_permission_request(tmp_path: Path, status: str, answer: str) -> None:
    action = {"type": "command", "source": "unified_exec", "command": "/bin/zsh -lc 'node server.js'", "cwd": "/repo"}
    review = {"id": "r", "target_item_id": "c", "action": action}
    session = session_of(
        tmp_path,
        *turn(
            1,
            "Serve it.",
            response(
                "function_call", call_id="c", name="exec_command", arguments=json.dumps({"cmd": "node server.js"})
            ),
            event("guardian_assessment", **review, status="in_progress"),
            event("guardian_assessment", **review, status=status, risk_level="low", rationale="It serves locally."),
        ),
    )
    [trace] = traces_of(session)
    [request] = [step for step in trace["steps"] if step["action"] == "permission_request"]
    assert request["input_preview"] == "node server.js"
    assert request["duration_ms"] == 1_000
    assert request["metadata"] == {
        "call_id": "c",
        "answer": answer,
        "answered_by": "automatic review",
        "risk": "low",
        "reason": "It serves locally.",
    }


def test_a_review_that_has_not_ended_has_no_answer(tmp_path: Path) -> None:
    action = {"type": "apply_patch", "cwd": "/repo", "files": ["/repo/a.txt"]}
    review = event("guardian_assessment", id="r", target_item_id="c", action=action, status="in_progress")
    [trace] = traces_of(session_of(tmp_path, *turn(1, "Patch it.", review)))
    [request] = trace["steps"]
    assert request["description"] == "Permission requested: apply_patch (no answer recorded)"
    assert "/repo/a.txt" in request["input_preview"]


@pytest.mark.parametrize("as_item", [False, True])
def test_a_subagent_that_only_an_activity_names_belongs_to_the_turn(tmp_path: Path, as_item: bool) -> None:
    fields = {"agent_thread_id": "agent-1", "agent_path": "/root/timer_audit", "kind": "started"}
    record = (
        item("SubAgentActivity", id="call_1", **fields)
        if as_item
        else event("sub_agent_activity", event_id="call_1", **fields)
    )
    session = session_of(tmp_path, *turn(1, "Audit it.", record))
    [agent] = session.turns[0].subagents
    assert (agent.subagent_id, agent.agent_type) == ("agent-1", "timer_audit")


def test_an_ended_command_has_its_exit_code_and_output_once(tmp_path: Path) -> None:
    session = session_of(
        tmp_path,
        *turn(
            1,
            "List.",
            response("function_call", call_id="c", name="exec_command", arguments=json.dumps({"cmd": "ls nowhere"})),
            event(
                "exec_command_end",
                call_id="c",
                command=["/bin/zsh", "-lc", "ls nowhere"],
                cwd="/repo",
                source="unified_exec_startup",
                aggregated_output="ls: nowhere\n",
                exit_code=1,
                duration={"secs": 0, "nanos": 50_000_000},
                status="failed",
            ),
            response("function_call_output", call_id="c", output="Process exited with code 1\nOutput:\nls: nowhere\n"),
        ),
    )
    [call] = session.turns[0].tool_calls
    assert (call.arguments, call.exit_code, call.output) == ({"command": "ls nowhere"}, 1, "ls: nowhere\n")
    assert call.duration_ms == 200, "the first 150 ms are added"
    assert call.cwd == "/repo"


def test_undone_turns_are_marked_and_left_out_of_the_totals(tmp_path: Path) -> None:
    """Undoing reverts neither files nor tokens. Both stay."""
    failing = [
        response("function_call", call_id="c", name="exec_command", arguments=json.dumps({"cmd": "false"})),
        response("function_call_output", call_id="c", output="Process exited with code 1\nOutput:\n"),
        event("patch_apply_end", call_id="p", success=True, changes={"/repo/a.txt": {"type": "add", "content": "a\n"}}),
    ]
    session = session_of(
        tmp_path,
        *turn(1, "Keep this.", answer="Kept."),
        *turn(2, "Wrong idea.", *failing, answer="Did the wrong thing."),
        *turn(3, "Worse idea.", answer="Worse."),
        event("thread_rolled_back", num_turns=2),
        *turn(4, "Better idea.", answer="Better."),
    )
    assert [one.undone for one in session.turns] == [False, True, True, False]
    summary = SummaryBuilder(CONTEXT, OPTIONS)
    summary.add(session, session.turns)
    body = json.loads(summary.build().body)
    assert body["input_summary"] == "Keep this.\n\nBetter idea."
    assert body["output_summary"] == "Kept.\n\nBetter."
    assert "errors" not in body
    assert body["sections"]["general"].get("tools_used", []) == []
    assert body["sections"]["development"]["files_modified"] == ["a.txt"]
    assert body["environment"]["custom_tags"]["turns_undone"] == "2"
    assert [step["metadata"]["undone"] for step in body["steps"]] == [True, True]
    assert body["sections"]["general"]["warnings"] == [
        "2 turns undone by the user: not counted, except for files and tokens, which undoing does not revert."
    ]
    of_turn = traces_of(session)[1]
    assert of_turn["description"].startswith("completed turn (undone), 2 tool calls (1 failed)")


def test_undoing_again_marks_earlier_turns(tmp_path: Path) -> None:
    undo = event("thread_rolled_back", num_turns=1)
    session = session_of(tmp_path, *turn(1, "One."), *turn(2, "Two."), undo, undo, *turn(3, "Three."), undo, undo)
    assert [one.undone for one in session.turns] == [True, True, True]
    assert session.turns[0].status is TurnStatus.COMPLETED
