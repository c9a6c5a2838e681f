"""The payload of a turn and of a session: what is sent to the API, and what is not."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import (
    AssistantMessage,
    ChangeKind,
    Commit,
    Event,
    EventSource,
    FileChange,
    ModelResponded,
    PermissionAsked,
    RecordSkipped,
    SummaryBuilder,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    TraceContext,
    TraceOptions,
    TreeChanges,
    Turn,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    fold,
    trace_key,
)
from msgspec.structs import replace
from story import (
    CONTEXT,
    CWD,
    MODEL,
    OPTIONS,
    START_MS,
    asking_turn,
    delegating_turn,
    from_source,
    hook,
    interrupted_turn,
    session_begins,
    transcript,
    turn_payload,
    whole_session,
    working_turn,
)
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension


@pytest.fixture
def as_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


def traced(events: Sequence[Event], context: TraceContext = CONTEXT, options: TraceOptions = OPTIONS) -> dict[str, Any]:
    """Return the payload of the last turn of these events."""
    session = fold(events)
    return turn_payload(session, session.turns[-1], context, options)


def summed_up(events: Sequence[Event], part: int = 1, turns: Sequence[Turn] | None = None) -> dict[str, Any]:
    session = fold(events)
    summary = SummaryBuilder(CONTEXT, OPTIONS)
    summary.add(session, session.turns if turns is None else turns)
    found = json.loads(summary.build(part=part).body)
    assert isinstance(found, dict)
    return found


def a_turn(*events: Event, prompt: str | None = "Go.", status: TurnStatus = TurnStatus.COMPLETED) -> list[Event]:
    return [
        TurnStarted(**hook(0, "t"), prompt=prompt, cwd=CWD, model=MODEL),
        *events,
        TurnEnded(**transcript(50_000, "t"), status=status),
    ]


def walk(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value in a payload with its path."""
    yield path, value
    if isinstance(value, dict):
        for name, item in value.items():
            yield from walk(item, f"{path}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}[{number}]")


METADATA_ONLY = replace(OPTIONS, redaction="metadata-only")
STORIES: dict[str, list[Event]] = {
    "working": [*session_begins(), *working_turn()],
    "delegating": [*session_begins(), *delegating_turn()],
    "asking": [*session_begins(), *asking_turn()],
    "interrupted": [*session_begins(), *interrupted_turn()],
    "hooks alone": from_source(EventSource.HOOK, [*session_begins(), *working_turn()]),
    "transcript alone": from_source(EventSource.TRANSCRIPT, [*session_begins(), *working_turn()]),
    "still running": [event for event in working_turn() if not isinstance(event, TurnEnded)],
}


# Whole payloads


@pytest.mark.parametrize("story", STORIES)
def test_a_turns_trace(story: str, as_json: SnapshotAssertion) -> None:
    assert traced(STORIES[story]) == as_json


def test_a_turns_trace_without_its_texts(as_json: SnapshotAssertion) -> None:
    assert traced(STORIES["working"], options=METADATA_ONLY) == as_json


def test_a_sessions_summary(as_json: SnapshotAssertion) -> None:
    assert summed_up(whole_session()) == as_json


def test_a_sessions_second_part(as_json: SnapshotAssertion) -> None:
    session = fold(whole_session())
    assert summed_up(whole_session(), 2, session.turns[2:]) == as_json


@pytest.mark.parametrize("story", STORIES)
def test_absent_values_are_left_out(story: str) -> None:
    for payload in (traced(STORIES[story]), summed_up(STORIES[story]), summed_up([])):
        assert [path for path, value in walk(payload) if value is None or value in ("", [], {})] == []


@pytest.mark.parametrize("story", STORIES)
def test_custom_tags_are_texts(story: str) -> None:
    payload = traced(STORIES[story])
    assert {type(tag) for tag in payload["environment"]["custom_tags"].values()} == {str}


# Tokens


