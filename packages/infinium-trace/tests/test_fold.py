"""Folding events into a session counts every fact once, whatever its source and its order of arrival."""

from collections.abc import Sequence
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import (
    Answer,
    AssistantMessage,
    ChangeKind,
    Compacted,
    Compaction,
    Event,
    EventSource,
    FileChange,
    Message,
    ModelResponded,
    PermissionAsked,
    PermissionRequest,
    RecordSkipped,
    SessionEnded,
    SourcesDisagreed,
    Subagent,
    SubagentEnded,
    SubagentStarted,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    Turn,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    fold,
)
from story import (
    CWD,
    FIRST,
    MODEL,
    SECOND,
    START_MS,
    SUBAGENT_USAGE,
    THIRD,
    asking_turn,
    delegating_turn,
    from_source,
    hook,
    interrupted_turn,
    session_begins,
    session_ends,
    transcript,
    whole_session,
    working_turn,
)


def only_turn(events: Sequence[Event]) -> Turn:
    """Return the only turn of these events."""
    (turn,) = fold(events).turns
    return turn


def starts(turn: str = "t", ms: int = 0) -> TurnStarted:
    return TurnStarted(**hook(ms, turn), prompt="go", cwd=CWD)


# Two sources, one fact


def test_a_fact_that_both_sources_report_is_counted_once() -> None:
    turn = only_turn([*session_begins(), *working_turn(), *session_ends()])
    assert [call.call_id for call in turn.tool_calls] == ["turn-1-call-1", "turn-1-call-2"]
    assert [type(step).__name__ for step in turn.steps] == ["ToolCall", "Message", "ToolCall"]
    assert [call.usage for call in turn.calls] == [FIRST, SECOND, THIRD]
    assert turn.usage == TokenUsage(prompt=13_300, completion=300, cached=11_450, reasoning=104)
    assert [change.path for change in turn.changes] == [f"{CWD}/src/cart.py"]
    assert turn.prompt == "Add a cart\nwith a total."
    assert turn.models == (MODEL,)
    assert turn.sources == frozenset(EventSource)


def test_the_transcripts_exit_code_wins_over_the_hooks_success() -> None:
    failed, _ = only_turn(working_turn()).tool_calls
    assert (failed.exit_code, failed.failed) == (3, True)


def test_the_transcript_also_wins_over_a_later_hook_that_reports_zero() -> None:
    failed, _ = only_turn(
        [
            *working_turn(),
            ToolFinished(
                **hook(9_000, "turn-1"), call_id="turn-1-call-1", exit_code=0, output="fine", duration_ms=7_000.0
            ),
        ]
    ).tool_calls
    assert (failed.exit_code, failed.failed, failed.duration_ms) == (3, True, 230.417)
    assert failed.output == "E   no module named cart\n1 failed"


def test_a_call_is_failed_without_an_exit_code_when_its_error_is_known() -> None:
    turn = only_turn(
        [
            starts(),
            ToolStarted(**transcript(10, "t"), call_id="c", tool="no_such_tool"),
            ToolFinished(**transcript(20, "t"), call_id="c", error="unsupported call: no_such_tool"),
            TurnEnded(**transcript(30, "t"), status=TurnStatus.COMPLETED),
        ]
    )
    (call,) = turn.tool_calls
    assert (call.failed, call.error, call.exit_code) == (True, "unsupported call: no_such_tool", None)


def test_the_last_message_is_no_step_but_the_ones_before_it_are() -> None:
    turn = only_turn(working_turn())
    assert [step.text for step in turn.steps if isinstance(step, Message)] == ["There is no cart yet."]
    assert turn.last_message == "The cart is there."


def test_two_messages_with_the_same_text_are_two() -> None:
    turn = only_turn(
        [
            starts(),
            AssistantMessage(**transcript(10, "t"), text="Once more.", message_id="m1"),
            AssistantMessage(**transcript(20, "t"), text="Once more.", message_id="m2"),
            AssistantMessage(**transcript(20, "t"), text="Once more.", message_id="m2"),
        ]
    )
    assert [step.started_at_ms - START_MS for step in turn.steps] == [10, 20]


def test_a_compaction_that_both_sources_report_is_one() -> None:
    turn = only_turn(asking_turn())
    assert [step for step in turn.steps if isinstance(step, Compaction)] == [
        Compaction(started_at_ms=START_MS + 20_100, duration_ms=350.0, trigger="auto")
    ]


