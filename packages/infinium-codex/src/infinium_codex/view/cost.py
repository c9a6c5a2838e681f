"""Adds up tokens and cost of turns by day, session, model or project, and draws them as a table with bars."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from infinium_trace.events import TokenUsage
from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infinium_codex.console.formatting import local_time
from infinium_codex.console.safe_text import safe
from infinium_codex.view.formats import money, tokens
from infinium_codex.view.model import TurnSummary

_BAR = "█"
_FIGURES = 42
"""Columns of the figures and the gaps."""


class CostGroup(StrEnum):
    """By what costs are added up."""

    DAY = "day"
    SESSION = "session"
    MODEL = "model"
    PROJECT = "project"


class CostLine(Struct, frozen=True, kw_only=True):
    """The cost of one day, session, model or project."""

    name: str
    turns: int
    usage: TokenUsage
    cost_usd: float
    """US dollars by list prices, of the turns with a known price."""
    unpriced_turns: int
    """Turns whose cost is unknown, because a model has no price."""


def add_up(turns: Iterable[TurnSummary], group: CostGroup) -> tuple[CostLine, ...]:
    """Return the sums, days in order of time, everything else by cost.

    A turn that used several models counts under all of their names together. Undone turns cost as much as others.
    """
    found: dict[str, list[TurnSummary]] = {}
    for turn in turns:
        if turn.model_calls:
            found.setdefault(_name(turn, group), []).append(turn)
    lines = [
        CostLine(
            name=name,
            turns=len(of_name),
            usage=sum((turn.usage for turn in of_name), TokenUsage()),
            cost_usd=sum(turn.cost_usd or 0.0 for turn in of_name),
            unpriced_turns=sum(turn.cost_usd is None for turn in of_name),
        )
        for name, of_name in found.items()
    ]
    if group is CostGroup.DAY:
        return tuple(sorted(lines, key=lambda line: line.name))
    return tuple(sorted(lines, key=lambda line: (-line.cost_usd, -line.usage.total, line.name)))


def _name(turn: TurnSummary, group: CostGroup) -> str:
    match group:
        case CostGroup.DAY:
            return local_time(turn.started_at_ms / 1000)[:10]
        case CostGroup.SESSION:
            return turn.session_id
        case CostGroup.MODEL:
            return ", ".join(turn.models) or "unknown model"
        case CostGroup.PROJECT:
            return turn.project or "unknown project"


class CostDrawing(Struct, frozen=True, kw_only=True):
    """Costs that can be drawn at any width."""

    lines: tuple[CostLine, ...]
    group: CostGroup
    notes: tuple[str, ...] = ()

    def draw(self, width: int, *, colour: bool) -> list[str]:
        """Return the lines, at most `width` columns wide, with escape sequences if `colour` is true."""
        console = Console(
            width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, markup=False
        )
        with console.capture() as capture:
            if self.lines:
                console.print(self._table(width, max(width // 5, 8)))
                console.print()
            for note in self.notes:
                console.print(Text(safe(note)))
        return [line.rstrip() for line in capture.get().splitlines()]

    def _table(self, width: int, bar: int) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width - bar - _FIGURES, 8))
        for _ in range(4):
            table.add_column(no_wrap=True, justify="right", min_width=6)
        table.add_column(no_wrap=True)
        head = (self.group.value, "turns", "tokens", "cached", "cost", "")
        table.add_row(*(Text(name, style="bold") for name in head))
        most = _largest(self.lines)
        for line in (*self.lines, _total(self.lines)):
            is_total = line.name == _TOTAL
            cost = money(line.cost_usd) if line.unpriced_turns < line.turns else "?"
            table.add_row(
                Text(safe(line.name), style="bold" if is_total else ""),
                Text(f"{line.turns:,}"),
                Text(tokens(line.usage.total)),
                Text(f"{_share(line.usage)} %"),
                Text(f"{cost}{' +?' if 0 < line.unpriced_turns < line.turns else ''}"),
                Text("" if is_total else _BAR * max(round(_weight(line, self.lines) / most * bar), 1), style="green"),
            )
        return table


_TOTAL = "total"


def _weight(line: CostLine, lines: Sequence[CostLine]) -> float:
    """Return what the bar of a line shows: its cost, or its tokens where no cost is known."""
    has_cost = any(one.cost_usd for one in lines)
    return line.cost_usd if has_cost else float(line.usage.total)


def _largest(lines: Sequence[CostLine]) -> float:
    return max((_weight(line, lines) for line in lines), default=0.0) or 1.0


def _total(lines: Sequence[CostLine]) -> CostLine:
    return CostLine(
        name=_TOTAL,
        turns=sum(line.turns for line in lines),
        usage=sum((line.usage for line in lines), TokenUsage()),
        cost_usd=sum(line.cost_usd for line in lines),
        unpriced_turns=sum(line.unpriced_turns for line in lines),
    )


def _share(usage: TokenUsage) -> int:
    """Return the share of the prompt that came from the model's cache, in percent."""
    return round(100 * usage.cached / usage.prompt) if usage.prompt else 0