def test_tokens_are_what_the_model_reported() -> None:
    payload = traced(STORIES["working"])
    usage = payload["llm_usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (13_300, 300, 13_600)
    assert usage["api_calls_count"] == len(usage["calls"]) == 3
    assert usage["model"] == MODEL
    assert usage["provider"] == "openai"
    tags = payload["environment"]["custom_tags"]
    assert (tags["cached_tokens"], tags["reasoning_tokens"]) == ("11450", "104")
    assert (
        "13,300 prompt (11,450 cached) and 300 completion (104 reasoning) tokens in 3 model calls"
        in (payload["description"])
    )


def test_a_subagents_tokens_are_in_the_total_and_named_in_its_step() -> None:
    payload = traced(STORIES["delegating"])
    assert payload["llm_usage"]["prompt_tokens"] == 5_200
    (step,) = (step for step in payload["steps"] if step["action"] == "subagent")
    assert step["metadata"] == {
        "agent_id": "agent-7",
        "agent_type": "explorer",
        "status": "completed",
        "prompt_tokens": 1_000,
        "completion_tokens": 30,
        "cached_tokens": 200,
        "reasoning_tokens": 10,
        "model_calls": 1,
    }
    assert step["input_preview"] == "List the files."
    assert [call.get("purpose") for call in payload["llm_usage"]["calls"]] == ["subagent agent-7", None]
    (inner,) = (step for step in payload["steps"] if step["action"] == "tool_call")
    assert inner["metadata"]["agent_id"] == "agent-7"


def test_unknown_tokens_are_absent_not_zero() -> None:
    payload = traced(STORIES["hooks alone"])
    assert payload["llm_usage"] == {"model": MODEL}
    assert not {"cached_tokens", "reasoning_tokens"} & payload["environment"]["custom_tags"].keys()
    assert payload["sections"]["general"]["warnings"] == [
        "No transcript: tokens, exit codes and exact durations are not known."
    ]


# Errors


def test_a_failed_command_is_an_error_with_its_exit_code() -> None:
    payload = traced(STORIES["working"])
    step = payload["steps"][0]
    assert step["error"] == {
        "error_type": "CommandFailed",
        "message": "shell ended with exit code 3: E no module named cart",
        "recoverable": True,
        "error_code": "3",
    }
    assert payload["errors"] == [
        {**step["error"], "message": "Step 1: shell ended with exit code 3: E no module named cart"}
    ]
    assert step["metadata"]["exit_code"] == 3
    assert [one["step_number"] for one in payload["steps"] if "error" in one] == [1]


def test_the_list_of_errors_names_the_step_and_repeats_its_message_in_short() -> None:
    output = f"ValueError: {'very ' * 50}wrong"
    payload = traced(a_turn(ToolFinished(**transcript(10, "t"), call_id="c", tool="shell", output=output, exit_code=1)))
    assert len(payload["steps"][0]["error"]["message"]) > 250
    assert payload["errors"][0]["message"].startswith("Step 1: shell ended with exit code 1: ValueError: very")
    assert len(payload["errors"][0]["message"]) <= 90


def test_no_text_of_a_step_is_said_twice() -> None:
    """The previews of a step are not repeated in its tool call, a short command is not repeated as its input."""
    for story, events in STORIES.items():
        for step in traced(events).get("steps", []):
            texts = [text for _, text in walk(step) if isinstance(text, str) and len(text) > 12]
            assert len(texts) == len(set(texts)), (story, step)


def test_a_failure_without_output_says_so() -> None:
    (error,) = traced(a_turn(ToolFinished(**transcript(10, "t"), call_id="c", tool="shell", output="", exit_code=1)))[
        "errors"
    ]
    assert error["message"] == "Step 1: shell ended with exit code 1, without output"


def test_a_command_that_succeeded_has_exit_code_0() -> None:
    step = next(step for step in traced(STORIES["asking"])["steps"] if step["action"] == "tool_call")
    assert step["metadata"]["exit_code"] == 0
    assert "error" not in step


def test_a_call_that_failed_without_an_exit_code_has_a_reason() -> None:
    refused = ToolFinished(**transcript(10, "t"), call_id="c", tool="no_such_tool", error="unsupported call")
    (error,) = traced(a_turn(refused))["errors"]
    assert error == {"error_type": "ToolFailed", "message": "Step 1: unsupported call", "recoverable": True}


@pytest.mark.parametrize(
    ("status", "kind"), [(TurnStatus.FAILED, "TurnFailed"), (TurnStatus.INTERRUPTED, "TurnInterrupted")]
)
def test_a_turn_that_did_not_complete_is_an_error(status: TurnStatus, kind: str) -> None:
    payload = traced(a_turn(status=status))
    assert [(error["error_type"], error["message"]) for error in payload["errors"]] == [(kind, status.value)]
    assert payload["environment"]["custom_tags"]["status"] == status.value


# Files


def test_paths_of_modified_files_are_relative() -> None:
    development = traced(STORIES["working"])["sections"]["development"]
    assert development == {"programming_language": "Python", "files_modified": ["src/cart.py"]}


def test_paths_are_relative_to_the_sessions_directory_if_the_turn_has_none() -> None:
    events = from_source(EventSource.TRANSCRIPT, [*session_begins(), *working_turn()])
    events = [replace(event, cwd=None) if isinstance(event, TurnStarted) else event for event in events]
    assert traced(events)["sections"]["development"]["files_modified"] == ["src/cart.py"]


def test_a_file_elsewhere_keeps_its_path_and_a_moved_one_has_its_new_name() -> None:
    changes = [
        FileChange(path="/etc/hosts", kind=ChangeKind.MODIFIED),
        FileChange(path=f"{CWD}/a.py", kind=ChangeKind.MOVED, moved_to=f"{CWD}/b.py"),
        FileChange(path=f"{CWD}-old/c.py", kind=ChangeKind.DELETED),
    ]
    payload = traced(a_turn(ToolFinished(**transcript(10, "t"), call_id="c", tool="apply_patch", changes=changes)))
    assert payload["sections"]["development"]["files_modified"] == ["/etc/hosts", f"{CWD}-old/c.py", "b.py"]
    assert payload["steps"][0]["metadata"]["files"][1] == {"path": "a.py", "kind": "moved", "moved_to": "b.py"}


# Times


def test_times_are_to_the_millisecond() -> None:
    payload = traced(STORIES["working"])
    assert payload["duration"] == 2.507
    assert payload["current_datetime"] == "2026-09-21T14:13:22.711Z"
    assert payload["sections"]["time_tracking"] == {
        "start_time": "2026-09-21T14:13:20.100Z",
        "end_time": "2026-09-21T14:13:22.711Z",
    }
    assert payload["steps"][0]["duration_ms"] == 230.417


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(0, 0.0), (1, 0.001), (86_400_000, 86_400.0), (10**12, 86_400.0), (-5, 0.0)]
)
def test_a_duration_is_within_a_day(milliseconds: int, seconds: float) -> None:
    turn = Turn(id="t", started_at_ms=START_MS, duration_ms=float(milliseconds))
    assert turn_payload(fold([]), turn)["duration"] == seconds


