"""Draws the timeline of a turn: a lane per kind of work, its critical path, and where the time went."""

from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup
from msgspec import Struct

from infinium_codex.view.critical_path import Activity, Work, activities, critical_path
from infinium_codex.view.excerpts import one_line
from infinium_codex.view.formats import duration
from infinium_codex.view.html.charts import WIDTH, lane, split_bar
from infinium_codex.view.model import StepKind, TurnView

_MOST_LINKS = 150
"""Bars of a lane that are links of their own. In a longer lane, bars that would overlap become one shape."""
_MOST_SUBAGENTS = 16
_NAMES = {
    Work.MODEL: "Model",
    Work.TOOL: "Tools",
    Work.PERMISSION: "Permission",
    Work.SUBAGENT: "Subagents",
    Work.OTHER: "Hooks, other",
}


class Lane(Struct, frozen=True, kw_only=True):
    """A labelled lane."""

    label: str
    total: str
    chart: Markup


class Share(Struct, frozen=True, kw_only=True):
    """A part of the turn's time."""

    work: str
    label: str
    took: str
    percent: str


class Timeline(Struct, frozen=True, kw_only=True):
    """The timeline of one turn."""

    lanes: tuple[Lane, ...]
    ticks: tuple[str, ...]
    shares: tuple[Share, ...]
    split: Markup
    longest: tuple[tuple[str, str, str], ...]
    """The longest links of the critical path: link or empty, what, how long."""
    open: bool
    """Whether the lanes are unfolded at first."""


def timeline(turn: TurnView, link: Callable[[int], str], *, is_open: bool) -> Timeline | None:
    """Return the timeline of a turn; None if nothing is known of its time. `link` returns the address of a step."""
    found = activities(turn)
    start = float(turn.summary.started_at_ms)
    end = max([start + (turn.summary.duration_ms or 0.0), *(one.end for one in found if not one.background)])
    if not found or end <= start:
        return None
    path = critical_path(found, start, end)
    shares = _shares(path, end - start)
    in_words = ", ".join(f"{share.label} {share.took}" for share in shares)
    links = sorted((one for one in path if one.work is not Work.OTHER), key=lambda one: -one.duration)[:3]
    return Timeline(
        lanes=tuple(_lanes(turn, found, path, start, end, link)),
        ticks=("0", *(duration((end - start) * number / 4) for number in range(1, 5))),
        shares=shares,
        split=split_bar([(share.work, _of(path, share.work)) for share in shares], f"Critical path: {in_words}"),
        longest=tuple(
            (link(one.step) if one.step else "", one_line(one.label, 90), duration(one.duration)) for one in links
        ),
        open=is_open,
    )


def _lanes(
    turn: TurnView,
    found: Sequence[Activity],
    path: Sequence[Activity],
    start: float,
    end: float,
    link: Callable[[int], str],
) -> Iterator[Lane]:
    yield Lane(label="Critical path", total="", chart=_chart(path, start, end, link))
    for work in (Work.MODEL, Work.TOOL, Work.PERMISSION):
        own = [one for one in found if one.work is work]
        if own:
            total = duration(sum(one.duration for one in own))
            yield Lane(label=_NAMES[work], total=total, chart=_chart(own, start, end, link))
    agents = [one for one in found if one.work is Work.SUBAGENT]
    names = {step.number: step.name for step in turn.steps if step.kind is StepKind.SUBAGENT}
    if len(agents) > _MOST_SUBAGENTS:
        yield Lane(label=f"{len(agents)} subagents", total="", chart=_chart(agents, start, end, link))
        return
    for one in agents:
        name = one_line(names.get(one.step or 0, "subagent"), 16)
        yield Lane(label=name, total=duration(one.duration), chart=_chart([one], start, end, link))


def _chart(bars: Sequence[Activity], start: float, end: float, link: Callable[[int], str]) -> Markup:
    shapes = Markup()
    if len(bars) <= _MOST_LINKS:
        for bar in bars:
            shapes += _bar(bar, start, end, link)
    else:
        for name in sorted({_class(bar) for bar in bars}):
            data = lane([(bar.start, bar.end) for bar in bars if _class(bar) == name], start, end)
            shapes += Markup('<path class="{}" d="{}"/>').format(name, data)
    return Markup('<svg viewBox="0 0 {} 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>').format(
        WIDTH, shapes
    )


def _bar(bar: Activity, start: float, end: float, link: Callable[[int], str]) -> Markup:
    shape = Markup('<path class="{}" d="{}"><title>{} ({})</title></path>').format(
        _class(bar), lane([(bar.start, bar.end)], start, end), one_line(bar.label, 80), duration(bar.duration)
    )
    if bar.step is None:
        return shape
    return Markup('<a href="{}" tabindex="-1">{}</a>').format(link(bar.step), shape)


def _class(bar: Activity) -> str:
    return f"{bar.work.value} failed" if bar.failed else bar.work.value


def _of(path: Sequence[Activity], work: str) -> float:
    return sum(one.duration for one in path if one.work.value == work)


def _shares(path: Sequence[Activity], whole: float) -> tuple[Share, ...]:
    totals = {work: _of(path, work.value) for work in Work}
    return tuple(
        Share(work=work.value, label=_NAMES[work], took=duration(total), percent=f"{total / whole:.0%}")
        for work, total in totals.items()
        if total > 0
    )