@pytest.mark.parametrize(
    ("source", "duration"), [(EventSource.HOOK, 90.0), (EventSource.TRANSCRIPT, None), (None, 80.0)]
)
def test_two_compactions_of_one_turn_are_two(source: EventSource | None, duration: float | None) -> None:
    events: list[Event] = [starts()]
    for ms in (100, 500):
        events += [
            Compacted(**hook(ms, "t"), phase="started", trigger="manual"),
            Compacted(**transcript(ms + 80, "t"), phase="finished"),
            Compacted(**hook(ms + 90, "t"), phase="finished", trigger="manual"),
        ]
    chosen = [event for event in events if source in (None, event.source) or isinstance(event, TurnStarted)]
    steps = only_turn(chosen).steps
    assert [step.duration_ms for step in steps if isinstance(step, Compaction)] == [duration, duration]


def test_a_compaction_without_a_start_counts() -> None:
    steps = only_turn([starts(), Compacted(**hook(90, "t"), phase="finished", trigger="auto")]).steps
    assert steps == (Compaction(started_at_ms=START_MS + 90, trigger="auto"),)


def test_a_permission_request_is_a_step_of_its_turn() -> None:
    asked = [step for step in only_turn(asking_turn()).steps if isinstance(step, PermissionRequest)]
    assert [(step.tool, step.arguments) for step in asked] == [("shell", {"command": "git push"})]


def test_arguments_of_any_mapping_are_kept() -> None:
    arguments = MappingProxyType({"path": "a.png"})
    turn = only_turn([starts(), ToolStarted(**hook(5, "t"), call_id="c", tool="view_image", arguments=arguments)])
    assert turn.tool_calls[0].arguments == {"path": "a.png"}


# Tokens


def test_a_repeated_token_record_is_counted_once() -> None:
    again = [
        ModelResponded(**transcript(950, "turn-1"), response_id="turn-1-r1", usage=FIRST, model=MODEL),
        ModelResponded(**transcript(2_800, "turn-1"), response_id="turn-1-r3", usage=THIRD, model=MODEL),
    ]
    turn = only_turn([*working_turn(), *again])
    assert len(turn.calls) == 3
    assert turn.usage.total == 13_600


def test_tokens_belong_to_the_turn_that_used_them() -> None:
    first, second = fold([*working_turn("a", 0), *working_turn("b", 10_000)]).turns
    assert first.usage == second.usage == FIRST + SECOND + THIRD


# Subagents


def test_a_subagents_work_belongs_to_the_turn_that_spawned_it_and_is_no_turn_of_the_users() -> None:
    session = fold([*session_begins(), *working_turn(), *delegating_turn(), *interrupted_turn()])
    assert [turn.id for turn in session.turns] == ["turn-1", "turn-2", "turn-4"]
    turn = session.turns[1]
    (subagent,) = (step for step in turn.steps if isinstance(step, Subagent))
    assert (subagent.subagent_id, subagent.agent_type, subagent.duration_ms) == ("agent-7", "explorer", 420.0)
    assert subagent.last_message == "Two directories."
    assert subagent.usage == SUBAGENT_USAGE
    assert turn.prompt == "Look around."
    assert turn.last_message == "A small shop."
    assert [call.call_id for call in turn.tool_calls] == ["inner-1"]
    assert turn.usage == FIRST + SUBAGENT_USAGE, "its tokens count in the turn, once"


def test_a_subagent_that_outlives_its_turn_stays_with_it() -> None:
    late: list[Event] = [
        ToolStarted(**hook(11_500, "own", "agent-7"), call_id="inner-2", tool="shell", arguments={"command": "wc"}),
        ToolFinished(**hook(11_600, "own", "agent-7"), call_id="inner-2", output="2"),
        ModelResponded(**transcript(11_700, "own", "agent-7"), response_id="r", usage=SUBAGENT_USAGE),
        SubagentEnded(**hook(11_800, "turn-1", "agent-7"), last_message="Two lines."),
    ]
    spawn = SubagentStarted(**hook(2_000, "turn-1", "agent-7"), agent_type="worker")
    first, second = fold([*working_turn(), spawn, *working_turn("turn-2", 11_000), *late]).turns
    assert [call.call_id for call in first.tool_calls] == ["turn-1-call-1", "turn-1-call-2", "inner-2"]
    assert [call.call_id for call in second.tool_calls] == ["turn-2-call-1", "turn-2-call-2"]
    assert second.usage == FIRST + SECOND + THIRD


