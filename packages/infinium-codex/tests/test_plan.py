"""What a reading leads to, decided without any file: which turns are closed, and whether the session ended."""

from collections.abc import Callable

import pytest
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.session.plan import ClosePolicy, Plan, make_plan
from infinium_codex.session.reading import Reading
from infinium_trace import TurnStatus
from infinium_trace.events import Event, EventSource, SessionEnded, TurnEnded, TurnStarted


def started(turn: str, at_ms: int = 1) -> Event:
    return TurnStarted(at_ms=at_ms, source=EventSource.HOOK, turn_id=turn, prompt=turn)


def ended(turn: str, at_ms: int = 2) -> Event:
    return TurnEnded(at_ms=at_ms, source=EventSource.HOOK, turn_id=turn, status=TurnStatus.COMPLETED)


def never_asked() -> bool:
    raise AssertionError("the processes were searched though the answer does not matter")


def plan(
    *events: Event,
    policy: ClosePolicy = ClosePolicy.when_ended,
    is_running: Callable[[], bool] = never_asked,
    summarize: bool = True,
) -> Plan:
    reading = Reading(cwd="/project", spool_end=len(events))
    for offset, event in enumerate(events):
        reading.events.append(event)
        reading.add_hook_event(event, offset)
    return make_plan(reading, Checkpoint(), policy=policy, is_running=is_running, summarize=summarize)


def closed(found: Plan) -> list[tuple[str, str | None]]:
    return [(turn.id, turn.reason) for turn in found.turns]


def test_an_open_turn_is_read_again_and_a_closed_one_is_not() -> None:
    found = plan(started("t-1"), ended("t-1"), started("t-2", at_ms=3))
    assert (closed(found), found.has_open_turns, found.end_reason) == ([("t-1", None)], True, None)
    assert (found.checkpoint.next_turn.spool, found.checkpoint.closed_turns) == (2, ("t-1",))


def test_a_prompt_closes_the_turn_before_it() -> None:
    found = plan(started("t-1"), started("t-2", at_ms=2))
    assert (closed(found), found.has_open_turns) == ([("t-1", "interrupted before the next prompt")], True)


@pytest.mark.parametrize(
    ("policy", "running", "reason"),
    [
        (ClosePolicy.when_ended, never_asked, None),
        (ClosePolicy.when_idle, lambda: True, None),
        (ClosePolicy.when_idle, lambda: False, "session timed out"),
        (ClosePolicy.always, never_asked, "session timed out"),
    ],
)
def test_when_a_session_with_an_open_turn_is_closed(
    policy: ClosePolicy, running: Callable[[], bool], reason: str | None
) -> None:
    found = plan(started("t-1"), policy=policy, is_running=running)
    assert found.end_reason == reason
    assert closed(found) == ([] if reason is None else [("t-1", reason)])


def test_an_idle_session_without_an_open_turn_is_closed_whether_or_not_the_agent_runs() -> None:
    assert plan(started("t-1"), ended("t-1"), policy=ClosePolicy.when_idle).end_reason == "session timed out"


def test_an_event_after_the_end_of_a_session_resumes_it() -> None:
    end = SessionEnded(at_ms=3, source=EventSource.HOOK)
    assert plan(started("t-1"), ended("t-1"), end).end_reason == "session ended"
    assert plan(started("t-1"), ended("t-1"), end, started("t-2", at_ms=4)).end_reason is None


def test_without_summaries_nothing_is_kept_for_one() -> None:
    found = plan(started("t-1"), ended("t-1"), summarize=False)
    assert found.checkpoint.summary_start == found.checkpoint.next_turn
    assert found.checkpoint.unsummarized == ()
