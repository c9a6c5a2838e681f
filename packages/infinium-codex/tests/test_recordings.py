"""Traces of recorded real sessions, version by version: each trace reports what happened."""

from typing import Any

import pytest
from recorded import Recording, recording, recordings
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

Trace = dict[str, Any]
WITHOUT_TRANSCRIPT = "ephemeral"


def traces(one: Recording) -> list[Trace]:
    """The traces of all the user's sessions in a recording."""
    return [payload for session in one.own_sessions for payload in one.payloads(session)]


def tags(trace: Trace) -> dict[str, str]:
    found = trace["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def calls(trace: Trace) -> list[Trace]:
    return [step for step in trace.get("steps", []) if step["action"] == "tool_call"]


@pytest.mark.parametrize("one", recordings(), ids=str)
def test_the_payload(one: Recording, snapshot: SnapshotAssertion) -> None:
    assert traces(one) == snapshot(extension_class=JSONSnapshotExtension)


def test_ten_versions_are_recorded() -> None:
    versions = [one.version for one in recordings("turn")]
    assert len(versions) >= 10
    assert (versions[0], versions[-1]) == ("0.118.0", "0.169.0")


@pytest.mark.parametrize("one", recordings(), ids=str)
def test_every_record_is_known(one: Recording) -> None:
    warnings = [warning for trace in traces(one) for warning in trace["sections"]["general"].get("warnings", [])]
    if one.path.name == WITHOUT_TRANSCRIPT:
        assert warnings == ["No transcript: tokens, exit codes and exact durations are not known."]
    else:
        assert warnings == []


# Tokens


@pytest.mark.parametrize("one", [one for one in recordings() if one.path.name != WITHOUT_TRANSCRIPT], ids=str)
def test_tokens_are_what_the_model_reported(one: Recording) -> None:
    """Also if a session was resumed, forked, compacted, failed, had subagents or has repeated records."""
    reported = one.about["reported"]
    found = traces(one)
    usage = [trace["llm_usage"] for trace in found if "prompt_tokens" in trace.get("llm_usage", {})]
    assert sum(each["prompt_tokens"] for each in usage) == sum(each["input_tokens"] for each in reported)
    assert sum(each["completion_tokens"] for each in usage) == sum(each["output_tokens"] for each in reported)
    assert sum(each["api_calls_count"] for each in usage) == len(reported)
    told = [tags(trace) for trace in found if "cached_tokens" in tags(trace)]
    details = [(each["input_tokens_details"], each["output_tokens_details"]) for each in reported]
    assert sum(int(each["cached_tokens"]) for each in told) == sum(one["cached_tokens"] for one, _ in details)
    assert sum(int(each["reasoning_tokens"]) for each in told) == sum(one["reasoning_tokens"] for _, one in details)


@pytest.mark.parametrize("one", recordings("turn"), ids=str)
def test_a_model_has_a_cost_or_is_named_as_one_without_a_price(one: Recording) -> None:
    """The recordings' provider, a scripted server, has no list prices."""
    [trace] = traces(one)
    assert "estimated_cost_usd" not in trace["llm_usage"]
    assert tags(trace)["cost_unknown_for"] == f"{trace['llm_usage']['model']} ({trace['llm_usage']['provider']})"


@pytest.mark.parametrize("one", recordings("slow-model"), ids=str)
def test_the_latency_of_a_response_excludes_tools(one: Recording) -> None:
    """The server took 800 and 500 ms, the command between them 300 ms."""
    [trace] = traces(one)
    first, second = (call["latency_ms"] for call in trace["llm_usage"]["calls"])
    assert 800 <= first < 1_000
    assert 500 <= second < 700
    assert trace["llm_usage"]["total_latency_ms"] == first + second
    if "first_token_ms" in tags(trace):  # since 0.140; Codex counts from the prompt, and its own start with it
        assert int(tags(trace)["first_token_ms"]) >= 800


@pytest.mark.parametrize("scenario", ["fork", "fork-terminal"])
def test_a_fork_does_not_count_its_parents_history(scenario: str) -> None:
    for one in recordings(scenario):
        _, fork = one.sessions
        [trace] = one.payloads(fork)
        assert trace["input_summary"] == "Second question."
        assert trace["llm_usage"]["prompt_tokens"] == 2_007


@pytest.mark.parametrize("scenario", ["compact", "auto-compact"])
def test_a_summary_for_the_model_is_no_message_to_the_user(scenario: str) -> None:
    for one in recordings(scenario):
        steps = [step for trace in traces(one) for step in trace.get("steps", [])]
        assert [step["action"] for step in steps if step["action"] != "tool_call"] == ["compaction"]


# Turns


@pytest.mark.parametrize("one", recordings("turn"), ids=str)
def test_each_call_error_and_file_is_reported_once(one: Recording) -> None:
    [trace] = traces(one)
    assert [step["tool_call"]["tool_name"] for step in trace["steps"]] == ["shell", "apply_patch"]
    assert [error["error_code"] for error in trace["errors"]] == ["3"]
    assert trace["sections"]["development"]["files_modified"] == ["notes.txt"]
    [file] = trace["steps"][1]["metadata"]["files"]
    assert (file["path"], file["kind"], file["lines_added"]) == ("notes.txt", "added", 2)
    assert trace["environment"]["framework_version"] == one.version
    assert tags(trace)["sources"] == "hook, transcript"


@pytest.mark.parametrize("one", recordings("turn"), ids=str)
def test_durations_are_those_of_the_real_run(one: Recording) -> None:
    """A call is no longer than the time between its hooks. A turn's duration is the transcript's."""
    [trace] = traces(one)
    times = {event["hook_event_name"]: at for at, event in one.hook_events() if event.get("tool_name") != "apply_patch"}
    shell = trace["steps"][0]
    assert 0 < shell["duration_ms"] <= times["PostToolUse"] - times["PreToolUse"] + 50
    assert shell["tool_call"]["duration_ms"] == shell["duration_ms"]
    assert shell["duration_ms"] <= trace["duration"] * 1000


@pytest.mark.parametrize("one", recordings("ephemeral"), ids=str)
def test_hooks_alone_make_a_trace_that_says_so(one: Recording) -> None:
    [trace] = traces(one)
    assert tags(trace)["sources"] == "hook"
    assert trace["output_summary"] == "The build fails; a note is left."
    assert "llm_usage" not in trace or "prompt_tokens" not in trace["llm_usage"]


@pytest.mark.parametrize("one", [*recordings("model-fails"), *recordings("stream-breaks")], ids=str)
def test_a_turn_whose_model_failed_has_failed(one: Recording) -> None:
    [trace] = traces(one)
    assert tags(trace)["status"] == "failed"
    [error] = trace["errors"]
    assert error["error_type"] == "TurnFailed"
    if one.version >= "0.145":
        assert "high demand" in error["message"] or "stream" in error["message"]
    assert trace["llm_usage"]["prompt_tokens"] == 1_007, "what came before the failure is told"


@pytest.mark.parametrize("one", recordings("interrupted"), ids=str)
def test_an_interrupted_turn_and_the_next_one_are_two_traces(one: Recording) -> None:
    first, second = traces(one)
    assert [tags(trace)["status"] for trace in (first, second)] == ["interrupted", "completed"]
    assert [error["error_type"] for error in first["errors"]] == ["TurnInterrupted"]
    [command] = calls(first)
    assert "error" not in command, "the user's interrupt is not the agent's failed command"
    assert command["metadata"]["outcome"] == "interrupted by the user"
    assert "1 tool call (1 interrupted)" in first["description"]
    assert first["input_summary"] == "Work for a minute."
    assert (second["input_summary"], second["output_summary"]) == ("Never mind.", "As you like.")


def test_a_turn_continued_by_a_stop_hook_is_one_turn() -> None:
    [trace] = traces(recording("0.169.0", "goes-on"))
    assert tags(trace)["stop_hook_continuations"] == "1"
    assert "continued 1 time by a stop hook" in trace["description"]
    assert [step["output_preview"] for step in trace["steps"]] == ["Done."]
    assert trace["output_summary"] == "Goodbye."


def test_a_queued_prompt_is_a_turn_of_its_own() -> None:
    first, second = traces(recording("0.169.0", "queued"))
    assert [trace["input_summary"] for trace in (first, second)] == ["First question.", "Second question."]
    assert [trace["output_summary"] for trace in (first, second)] == ["First done.", "Second done."]


def test_clearing_begins_another_session() -> None:
    one = recording("0.169.0", "clear")
    assert [len(one.payloads(session)) for session in one.sessions] == [1, 1]
    assert [trace["output_summary"] for trace in traces(one)] == ["First answer.", "Second answer."]


def test_a_manual_compaction_is_reported_with_its_tokens() -> None:
    _, compaction, _ = traces(recording("0.169.0", "compact"))
    assert compaction["name"] == "Conversation compacted"
    assert compaction["llm_usage"]["prompt_tokens"] == 3_007


def test_a_turn_that_ended_before_it_began_has_no_trace() -> None:
    """A goal makes Codex begin another turn, which `codex exec` interrupts on exit. Its only hook is Interrupt."""
    one = recording("0.169.0", "other-tools")
    assert [event["hook_event_name"] for _, event in one.hook_events()].count("Interrupt") == 1
    [trace] = traces(one)
    assert tags(trace)["status"] == "completed"


# Subagents

SUBAGENTS = [one for name in ("subagent", "subagent-plain", "subagent-forked") for one in recordings(name)]


@pytest.mark.parametrize("one", SUBAGENTS, ids=str)
def test_a_subagents_work_is_a_step_of_the_turn_that_spawned_it(one: Recording) -> None:
    [trace] = traces(one)
    assert trace["input_summary"] == "Have an agent count."
    [agent] = [step for step in trace["steps"] if step["action"] == "subagent"]
    about = agent["metadata"]
    assert (about["prompt_tokens"], about["completion_tokens"], about["model_calls"]) == (9_014, 90, 2)
    assert (agent["input_preview"], agent["output_preview"]) == ("Count the files for me.", "None.")
    assert about["status"] == "completed"
    assert about["agent_type"] == ("default" if "forked" in one.path.name else "explorer")
    assert 0 < agent["duration_ms"] <= trace["duration"] * 1000
    [command] = [step for step in calls(trace) if step["description"] == "ls | wc -l"]
    assert command["metadata"]["agent_id"] == about["agent_id"]
    assert command["metadata"]["exit_code"] == 0
    assert [step["description"] for step in calls(trace) if "agent_id" not in step["metadata"]] == [
        "spawn_agent",
        "wait_agent",
    ]


@pytest.mark.parametrize("one", recordings("subagent-plain"), ids=str)
def test_a_subagent_with_hooks_like_a_session_is_recognized_by_its_transcript(one: Recording) -> None:
    """Up to 0.129 a subagent's hooks have a session id of their own and no agent id."""
    parent, child = one.sessions
    assert one.spawned_by(child) == parent
    assert one.spawned_by(parent) is None


def test_a_subagent_that_outlives_its_turn_is_counted_in_that_turn() -> None:
    spawning, other = traces(recording("0.169.0", "subagent-outlives"))
    [agent] = [step for step in spawning["steps"] if step["action"] == "subagent"]
    assert agent["output_preview"] == "Seven."
    assert agent["duration_ms"] > spawning["duration"] * 1000
    assert [call["description"][:13] for call in calls(spawning)] == ["spawn_agent", "touch at-work"]
    assert (other["input_summary"], other.get("steps", [])) == ("Hello.", [])
    assert other["llm_usage"]["prompt_tokens"] == 3_007


@pytest.mark.parametrize("one", [*recordings("subagent-again"), *recordings("subagent-again-plain")], ids=str)
def test_more_work_for_a_subagent_is_counted_in_the_turn_that_sent_it(one: Recording) -> None:
    first, second = traces(one)
    for trace, task, answer, tokens in (
        (first, "Count the files for me.", "Five.", 7_007),
        (second, "Count them again.", "Six.", 8_007),
    ):
        [agent] = [step for step in trace["steps"] if step["action"] == "subagent"]
        assert (agent["input_preview"], agent["output_preview"]) == (task, answer)
        assert agent["metadata"]["prompt_tokens"] == tokens


# Tools


@pytest.mark.parametrize("one", recordings("background"), ids=str)
def test_a_command_in_the_background_ends_once(one: Recording) -> None:
    [trace] = traces(one)
    command, poll, late = calls(trace)
    assert command["metadata"]["exit_code"] == 4
    assert command["metadata"]["background"] is True
    assert command["output_preview"] == "started\nended\n"
    assert 1_000 <= command["duration_ms"] < 1_500
    assert poll["tool_call"]["tool_name"] == "write_stdin"
    assert "exit_code" not in poll["metadata"]
    assert "error" not in poll
    assert late["error"]["message"].startswith("write_stdin failed: ")
    assert [error.get("error_code") for error in trace["errors"]] == ["4", None]


def test_a_background_command_that_codex_ended_has_not_failed() -> None:
    [trace] = traces(recording("0.169.0", "left-running"))
    [command] = calls(trace)
    assert command["metadata"]["background"] is True
    assert command["output_preview"] == "serving\n"
    assert "errors" not in trace


@pytest.mark.parametrize("one", recordings("patches"), ids=str)
def test_every_kind_of_change_is_reported_with_its_lines(one: Recording) -> None:
    [trace] = traces(one)
    failed, applied = calls(trace)
    assert failed["error"]["message"].startswith("apply_patch verification failed")
    assert "files" not in failed["metadata"]
    found = {file["path"]: file for file in applied["metadata"]["files"]}
    assert {path: file["kind"] for path, file in found.items()} == {
        "old.txt": "modified",
        "gone.txt": "deleted",
        "here.txt": "moved",
        "new.txt": "added",
    }
    assert (found["old.txt"]["lines_added"], found["old.txt"]["lines_removed"]) == (2, 1)
    assert (found["here.txt"]["lines_added"], found["here.txt"]["lines_removed"]) == (1, 1)
    assert found["here.txt"]["moved_to"] == "there/moved.txt"
    assert found["new.txt"]["lines_added"] == 1
    if one.version > "0.128":  # before, only the patch itself names the file
        assert found["gone.txt"]["lines_removed"] == 3
    changed = ["gone.txt", "new.txt", "old.txt", "there/moved.txt"]
    assert trace["sections"]["development"]["files_modified"] == changed


@pytest.mark.parametrize("one", recordings("mcp"), ids=str)
def test_an_mcp_tool_is_reported_with_its_server_and_its_error(one: Recording) -> None:
    [trace] = traces(one)
    added, divided = calls(trace)
    assert [call["tool_call"]["tool_name"] for call in (added, divided)] == [
        "mcp__calculator__add",
        "mcp__calculator__divide",
    ]
    assert (added["metadata"]["mcp_server"], added["metadata"]["mcp_tool"]) == ("calculator", "add")
    assert (added["output_preview"], added.get("error")) == ("5", None)
    assert divided["error"]["message"] == "division by zero"
    assert [error["message"] for error in trace["errors"]] == ["Step 2: division by zero"]


def test_images_plans_goals_searches_and_tools_that_do_not_exist() -> None:
    [trace] = traces(recording("0.169.0", "other-tools"))
    image, plan, goal, search, unknown = calls(trace)
    assert (image["description"], image["output_preview"]) == ("view_image", "[image]")
    assert plan["error"]["message"] == "unsupported call: update_plan"
    assert "See everything" in goal["input_preview"]
    assert "error" not in goal
    assert search["tool_call"]["tool_name"] == "web_search"
    assert "snow in May" in search["input_preview"]
    assert unknown["error"]["message"] == "unsupported call: no_such_tool"


def test_calls_of_a_code_mode_program_are_its_calls_and_counted_once() -> None:
    [trace] = traces(recording("0.169.0", "code-mode"))
    program, command, patch = calls(trace)
    assert program["tool_call"]["tool_name"] == "exec"
    assert {call["metadata"]["called_by"] for call in (command, patch)} == {program["metadata"]["call_id"]}
    assert command["metadata"]["exit_code"] == 5
    assert patch["metadata"]["files"][0]["lines_added"] == 2
    assert trace["description"].startswith("completed turn, 2 tool calls (1 failed), 1 file changed")


def test_a_permission_request_is_reported_with_its_answer_and_its_wait() -> None:
    [trace] = traces(recording("0.169.0", "permission"))
    granted, not_run = [step for step in trace["steps"] if step["action"] == "permission_request"]
    assert granted["metadata"]["answer"] == "granted"
    assert (granted["input_preview"], granted["metadata"]["reason"]) == ("echo allowed", "May I say allowed?")
    assert granted["duration_ms"] > 300, "the user took half a second, the command next to nothing"
    assert not_run["metadata"]["answer"] == "refused or interrupted"
    refused = calls(trace)[1]
    assert not_run["metadata"]["call_id"] == refused["metadata"]["call_id"]
    assert "error" not in refused


# Development


def test_test_results_are_reported() -> None:
    [trace] = recording("0.169.0", "tests-commit").payloads()
    assert trace["sections"]["development"]["tests_run"] == 2
    assert trace["sections"]["development"]["tests_passed"] == 1
    assert len(tags(trace)["git_commit"]) == 40
    assert tags(trace)["git_branch"] == "trunk"