@pytest.mark.parametrize("at_ms", [-(10**15), 0, 10**15, 10**30])
def test_an_impossible_date_is_clamped(at_ms: int) -> None:
    turn = Turn(id="t", started_at_ms=at_ms, ended_at_ms=at_ms)
    written = str(turn_payload(fold([]), turn)["current_datetime"])
    assert written in ("1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.000Z")


# Texts and their limits


def test_a_name_is_the_prompts_first_line() -> None:
    assert traced(a_turn(prompt="\n\n  \x1b[1mFix it\x1b[0m\nplease"))["name"] == "Fix it"
    assert traced(a_turn(prompt=None))["name"] == "Turn t"
    assert summed_up(STORIES["working"])["name"] == "Session of 1 turn: Add a cart"
    assert summed_up(STORIES["working"], 3)["name"] == "Session of 1 turn, part 3: Add a cart"


@given(st.text(st.characters(), max_size=30).map(lambda text: text * 40), st.text(st.characters(), max_size=700))
def test_name_and_description_keep_the_apis_limits(prompt: str, turn: str) -> None:
    events = [TurnStarted(**hook(0, turn or "t"), prompt=prompt)]
    for payload in (traced(events), summed_up(events)):
        assert 0 < len(payload["name"]) <= 500
        assert 0 < len(payload["description"]) <= 10_000


def test_a_turn_without_a_prompt_and_with_a_long_id_keeps_the_limit() -> None:
    payload = traced([TurnStarted(**hook(0, "t" * 700), cwd=CWD)])
    assert len(payload["name"]) == 500


def test_the_summary_of_many_turns_keeps_the_limit_and_says_what_is_missing() -> None:
    events = [event for number in range(300) for event in working_turn(f"turn-{number}", number * 10_000)]
    payload = summed_up(events)
    assert len(payload["description"]) <= 10_000
    assert payload["description"].endswith(" characters]")
    assert payload["environment"]["custom_tags"]["turns"] == "300"
    assert payload["llm_usage"]["api_calls_count"] == 900


