"""Traces of recorded real sessions, version by version: what the trace says is what happened."""

import pytest
from recorded import Recording, recordings
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension


@pytest.mark.parametrize("recording", recordings(), ids=str)
def test_the_payload(recording: Recording, snapshot: SnapshotAssertion) -> None:
    assert recording.payloads() == snapshot(extension_class=JSONSnapshotExtension)


@pytest.mark.parametrize("recording", [*recordings("turn"), *recordings("resume")], ids=str)
def test_tokens_are_what_the_model_reported(recording: Recording) -> None:
    reported = recording.about["reported"]
    usage = [payload["llm_usage"] for payload in recording.payloads()]
    assert sum(one["prompt_tokens"] for one in usage) == sum(one["input_tokens"] for one in reported)
    assert sum(one["completion_tokens"] for one in usage) == sum(one["output_tokens"] for one in reported)
    assert sum(one["api_calls_count"] for one in usage) == len(reported)
    tags = [payload["environment"]["custom_tags"] for payload in recording.payloads()]
    cached = sum(one["input_tokens_details"]["cached_tokens"] for one in reported)
    assert sum(int(one["cached_tokens"]) for one in tags) == cached


@pytest.mark.parametrize("recording", recordings("turn"), ids=str)
def test_what_happened_is_told_once(recording: Recording) -> None:
    [payload] = recording.payloads()
    assert [step["tool_call"]["tool_name"] for step in payload["steps"]] == ["shell", "apply_patch"]
    assert [error["error_code"] for error in payload["errors"]] == ["3"]
    assert payload["sections"]["development"]["files_modified"] == ["notes.txt"]
    [file] = payload["steps"][1]["metadata"]["files"]
    assert (file["path"], file["kind"], file["lines_added"]) == ("notes.txt", "added", 2)
    assert payload["sections"]["general"].get("warnings", []) == [], "every record of a plain turn is known"


@pytest.mark.parametrize("recording", recordings("turn"), ids=str)
def test_durations_are_those_of_the_real_run(recording: Recording) -> None:
    """No longer than between the hooks before and after; the transcript's figure for the turn is taken as it is."""
    [payload] = recording.payloads()
    times = {
        event["hook_event_name"]: at for at, event in recording.hook_events() if event.get("tool_name") != "apply_patch"
    }
    shell = payload["steps"][0]
    assert 0 < shell["duration_ms"] <= times["PostToolUse"] - times["PreToolUse"] + 50
    assert shell["tool_call"]["duration_ms"] == shell["duration_ms"]
    assert shell["duration_ms"] <= payload["duration"] * 1000


@pytest.mark.parametrize("recording", recordings("ephemeral"), ids=str)
def test_hooks_alone_make_a_trace_that_says_so(recording: Recording) -> None:
    [payload] = recording.payloads()
    assert payload["environment"]["custom_tags"]["sources"] == "hook"
    assert payload["output_summary"] == "The build fails; a note is left."
    assert "llm_usage" not in payload or "prompt_tokens" not in payload["llm_usage"]
