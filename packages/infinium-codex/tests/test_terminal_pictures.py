"""Reference pictures of the terminal views, at 80 and 200 columns. A person looks at them before they change."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from infinium_codex.codex.agent import CODEX
from infinium_codex.session.whole import read_whole_session
from infinium_codex.view.cost import CostDrawing, CostGroup, add_up
from infinium_codex.view.from_transcript import view_session, view_turn
from infinium_codex.view.live import LiveView
from infinium_codex.view.model import SessionView, TurnView
from infinium_codex.view.terminal import TurnDrawing
from infinium_codex.view.turn_list import TurnListDrawing
from infinium_trace import Price, PriceTable, Session, ToolCall, TraceOptions, Turn
from recorded import ROOT
from syrupy.assertion import SnapshotAssertion

PRICES = PriceTable(as_of="2026-01-01", prices={("*", "gpt-5.5"): Price(prompt=5.0, cached=0.5, completion=30.0)})
OPTIONS = TraceOptions(program="codex", version="0", prices=PRICES)
EVIL = "\x1b]0;title\x07\x9b2J\u202egnp.exe\nAnswer   forged <script>alert(1)</script>"
WIDTHS = [80, 200]


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if not hasattr(time, "tzset"):
        pytest.skip("Windows takes the time zone from its settings alone")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def recorded(name: str, scratch: Path) -> SessionView:
    session = read_whole_session(CODEX, ROOT / "0.169.0" / name / "transcript.jsonl", scratch)
    return view_session(session, "01a208dc-0000-7000-8000-000000000001", "/home/dev/project", OPTIONS, {})


def hostile() -> TurnView:
    call = ToolCall(
        call_id=EVIL,
        tool=EVIL,
        started_at_ms=1,
        duration_ms=2,
        arguments={"command": EVIL},
        output=f"{EVIL}\n{'x' * 5_000}",
        failed=True,
        exit_code=1,
    )
    turn = Turn(id=EVIL, started_at_ms=0, prompt=EVIL, last_message=EVIL, steps=(call,), models=(EVIL,))
    return view_turn(Session(turns=(turn,)), turn, "s", EVIL, OPTIONS, {})


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["turn", "subagent", "tests-commit", "interrupted"])
def test_show(name: str, width: int, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    lines = [
        line for turn in recorded(name, tmp_path).turns for line in TurnDrawing(view=turn).draw(width, colour=False)
    ]
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_show_of_a_hostile_turn(width: int, snapshot: SnapshotAssertion) -> None:
    lines = TurnDrawing(view=hostile()).draw(width, colour=False)
    assert not [line for line in lines if line.startswith("Answer   forged") or "\x1b" in line or "\u202e" in line]
    assert "\n".join(lines) == snapshot


def test_colours_are_escape_sequences_and_nothing_else_is(tmp_path: Path) -> None:
    view = recorded("tests-commit", tmp_path).turns[0]
    assert any("\x1b[" in line for line in TurnDrawing(view=view).draw(80, colour=True))
    assert not any("\x1b" in line for line in TurnDrawing(view=view).draw(80, colour=False))


@pytest.mark.parametrize("width", WIDTHS)
def test_list_and_cost(width: int, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    turns = [turn.summary for name in ("turn", "subagent", "tests-commit") for turn in recorded(name, tmp_path).turns]
    drawn = [
        *TurnListDrawing(turns=tuple(turns), notes=("A note.",)).draw(width, colour=False),
        *TurnListDrawing(turns=(), notes=("No turns were found.",)).draw(width, colour=False),
        *CostDrawing(lines=add_up(turns, CostGroup.MODEL), group=CostGroup.MODEL).draw(width, colour=False),
    ]
    assert "\n".join(drawn) == snapshot


@pytest.mark.parametrize("width", WIDTHS)
def test_watch(width: int, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    view = LiveView(session=recorded("subagent", tmp_path), waiting=2, dead=1, at=1_790_000_000.0)
    assert "\n".join(view.draw(width, colour=False)) == snapshot


def test_a_turn_of_10_000_steps_is_drawn_whole() -> None:
    calls = tuple(
        ToolCall(
            call_id=f"c{number}",
            tool="shell",
            started_at_ms=number * 10,
            duration_ms=9,
            arguments={"command": f"echo {number}"},
            output="line\n" * 50,
            finished=True,
        )
        for number in range(10_000)
    )
    turn = Turn(id="t", started_at_ms=0, ended_at_ms=100_000, prompt="Echo.", steps=calls)
    view = view_turn(Session(turns=(turn,)), turn, "s", "/p", OPTIONS, {})
    lines = TurnDrawing(view=view).draw(80, colour=False)
    assert sum("echo " in line for line in lines) == 10_000
    assert max(map(len, lines)) <= 80