def test_previews_and_summaries_are_never_longer_than_their_limits_and_keep_both_ends() -> None:
    options = replace(OPTIONS, max_input_preview=40, max_output_preview=50, max_input_summary=60, max_output_summary=70)
    events = a_turn(
        ToolStarted(**transcript(10, "t"), call_id="c", tool="shell", arguments={"command": f"i{'x' * 99}I"}),
        ToolFinished(**transcript(20, "t"), call_id="c", output=f"o{'x' * 99}O", exit_code=0),
        TurnEnded(**transcript(49_000, "t"), status=TurnStatus.COMPLETED, last_message=f"s{'x' * 99}S"),
        prompt=f"p{'x' * 99}P",
    )
    payload = traced(events, options=options)
    (step,) = payload["steps"]
    texts = (step["input_preview"], step["output_preview"], payload["input_summary"], payload["output_summary"])
    assert [limit - len(text) in (0, 1, 2) for text, limit in zip(texts, (40, 50, 60, 70), strict=True)] == [True] * 4
    assert [text[0] + text[-1] for text in texts] == ["iI", "oO", "pP", "sS"]
    assert payload["environment"]["custom_tags"]["previews_cut"] == "4"


@pytest.mark.parametrize("limit", [0, 1, 25])
def test_no_field_shows_more_of_the_prompt_than_its_limit(limit: int) -> None:
    """Title, input summary, objective and the other expectations."""
    prompt = (
        f"Fix the parser {'quickly ' * 20}\n\nRequirements:\n- It must never {'fail ' * 20}\n- Add tests {'x' * 90}"
    )
    payload = traced(a_turn(prompt=prompt), options=replace(OPTIONS, max_input_summary=limit))
    outcome = payload.get("expected_outcome", {})
    texts = [payload.get("input_summary", ""), *_strings(outcome)]
    if limit:
        texts.append(payload["name"])
    else:
        assert payload["name"].startswith("Turn ")
    assert [text for text in texts if len(text) > limit] == []


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list) else [str(value)]


def test_a_failed_call_shows_more_of_its_output_most_of_it_from_the_end() -> None:
    options = replace(OPTIONS, max_output_preview=100, max_failure_preview=400)
    output = "h" * 500 + "t" * 500
    shown = [
        traced(a_turn(ToolFinished(**transcript(20, "t"), call_id="c", output=output, exit_code=code)), options=options)
        for code in (0, 1)
    ]
    passed, failed = (payload["steps"][0]["output_preview"] for payload in shown)
    assert 90 < len(passed) <= 100
    assert 390 < len(failed) <= 400
    assert failed.count("t") > 2 * failed.count("h")


def test_a_command_that_cannot_be_shown_still_has_a_description() -> None:
    (step,) = traced(
        a_turn(ToolStarted(**hook(10, "t"), call_id="c", tool="shell", arguments={"command": "\x00\x1b[0m"}))
    )["steps"]
    assert step["description"] == "shell"


def test_steps_are_numbered_in_order_of_time() -> None:
    payload = summed_up(whole_session())
    assert [step["step_number"] for step in payload["steps"]] == list(range(1, len(payload["steps"]) + 1))
    assert [step["action"] for step in traced(STORIES["asking"])["steps"]] == [
        "compaction",
        "tool_call",
        "permission_request",
    ]


# Redaction


TEXTS = ("Add a cart", "pytest", "no module", "There is no", "The cart", "def total", "git push", "Look", "Two direc")


def test_metadata_only_sends_no_prompt_command_output_or_message() -> None:
    for story, events in STORIES.items():
        written = json.dumps(traced(events, options=METADATA_ONLY), ensure_ascii=False)
        for text in TEXTS:
            assert text not in written, (story, text)
    payload = traced(STORIES["working"], options=METADATA_ONLY)
    assert payload["llm_usage"]["total_tokens"] == 13_600
    assert payload["errors"][0]["error_code"] == "3"
    assert payload["name"] == "Turn turn-1"