def test_a_subagent_reported_late_belongs_to_the_turn_named_by_its_start() -> None:
    late = SubagentStarted(**hook(11_500, "turn-1", "agent-7"), agent_type="worker")
    first, second = fold([*working_turn(), *working_turn("turn-2", 11_000), late]).turns
    assert [step.agent_type for step in first.steps if isinstance(step, Subagent)] == ["worker"]
    assert not any(isinstance(step, Subagent) for step in second.steps)


def test_the_end_of_a_subagents_turn_ends_no_turn_of_the_users() -> None:
    events = [event for event in delegating_turn() if not (isinstance(event, TurnEnded) and event.subagent_id is None)]
    turn = only_turn(events)
    assert (turn.status, turn.ended_at_ms, turn.last_message) == (TurnStatus.RUNNING, None, None)


# How turns end


def test_an_interrupted_turn_keeps_what_it_did() -> None:
    turn = only_turn(interrupted_turn())
    assert (turn.status, turn.reason, turn.duration_ms) == (TurnStatus.INTERRUPTED, "interrupted", 998.0)
    (call,) = turn.tool_calls
    assert (call.finished, call.ended_at_ms, call.duration_ms, call.failed) == (False, None, None, False)


@pytest.mark.parametrize("status", [TurnStatus.FAILED, TurnStatus.INTERRUPTED])
def test_a_turn_that_failed_and_then_completed_has_failed(status: TurnStatus) -> None:
    turn = only_turn(
        [
            starts(),
            TurnEnded(**transcript(50, "t"), status=status, reason="stream closed"),
            TurnEnded(**transcript(60, "t"), status=TurnStatus.COMPLETED),
        ]
    )
    assert (turn.status, turn.reason) == (status, "stream closed")


def test_a_turn_without_an_end_is_still_running() -> None:
    turn = only_turn([event for event in working_turn() if not isinstance(event, TurnEnded)])
    assert (turn.status, turn.ended_at_ms, turn.duration_ms) == (TurnStatus.RUNNING, None, None)
    assert len(turn.tool_calls) == 2
    assert len([step for step in turn.steps if isinstance(step, Message)]) == 2, "no word of it is known to be the last"


def test_a_turn_lasts_as_long_as_the_agent_measured() -> None:
    turn = only_turn(working_turn())
    assert (turn.duration_ms, turn.first_token_ms) == (2_507.0, 610)
    assert (turn.started_at_ms, turn.ended_at_ms) == (START_MS + 100, START_MS + 2_711)


def test_a_turn_continued_by_a_stop_hook_ends_later() -> None:
    turn = only_turn(
        [
            starts(),
            TurnEnded(**hook(100, "t"), status=TurnStatus.COMPLETED, last_message="Done."),
            TurnEnded(**hook(900, "t"), status=TurnStatus.COMPLETED, last_message="Now done.", continued_by_hook=True),
        ]
    )
    assert (turn.duration_ms, turn.last_message) == (900.0, "Now done.")


def test_events_after_a_turns_end_still_belong_to_it() -> None:
    late = ToolFinished(**transcript(20_000, "a"), call_id="a-call-1", exit_code=4)
    first, second = fold([*working_turn("a", 0), *working_turn("b", 10_000), late]).turns
    assert first.tool_calls[0].exit_code == 4
    assert second.tool_calls[0].exit_code == 3
    assert first.ended_at_ms == START_MS + 2_611


def test_an_event_without_a_turn_belongs_to_the_one_running_then() -> None:
    said = AssistantMessage(**transcript(10_500), text="Hello.")
    first, second = fold([*working_turn("a", 0), *working_turn("b", 10_000), said]).turns
    assert "Hello." not in [step.text for step in first.steps if isinstance(step, Message)]
    assert "Hello." in [step.text for step in second.steps if isinstance(step, Message)]


def test_a_record_without_a_time_does_not_make_the_turn_start_in_1970() -> None:
    undated = TurnStarted(at_ms=0, source=EventSource.TRANSCRIPT, turn_id="turn-1", effort="high")
    turn = only_turn([undated, *working_turn()])
    assert (turn.started_at_ms, turn.effort) == (START_MS + 100, "medium")


