"""Draws a list of turns, grouped by session, in columns."""

from collections.abc import Sequence
from itertools import groupby

from infinium_trace.events import TurnStatus
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infinium_codex.console.formatting import local_time, plural
from infinium_codex.console.safe_text import safe
from infinium_codex.view.formats import duration, lines_changed, money, tokens
from infinium_codex.view.grade import grade_text
from infinium_codex.view.model import DeliveryState, TurnSummary

_STATE_STYLES = {
    DeliveryState.SENT: "green",
    DeliveryState.LOCAL: "green",
    DeliveryState.SUMMARIZED: "green",
    DeliveryState.RECORDED: "yellow",
    DeliveryState.WAITING: "yellow",
    DeliveryState.DEAD: "bold red",
    DeliveryState.DROPPED: "bold red",
    DeliveryState.NOT_TRACED: "dim",
}
_WIDE = 110
"""From so many columns on there is room for durations, tests and tokens."""
_HEAD = ("time", "key", "state", "request")
_FIGURES = {"failed": 6, "tools": 5, "lines": 8, "cost": 7}
"""Columns on the right with their least width, so that they align across sessions."""
_FIGURES_WIDE = {"took": 8, "failed": 6, "tools": 5, "tests": 11, "lines": 12, "tokens": 6, "cost": 8}
_GRADE = 10
_REQUEST = 16
_KEY = 8


class TurnListDrawing(Struct, frozen=True, kw_only=True):
    """Turns, the newest first, that can be drawn at any width."""

    turns: tuple[TurnSummary, ...]
    notes: tuple[str, ...] = ()
    """Lines below the list."""
    with_project: bool = False

    def draw(self, width: int, *, colour: bool) -> list[str]:
        """Return the lines, at most `width` columns wide, with escape sequences if `colour` is true."""
        console = Console(
            width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, markup=False
        )
        has_grades = any(turn.grade is not None for turn in self.turns)
        with console.capture() as capture:
            for number, (session, turns) in enumerate(groupby(self.turns, key=lambda turn: turn.session_id)):
                found = list(turns)
                if number:
                    console.print()
                console.print(_session_line(session, found, width, with_project=self.with_project))
                console.print(_table(found, width, has_grades=has_grades, with_head=not number))
            if self.turns and self.notes:
                console.print()
            for note in self.notes:
                console.print(Text(safe(note)))
        return [line.rstrip() for line in capture.get().splitlines()]


def _session_line(session: str, turns: Sequence[TurnSummary], width: int, *, with_project: bool) -> Text:
    oldest = turns[-1]
    line = Text(f"Session {safe(session[:8])}…{safe(session[-4:])}", style="bold")
    when = local_time(oldest.started_at_ms / 1000)
    line.append(f"  {when[:10]} ({when[20:]}), {plural(len(turns), 'turn')}", style="not bold dim")
    if with_project and oldest.project:
        line.append(f", {safe(oldest.project)}", style="not bold")
    line.truncate(width, overflow="ellipsis")
    return line


def _table(turns: Sequence[TurnSummary], width: int, *, has_grades: bool, with_head: bool) -> Table:
    figures = _FIGURES_WIDE if width >= _WIDE else _FIGURES
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True, min_width=5)
    table.add_column(no_wrap=True, min_width=_KEY)
    table.add_column(no_wrap=True, min_width=len(DeliveryState.NOT_TRACED))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1, min_width=_REQUEST)
    for least in figures.values():
        table.add_column(no_wrap=True, justify="right", min_width=least)
    if has_grades:
        table.add_column(no_wrap=True, overflow="ellipsis", min_width=_GRADE, max_width=_GRADE)
    if with_head:
        head = (*_HEAD, *figures, *(["grade"] if has_grades else []))
        table.add_row(*(Text(name, style="dim") for name in head))
    for turn in turns:
        cells = _figures(turn)
        grade = [Text(safe(grade_text(turn.grade)))] if has_grades else []
        table.add_row(*_beginning(turn), *(cells[name] for name in figures), *grade)
    return table


def _beginning(turn: TurnSummary) -> tuple[Text, ...]:
    state = turn.delivery.state
    request = Text(" ".join(safe(turn.request).split()), style="strike" if turn.undone else "")
    if turn.status is not TurnStatus.COMPLETED:
        request.append(f" ({turn.status.value})", style="yellow")
    return (
        Text(local_time(turn.started_at_ms / 1000)[11:16], style="dim"),
        Text(turn.key[:_KEY], style="cyan"),
        Text(state.value, style=_STATE_STYLES[state]),
        request,
    )


def _figures(turn: TurnSummary) -> dict[str, Text]:
    return {
        "took": Text(duration(turn.duration_ms), style="dim"),
        "failed": Text(f"{turn.failures:,}" if turn.failures else "", style="red"),
        "tools": Text(f"{turn.tools:,}"),
        "tests": _tests(turn),
        "lines": Text(lines_changed(turn.lines_added, turn.lines_removed) if turn.files else ""),
        "tokens": Text(tokens(turn.usage.total) if turn.model_calls else ""),
        "cost": Text(money(turn.cost_usd)),
    }


def _tests(turn: TurnSummary) -> Text:
    if turn.tests_run is None:
        return Text("")
    passed = turn.tests_passed or 0
    return Text(f"{passed:,}/{turn.tests_run:,} tests", style="red" if passed < turn.tests_run else "green")