def test_a_secret_is_redacted_in_every_text_even_if_a_preview_ends_in_it() -> None:
    secret = "quartz-mango-7319-heron"
    events = a_turn(
        ToolStarted(**transcript(10, "t"), call_id="a", tool="shell", arguments={"command": f"login {secret}"}),
        ToolFinished(**transcript(20, "t"), call_id="a", output=f"{'o' * 290}{secret}", exit_code=1),
        ToolFinished(**transcript(30, "t"), call_id="b", tool="mcp__x__y", error=f"refused {secret}"),
        AssistantMessage(**transcript(40, "t"), text=f"I use {secret}."),
        PermissionAsked(**hook(45, "t"), tool="shell", arguments={"command": "x", "why": secret}),
        TurnEnded(**transcript(60, "t"), status=TurnStatus.FAILED, reason=f"bad {secret}", last_message=secret),
        prompt=f"Use {secret}",
    )
    session = fold(events)
    payload: Any = turn_payload(session, session.turns[0], options=replace(OPTIONS, secrets=(secret,)))
    assert "quartz" not in json.dumps(payload)
    assert payload["name"].startswith("Use [redacted:")
    assert payload["environment"]["custom_tags"]["redacted"].startswith("own-secret: ")


# Tags


@pytest.mark.parametrize(
    ("branch", "commit", "expected"),
    [
        pytest.param("trunk", None, "trunk", id="before-the-first-commit"),
        pytest.param("topic", "1f0e2d3c", "topic", id="on-a-branch"),
        pytest.param(None, "1f0e2d3c", None, id="detached"),
        pytest.param(None, None, "main", id="unreadable-so-what-the-session-began-on"),
    ],
)
def test_the_branch_is_the_checkouts_own(branch: str | None, commit: str | None, expected: str | None) -> None:
    context = replace(CONTEXT, git_branch=branch, git_commit=commit)
    assert traced(STORIES["working"], context)["environment"]["custom_tags"].get("git_branch") == expected


def test_a_trace_has_tags_for_its_key_and_origin() -> None:
    tags = traced(STORIES["working"], options=replace(OPTIONS, custom_tags={"team": "shop"}))["environment"][
        "custom_tags"
    ]
    expected = {
        "trace_key": trace_key(CONTEXT.session_id, None, "turn-1", "turn"),
        "session": CONTEXT.session_id,
        "turn": "turn-1",
        "kind": "turn",
        "cwd": CWD,
        "git_branch": "main",
        "git_commit": "1f0e2d3c",
        "permission_mode": "default",
        "sources": "hook, transcript",
        "first_token_ms": "610",
        "team": "shop",
    }
    assert expected.items() <= tags.items()


def test_a_summarys_key_is_made_of_its_first_turn() -> None:
    """A lost part number neither repeats a summary under another key nor gives two summaries one key."""
    events = whole_session()
    turns = fold(events).turns
    found = [summed_up(events), summed_up(events, 2), summed_up(events, 1, turns[1:])]
    keys = [payload["environment"]["custom_tags"]["trace_key"] for payload in found]
    assert keys == [trace_key(CONTEXT.session_id, None, turns[number].id, "session") for number in (0, 0, 1)]


def test_skipped_records_are_in_the_warnings() -> None:
    skipped = [RecordSkipped(**transcript(5), what="transcript:hologram")] * 2
    payload = traced([*STORIES["working"], *skipped])
    assert payload["sections"]["general"]["warnings"] == ["2 records skipped: transcript:hologram"]


# Properties


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 255)), max_size=20))
def test_totals_are_the_sums_of_the_parts(rows: list[tuple[int, int, int]]) -> None:
    events: list[Event] = []
    for number, (prompt, completion, exit_code) in enumerate(rows):
        usage = TokenUsage(prompt=prompt, completion=completion)
        events += [
            ModelResponded(**transcript(number, "t"), response_id=str(number), usage=usage),
            ToolFinished(**transcript(number, "t"), call_id=str(number), tool="shell", exit_code=exit_code),
        ]
    payload = traced(a_turn(*events))
    llm_usage = payload["llm_usage"]
    if rows:
        assert llm_usage["prompt_tokens"] == sum(call["prompt_tokens"] for call in llm_usage["calls"])
        assert llm_usage["total_tokens"] == sum(prompt + completion for prompt, completion, _ in rows)
    errors = payload.get("errors", [])
    assert [error["error_code"] for error in errors] == [str(code) for *_, code in rows if code]


