"""The view of a turn tells the same as its trace, whether it is built from the transcript or from the trace."""

from hashlib import sha256
from pathlib import Path

import msgspec
import pytest
from infinium_codex.codex.agent import CODEX
from infinium_codex.session.whole import read_whole_session
from infinium_codex.support.json_fields import parse_object
from infinium_codex.view.from_trace import view_of_trace
from infinium_codex.view.from_transcript import view_session, view_turn
from infinium_codex.view.model import Delivery, Outcome, StepKind, TurnView
from infinium_trace import (
    ChangeKind,
    FileChange,
    ModelCall,
    Session,
    TokenUsage,
    ToolCall,
    TraceContext,
    TraceOptions,
    Turn,
    build_turn_trace,
)
from recorded import ROOT, Recording

OPTIONS = TraceOptions(program="codex", version="0")
RECORDINGS = [Recording(path.parent) for path in sorted(ROOT.glob("*/*/transcript.jsonl"))]


def views(recording: Recording, scratch: Path) -> list[tuple[Session, Turn, TurnView]]:
    session = read_whole_session(CODEX, recording.transcript, scratch)
    view = view_session(session, recording.sessions[0], "/project", OPTIONS, {})
    return list(zip([session] * len(session.turns), session.turns, view.turns, strict=True))


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_a_view_from_the_transcript_and_one_from_the_trace_have_equal_figures(
    recording: Recording, tmp_path: Path
) -> None:
    for session, turn, view in views(recording, tmp_path):
        trace = build_turn_trace(session, turn, TraceContext(session_id=recording.sessions[0]), OPTIONS)
        payload = parse_object(trace.body)
        assert payload is not None
        sent = view_of_trace(payload, "/project", Delivery())
        assert sent.summary == view.summary
        assert sent.redactions == view.redactions
        assert [step.outcome for step in sent.walk() if step.kind is StepKind.TOOL] == [
            step.outcome for step in view.walk() if step.kind is StepKind.TOOL
        ]


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_tokens_of_the_model_calls_are_those_of_the_turn_and_each_step_has_one_number(
    recording: Recording, tmp_path: Path
) -> None:
    for _, _, view in views(recording, tmp_path):
        assert sum((call.usage for call in view.calls), TokenUsage()) == view.summary.usage
        numbers = [step.number for step in view.walk()]
        assert numbers == list(range(1, len(numbers) + 1))
        begun = [number for call in view.calls for number in call.steps]
        assert len(begun) == len(set(begun))


def view_of(*steps: ToolCall, calls: tuple[ModelCall, ...] = (), prompt: str = "x") -> TurnView:
    turn = Turn(id="t", started_at_ms=0, prompt=prompt, steps=steps, calls=calls)
    return view_turn(Session(turns=(turn,)), turn, "s", "/project", OPTIONS, {})


def test_texts_are_whole_redacted_and_without_control_characters() -> None:
    output = "\x1b[31mred\x1b[0m\n" + "x" * 100_000 + "\nDB_PASSWORD=correct-horse-battery\n\x9b2J"
    view = view_of(
        ToolCall(call_id="c", tool="shell", started_at_ms=1, arguments={"command": "cat .env"}, output=output),
        prompt=f"token ghp_{sha256(b'x').hexdigest()[:36]}",
    )
    shown = view.steps[0].output or ""
    assert shown.startswith("red\n")
    assert len(shown) > 100_000
    assert "correct-horse" not in shown
    assert "\x9b" not in shown
    assert "ghp_" not in view.request
    assert "ghp_" not in view.summary.request
    assert sum(view.redactions.values()) == 2


def test_the_tokens_of_a_model_call_stand_at_the_first_step_that_it_began() -> None:
    calls = tuple(
        ModelCall(response_id=f"r{at}", ended_at_ms=at, usage=TokenUsage(prompt=at, completion=1)) for at in (10, 20)
    )
    steps = tuple(ToolCall(call_id=f"c{at}", tool="shell", started_at_ms=at) for at in (9, 10, 15))
    view = view_of(*steps, calls=calls)
    assert [step.usage and step.usage.prompt for step in view.steps] == [10, None, 20]
    assert [call.steps for call in view.calls] == [(1, 2), (3,)]


def test_a_call_without_an_end_is_shown_as_running() -> None:
    assert view_of(ToolCall(call_id="c", tool="shell", started_at_ms=1)).steps[0].outcome is Outcome.RUNNING


def test_names_of_files_and_directories_are_redacted_too() -> None:
    token = f"ghp_{sha256(b'y').hexdigest()[:36]}"
    change = FileChange(path=f"/project/{token}.txt", kind=ChangeKind.ADDED)
    call = ToolCall(call_id="c", tool="apply_patch", started_at_ms=1, arguments="*** Begin Patch", changes=(change,))
    turn = Turn(id="t", started_at_ms=0, prompt="x", steps=(call,), cwd=f"/project/{token}", disagreements=(token,))
    view = view_turn(Session(turns=(turn,)), turn, "s", "/project", OPTIONS, {})
    assert token not in msgspec.json.encode(view).decode()
