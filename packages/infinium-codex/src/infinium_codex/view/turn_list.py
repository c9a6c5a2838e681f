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
    DeliveryState.WAITING: "yellow",
    DeliveryState.DEAD: "bold red",
    DeliveryState.DROPPED: "bold red",
    DeliveryState.NOT_TRACED: "dim",
}
_WIDE = 110
"""From so many columns on there is room for durations and tests."""
_FIGURES = (5, 8, 5, 6)
"""Fewest columns of tools, lines, tokens and cost, so that they align across sessions."""
_FIGURES_WIDE = (8, 14, 11, 12, 5, 6)
"""The same with the duration first and the tests behind the tools."""
_GRADE = 10
_REQUEST = 20


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
                console.print(_table(found, width, has_grades=has_grades))
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


def _table(turns: Sequence[TurnSummary], width: int, *, has_grades: bool) -> Table:
    wide = width >= _WIDE
    table = Table.grid(padding=(0, 2, 0, 0), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, min_width=len(DeliveryState.NOT_TRACED))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1, min_width=_REQUEST)
    for least in _FIGURES_WIDE if wide else _FIGURES:
        table.add_column(no_wrap=True, justify="right", min_width=least)
    if has_grades:
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=_GRADE)
    table.expand = True
    for turn in turns:
        table.add_row(*_cells(turn, wide=wide, has_grades=has_grades))
    return table


def _cells(turn: TurnSummary, *, wide: bool, has_grades: bool) -> list[Text]:
    state = turn.delivery.state
    request = Text(" ".join(safe(turn.request).split()), style="strike" if turn.undone else "")
    if turn.status is not TurnStatus.COMPLETED:
        request.append(f" ({turn.status.value})", style="yellow")
    tools = Text(f"{turn.tools:,}")
    if turn.failures:
        tools = Text(f"{turn.failures:,} failed / {turn.tools:,}" if wide else f"{turn.failures}!{turn.tools:,}")
        tools.stylize("red")
    cells = [
        Text(local_time(turn.started_at_ms / 1000)[11:16], style="dim"),
        Text(turn.key[:8], style="cyan"),
        Text(state.value, style=_STATE_STYLES[state]),
        request,
    ]
    if wide:
        cells.append(Text(duration(turn.duration_ms), style="dim"))
    cells.append(tools)
    if wide:
        cells.append(_tests(turn))
    cells += [
        Text(lines_changed(turn.lines_added, turn.lines_removed) if turn.files else ""),
        Text(tokens(turn.usage.total) if turn.model_calls else ""),
        Text(money(turn.cost_usd)),
    ]
    if has_grades:
        cells.append(Text(safe(grade_text(turn.grade))))
    return cells


def _tests(turn: TurnSummary) -> Text:
    if turn.tests_run is None:
        return Text("")
    passed = turn.tests_passed or 0
    return Text(f"{passed:,}/{turn.tests_run:,} tests", style="red" if passed < turn.tests_run else "green")