def test_a_secret_is_found_everywhere_and_counted_once() -> None:
    """In an argument with a secret's name, between terminal escapes, in a path."""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    events: list[Event] = [
        TurnStarted(at_ms=1, source=EventSource.HOOK, turn_id="t", prompt="log in", cwd=f"/home/{token}"),
        ToolStarted(
            at_ms=2, source=EventSource.HOOK, turn_id="t", call_id="c", tool="login", arguments={"password": "letmein"}
        ),
        ToolFinished(
            at_ms=3,
            source=EventSource.HOOK,
            turn_id="t",
            call_id="c",
            output=f"{token[:9]}\x1b[0m{token[9:]}",
            failed=True,
        ),
        TurnEnded(at_ms=4, source=EventSource.HOOK, turn_id="t", status=TurnStatus.COMPLETED),
    ]
    session = fold(events)
    payload = turn_payload(session, session.turns[0])
    assert token not in json.dumps(payload)
    assert "letmein" not in json.dumps(payload)
    assert payload["environment"]["custom_tags"]["redacted"] == "github-token: 2, password: 1"


# What a turn changed


def patched(patch: str, context: TraceContext = CONTEXT, options: TraceOptions = OPTIONS) -> dict[str, Any]:
    """Return the payload of a turn with one patch of the agent."""
    change = FileChange(path=f"{CWD}/a.py", kind=ChangeKind.ADDED, lines_added=2, lines_removed=0)
    return traced(
        a_turn(
            ToolStarted(**transcript(10, "t"), call_id="c", tool="apply_patch", arguments=patch),
            ToolFinished(**transcript(20, "t"), call_id="c", output="Success.", changes=[change]),
        ),
        context,
        options,
    )


def test_what_the_checkout_says_completes_what_patches_say() -> None:
    """A file that both report counts once, with the lines of the checkout."""
    changes = TreeChanges(
        files=(
            FileChange(path=f"{CWD}/a.py", kind=ChangeKind.ADDED, lines_added=5, lines_removed=0),
            FileChange(path=f"{CWD}/made by shell.py", kind=ChangeKind.ADDED, lines_added=7, lines_removed=1),
        ),
        diff="+++ b/a.py\n+x\n",
        commits=(Commit(commit="1f0e2d3c", subject="Add a cart"),),
        is_dirty=False,
    )
    payload = patched("*** Begin Patch", replace(CONTEXT, changes=changes))
    assert payload["sections"]["development"]["files_modified"] == ["a.py", "made by shell.py"]
    tags = payload["environment"]["custom_tags"]
    assert (tags["lines_added"], tags["lines_removed"], tags["git_dirty"]) == ("12", "1", "false")
    step = payload["steps"][-1]
    assert step["description"] == "2 files changed, 12 lines added, 1 removed, 1 commit"
    assert step["metadata"]["commits"] == [{"commit": "1f0e2d3c", "subject": "Add a cart"}]
    assert step["output_preview"] == "+++ b/a.py\n+x\n"


def test_without_a_checkout_long_patches_are_the_diff() -> None:
    patch = "*** Begin Patch\n*** Add File: a.py\n" + "+a line\n" * 100 + "*** End Patch\n"
    step = patched(patch)["steps"][-1]
    assert (step["action"], step["output_preview"]) == ("file_changes", patch)
    assert step["metadata"]["files"] == [{"path": "a.py", "kind": "added", "lines_added": 2, "lines_removed": 0}]


def test_a_patch_that_its_own_step_shows_whole_is_not_repeated() -> None:
    assert [step["action"] for step in patched("*** Begin Patch\n+a\n*** End Patch\n")["steps"]] == ["tool_call"]


def test_a_diff_is_bounded_and_left_out_of_metadata_only() -> None:
    changes = TreeChanges(
        files=(FileChange(path=f"{CWD}/a.py", kind=ChangeKind.ADDED),),
        diff="+x\n" * 20_000,
        commits=(Commit(commit="1f0e2d3c", subject="Add a cart"),),
    )
    context = replace(CONTEXT, changes=changes)
    assert len(patched("", context)["steps"][-1]["output_preview"]) <= 20_000
    step = patched("", context, METADATA_ONLY)["steps"][-1]
    assert "output_preview" not in step
    assert "Add a cart" not in str(step)