def test_clocks_that_disagree_make_no_negative_duration() -> None:
    turn = only_turn(
        [
            starts(ms=100),
            ToolStarted(**hook(150, "t"), call_id="c", tool="shell"),
            ToolFinished(**transcript(140, "t"), call_id="c", exit_code=0),
            TurnEnded(**transcript(90, "t"), status=TurnStatus.COMPLETED),
        ]
    )
    assert turn.duration_ms == 0.0
    assert turn.tool_calls[0].duration_ms == 0.0


# Commands in the background


def background(*later: Event) -> Turn:
    return only_turn(
        [
            starts(),
            ToolStarted(**hook(100, "t"), call_id="c", tool="shell", arguments={"command": "npm start"}),
            ToolFinished(**transcript(400, "t"), call_id="c", output="listening", still_running=True),
            ToolFinished(**hook(430, "t"), call_id="c", output="listening"),
            *later,
        ]
    )


def test_a_command_in_the_background_is_not_finished_though_its_hook_ran() -> None:
    (call,) = background().tool_calls
    assert (call.finished, call.exit_code, call.output) == (False, None, "listening")


def test_a_later_record_ends_a_command_in_the_background() -> None:
    ended = ToolFinished(**transcript(5_100, "t"), call_id="c", output="listening\nbye", exit_code=130)
    (call,) = background(ended).tool_calls
    assert (call.finished, call.exit_code, call.output) == (True, 130, "listening\nbye")
    assert call.duration_ms == 5_000.0


@pytest.mark.parametrize(("exit_code", "failed"), [(-1, False), (1, True)])
def test_a_background_command_that_the_agent_killed_has_not_failed(exit_code: int, *, failed: bool) -> None:
    (call,) = background(ToolFinished(**transcript(5_100, "t"), call_id="c", exit_code=exit_code)).tool_calls
    assert call.failed is failed


# One source alone


def test_hooks_alone_make_a_session() -> None:
    session = fold(from_source(EventSource.HOOK, [*session_begins(), *working_turn(), *session_ends()]))
    (turn,) = session.turns
    assert session.sources == frozenset({EventSource.HOOK})
    assert (session.cwd, session.permission_mode, session.end_reason) == (CWD, "default", "exit")
    assert (turn.status, turn.prompt, turn.last_message) == (
        TurnStatus.COMPLETED,
        "Add a cart\nwith a total.",
        "The cart is there.",
    )
    assert turn.duration_ms == 2_640.0
    assert turn.calls == ()
    shell, patch = turn.tool_calls
    assert (shell.duration_ms, shell.exit_code, shell.finished) == (260.0, None, True)
    assert [(change.path, change.kind) for change in patch.changes] == [("src/cart.py", ChangeKind.ADDED)]


def test_a_transcript_alone_makes_a_session() -> None:
    session = fold(from_source(EventSource.TRANSCRIPT, [*session_begins(), *working_turn(), *session_ends()]))
    (turn,) = session.turns
    assert session.sources == frozenset({EventSource.TRANSCRIPT})
    assert (session.client_version, session.provider, session.git_branch) == ("0.169.0", "openai", "main")
    assert (session.started_at_ms, session.ended_at_ms) == (START_MS - 20, None)
    assert turn.tool_calls[0].exit_code == 3
    assert turn.usage.total == 13_600
    assert turn.duration_ms == 2_507.0


def test_no_events_make_an_empty_session() -> None:
    assert fold([]).turns == ()


def test_skipped_records_are_counted_by_kind() -> None:
    skipped = [RecordSkipped(**transcript(ms), what=what) for ms, what in enumerate(["b", "a", "b"])]
    session = fold([*skipped, *working_turn()])
    assert dict(session.skipped) == {"a": 1, "b": 2}
    assert len(session.turns) == 1


def test_a_session_ends_at_its_last_end() -> None:
    session = fold([SessionEnded(**hook(900), reason="other"), *session_begins(), SessionEnded(**hook(100))])
    assert (session.ended_at_ms, session.end_reason) == (START_MS + 900, "other")


# Files


def changed(*changes: FileChange) -> tuple[FileChange, ...]:
    calls = [
        ToolFinished(**transcript(10 + number, "t"), call_id=str(number), changes=[change])
        for number, change in enumerate(changes)
    ]
    return only_turn([starts(), *calls]).changes


