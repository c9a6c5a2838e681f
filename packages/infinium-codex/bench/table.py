"""The table of goals and measured values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from processes import Sample


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A measured figure and its goal."""

    what: str
    measured: str
    goal: str
    met: bool
    public: str = ""
    """The figure of the public connector 1.1.0."""

    @classmethod
    def ratio(
        cls,
        what: str,
        ours: Sample,
        base: Sample,
        goal: float,
        public: float | None = None,
        *,
        least: bool = False,
        unit: str = "s",
    ) -> Self:
        """Medians of two samples as a ratio; with `least` the goal is a lower bound. `public` is 1.1.0's ratio."""
        value = ours.median / base.median
        spread = ours.spread + base.spread
        return cls(
            what=what,
            measured=f"{value:.2f} ±{value * spread:.2f}  ({_shown(ours.median, unit)} / {_shown(base.median, unit)})",
            goal=f"{'≥' if least else '≤'} {goal:g}",
            met=value >= goal if least else value <= goal,
            public=f"{public:.2f}" if public is not None else "",
        )

    @classmethod
    def figure(cls, what: str, value: float, goal: float, unit: str, public: float | None = None) -> Self:
        """A figure with an upper bound."""
        return cls(
            what=what,
            measured=f"{value:.1f} {unit}",
            goal=f"≤ {goal:g} {unit}",
            met=value <= goal,
            public=f"{public:.1f} {unit}" if public is not None else "",
        )


def print_table(rows: Sequence[Row]) -> None:
    """Print the table as Markdown, the form it has in docs/performance.md."""
    print("| what | measured | goal | | 1.1.0 |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.goal} | {'met' if row.met else '**missed**'} | {row.public} |")


def _shown(value: float, unit: str) -> str:
    return f"{value * 1000:.1f} ms" if unit == "s" and value < 1 else f"{value:.2f} {unit}"
