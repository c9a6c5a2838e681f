"""Code reviews, from the hook calls to the traces: `codex exec review` and `/review` are turns of the user's."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.codex.reviews import readable_message
from infinium_codex.codex.threads import thread_id
from machine import Machine
from recorded import Recording, recordings

pytest_plugins = ["no_leftovers"]

RESULT = """\
One entry is lost.

Verdict: patch is incorrect

- [P2] The last entry is missed (app.py:1)
  The loop ends one entry early."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def play(machine: Machine, one: Recording) -> list[dict[str, Any]]:
    """Play all hooks of a recording, with every thread's transcript in place, and the session's end."""
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "24"
    day.mkdir(parents=True)
    for thread in (one.sessions[0], *(path.stem[-36:] for path in one.path.glob("thread-*.jsonl"))):
        shutil.copy(one.transcript_of(thread), day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl")
    hooks = [payload for _, payload in one.hook_events()]
    if hooks[-1]["hook_event_name"] != "SessionEnd":  # Codex did not have it yet: the session times out
        hooks.append({"session_id": one.sessions[0], "hook_event_name": "SessionEnd", "reason": "other"})
    for payload in hooks:
        thread = thread_id(str(payload.get("transcript_path"))) or one.sessions[0]
        machine.hook(machine.placed(payload, day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl"))
    return [trace for trace in machine.traces() if trace["environment"]["custom_tags"]["kind"] == "turn"]


@pytest.mark.parametrize("one", [*recordings("review"), *recordings("review-terminal")], ids=str)
def test_a_review_is_a_completed_turn_with_its_findings_and_tokens(machine: Machine, one: Recording) -> None:
    """Its hooks carry the turn id and the transcript of the reviewer's own thread, and no Stop follows."""
    review, *later = play(machine, one)
    tags = review["environment"]["custom_tags"]
    assert tags["status"] == "completed"
    assert review["output_summary"] == RESULT
    assert review["llm_usage"]["prompt_tokens"] == 1_007 + 2_007
    assert "errors" not in review
    [command] = review["steps"]
    assert command["description"] == "git status --short"
    assert command["metadata"]["exit_code"] == 0
    assert command["output_preview"]
    assert review["name"] == "Look for lost entries."
    if one.path.name == "review-terminal":
        [thanks] = later
        assert (thanks["name"], thanks["output_summary"]) == ("Thank you.", "You are welcome.")
    else:
        assert later == []
    assert machine.errors() == []


def test_json_that_is_no_review_stays_as_it_is() -> None:
    for message in (
        '{"a": 1}',
        '{"overall_correctness": 1',
        '{"overall_correctness": "x", "findings": 3}',
        "Hi.",
        None,
    ):
        assert readable_message(message) == message
    assert (
        readable_message('{"overall_correctness": "patch is correct", "findings": []}') == "Verdict: patch is correct"
    )
