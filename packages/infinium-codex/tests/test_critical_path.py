"""The critical path fills the time of a turn without a gap, with what the turn waited for."""

from pathlib import Path

import pytest
import view_samples
from infinium_codex.codex.agent import CODEX
from infinium_codex.session.whole import read_whole_session
from infinium_codex.view.critical_path import Activity, Work, activities, critical_path
from infinium_codex.view.from_transcript import view_session
from recorded import ROOT


def activity(work: Work, start: float, end: float, label: str = "", *, background: bool = False) -> Activity:
    return Activity(work=work, start=start, end=end, label=label, background=background)


def told(path: list[Activity]) -> list[tuple[str, float, float]]:
    return [(one.label or one.work.value, one.start, one.end) for one in path]


def test_of_calls_at_the_same_time_the_last_one_to_end_is_a_link() -> None:
    found = [
        activity(Work.MODEL, 0, 10),
        activity(Work.TOOL, 10, 20, "short"),
        activity(Work.TOOL, 10, 30, "long"),
        activity(Work.MODEL, 30, 40),
    ]
    assert told(critical_path(found, 0, 45)) == [
        ("model", 0, 10),
        ("long", 10, 30),
        ("model", 30, 40),
        ("hooks and other", 40, 45),
    ]


def test_a_command_in_the_background_is_no_link() -> None:
    found = [activity(Work.MODEL, 0, 10), activity(Work.TOOL, 10, 40, "server", background=True)]
    assert told(critical_path(found, 0, 20)) == [("model", 0, 10), ("hooks and other", 10, 20)]


def test_a_model_call_that_ends_after_its_first_tool_began_is_the_link_before_it() -> None:
    found = [activity(Work.MODEL, 0, 12), activity(Work.TOOL, 10, 30, "tool")]
    assert told(critical_path(found, 0, 30)) == [("model", 0, 10), ("tool", 10, 30)]


def test_while_a_call_waits_for_subagents_the_last_of_them_is_the_link() -> None:
    [turn] = view_samples.delegating(3).turns
    found = activities(turn)
    start = float(turn.summary.started_at_ms)
    path = critical_path(found, start, start + (turn.summary.duration_ms or 0))
    last = max((one for one in found if one.work is Work.SUBAGENT), key=lambda one: one.end)
    assert (last.label, last.end) in [(one.label, one.end) for one in path]


@pytest.mark.parametrize(
    "transcript", sorted(ROOT.glob("0.169.0/*/transcript.jsonl")), ids=lambda path: path.parent.name
)
def test_the_path_of_every_recorded_turn_has_no_gap(transcript: Path, tmp_path: Path) -> None:
    session = read_whole_session(CODEX, transcript, tmp_path)
    for turn in view_session(session, "s", "/project", view_samples.OPTIONS, {}).turns:
        start = float(turn.summary.started_at_ms)
        end = start + (turn.summary.duration_ms or 0.0)
        at = start
        for link in critical_path(activities(turn), start, end):
            assert link.start == pytest.approx(at)
            assert link.end >= link.start
            at = link.end
        assert at == pytest.approx(end)