def test_changes_of_one_file_are_one_entry_with_the_lines_of_all() -> None:
    added = FileChange(path="a.py", kind=ChangeKind.ADDED, lines_added=10)
    edited = FileChange(path="a.py", kind=ChangeKind.MODIFIED, lines_added=2, lines_removed=1)
    assert changed(added, edited) == (FileChange(path="a.py", kind=ChangeKind.ADDED, lines_added=12, lines_removed=1),)


def test_a_file_edited_and_then_deleted_is_deleted() -> None:
    edited = FileChange(path="a.py", kind=ChangeKind.MODIFIED)
    deleted = FileChange(path="a.py", kind=ChangeKind.DELETED)
    assert [change.kind for change in changed(edited, deleted)] == [ChangeKind.DELETED]


# Order of arrival


def keeps_tools_in_order(events: Sequence[Event]) -> list[Event]:
    """Return these events with the starts of each tool call moved before its results."""
    of_call: dict[str, list[Event]] = {}
    for event in events:
        if isinstance(event, ToolStarted | ToolFinished):
            of_call.setdefault(event.call_id, []).append(event)
    for of_one in of_call.values():
        of_one.sort(key=lambda event: isinstance(event, ToolFinished), reverse=True)
    return [
        of_call[event.call_id].pop() if isinstance(event, ToolStarted | ToolFinished) else event for event in events
    ]


@given(st.permutations(whole_session()))
def test_the_order_of_arrival_does_not_matter(arrived: list[Event]) -> None:
    assert fold(keeps_tools_in_order(arrived)) == fold(whole_session())


@given(st.permutations(working_turn()), st.integers(0, len(working_turn())))
def test_a_fact_that_arrives_twice_is_the_same_fact(arrived: list[Event], repeated: int) -> None:
    assert fold([*arrived, *arrived[:repeated]]) == fold(working_turn())


# Subagents that work for more than one turn, or longer than it


def two_turns_one_agent(*more: Event) -> tuple[Turn, ...]:
    """A subagent that turn a spawned. It works in its own turns a1, for turn a, and b1, for turn b."""
    return fold(
        [
            starts("a", 0),
            SubagentStarted(**transcript(10, None, "agent"), parent_turn_id="a", call_id="spawn"),
            TurnEnded(**transcript(100, "a"), status=TurnStatus.COMPLETED),
            starts("b", 200),
            TurnEnded(**transcript(900, "b"), status=TurnStatus.COMPLETED),
            *more,
        ]
    ).turns


def answered(ms: int, own_turn: str) -> ModelResponded:
    return ModelResponded(
        **transcript(ms, own_turn, "agent"), response_id=f"r{ms}", usage=TokenUsage(prompt=ms), model=MODEL
    )


def test_work_after_the_turn_that_spawned_the_agent_counts_for_that_turn() -> None:
    first, second = two_turns_one_agent(answered(50, "a1"), answered(500, "a1"))
    assert (first.usage.prompt, second.usage.prompt) == (550, 0)
    [agent] = first.subagents
    assert (agent.usage.prompt, agent.calls) == (550, 2)
    assert second.subagents == ()


def test_work_for_a_later_turn_counts_there() -> None:
    again = SubagentStarted(**transcript(300, "b1", "agent"), parent_turn_id="b")
    first, second = two_turns_one_agent(answered(50, "a1"), again, answered(500, "b1"))
    assert (first.usage.prompt, second.usage.prompt) == (50, 500)


def test_an_event_without_a_turn_concerns_the_subagents_current_work() -> None:
    again = SubagentStarted(**transcript(300, "b1", "agent"), parent_turn_id="b")
    ended = SubagentEnded(**hook(600, None, "agent"), last_message="Done.")
    first, second = two_turns_one_agent(answered(50, "a1"), again, answered(500, "b1"), ended)
    assert [turn.subagents[0].last_message for turn in (first, second)] == [None, "Done."]


def test_work_for_a_turn_outside_the_session_is_not_counted() -> None:
    """Events are read from the last checkpoint. Late work of subagents belongs to the turns before it."""
    late: list[Event] = [
        SubagentStarted(**transcript(300, "old1", "other"), parent_turn_id="old"),
        ModelResponded(**transcript(310, "old1", "other"), response_id="r", usage=FIRST, model=MODEL),
    ]
    assert [turn.usage for turn in two_turns_one_agent(*late)] == [TokenUsage(), TokenUsage()]


def test_a_turn_with_nothing_but_an_interruption_is_omitted() -> None:
    ended = TurnEnded(**hook(5, "t"), status=TurnStatus.INTERRUPTED)
    assert fold([ended]).turns == ()
    assert len(fold([starts(), ended]).turns) == 1


def test_a_reported_status_replaces_an_inferred_one() -> None:
    guessed = TurnEnded(**transcript(60, "t"), status=TurnStatus.FAILED, guessed=True)
    reported = TurnEnded(**hook(50, "t"), status=TurnStatus.COMPLETED)
    assert only_turn([starts(), guessed]).status is TurnStatus.FAILED
    assert only_turn([starts(), reported, guessed]).status is TurnStatus.COMPLETED


def test_a_disagreement_is_listed_once() -> None:
    said = [SourcesDisagreed(**transcript(ms, "t"), what="tokens of r1") for ms in (5, 6)]
    assert only_turn([starts(), *said]).disagreements == ("tokens of r1",)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"whole": "ab"}, "ab"),
        ({"beginning": "a", "rest": "b", "whole": "ab"}, "ab"),
        ({"beginning": "a", "rest": "b", "whole": "b"}, "ab"),
        ({"beginning": "a", "whole": "b"}, "ab"),
        ({"beginning": "a", "rest": "b"}, "ab"),
        ({"beginning": "a"}, "a"),
    ],
)
def test_the_output_of_a_background_command_is_whole_and_not_repeated(reported: dict[str, str], expected: str) -> None:
    """An agent reports it in parts, as a whole, or as what came since the last part."""
    records: list[Event] = [starts(), ToolStarted(**transcript(1, "t"), call_id="c", tool="shell")]
    if "beginning" in reported:
        records.append(
            ToolFinished(**transcript(2, "t"), call_id="c", output=reported["beginning"], still_running=True)
        )
    if "whole" in reported:
        records.append(ToolFinished(**transcript(3, "t"), call_id="c", output=reported["whole"], exit_code=0))
    if "rest" in reported:
        rest = ToolFinished(
            **transcript(4, "t"), call_id="c", output=reported["rest"], output_continues=True, exit_code=0
        )
        records += [rest, rest]
    [call] = only_turn(records).tool_calls
    assert call.output == expected


def test_a_turn_with_five_hundred_calls_has_them_all_in_order() -> None:
    events: list[Event] = [starts()]
    for number in range(500):
        at = transcript(10 * number + 10, "t")
        arguments = {"command": f"echo {number}"}
        events.append(ToolStarted(**at, call_id=f"c{number}", tool="shell", arguments=arguments))
        events.append(ToolFinished(**at, call_id=f"c{number}", output=f"{number}\n", exit_code=number % 2))
    calls = only_turn(events).tool_calls
    assert [call.output for call in calls] == [f"{number}\n" for number in range(500)]
    assert sum(call.failed for call in calls) == 250


# Permission


def asked(*later: Event) -> PermissionRequest:
    command = {"command": "git push"}
    turn = only_turn(
        [
            starts(),
            ToolStarted(**transcript(10, "t"), call_id="other", tool="shell", arguments={"command": "ls"}),
            ToolStarted(**transcript(10, "t"), call_id="c", tool="shell", arguments={**command, "justification": "x"}),
            PermissionAsked(**hook(50, "t"), tool="shell", arguments={**command, "description": "x"}),
            *later,
        ]
    )
    [request] = [step for step in turn.steps if isinstance(step, PermissionRequest)]
    assert request.call_id == "c"
    return request


def ends(**how: bool) -> ToolFinished:
    return ToolFinished(**transcript(1_050, "t"), call_id="c", refused=how.get("refused", False),
                        aborted=how.get("aborted", False), error="no", duration_ms=200.0)  # fmt: skip


def test_a_granted_request_waited_until_the_call_started_to_run() -> None:
    request = asked(ToolFinished(**transcript(1_050, "t"), call_id="c", exit_code=1, duration_ms=200.0))
    assert (request.answer, request.waited_ms) == (Answer.GRANTED, 800.0)


def test_a_refused_request_waited_until_the_refusal() -> None:
    assert (asked(ends(refused=True)).answer, asked(ends(refused=True)).waited_ms) == (Answer.REFUSED, 1_000.0)
    assert asked(ends(aborted=True)).answer is Answer.NOT_RUN


def test_a_request_without_an_answer_has_none() -> None:
    assert (asked().answer, asked().waited_ms) == (None, None)
