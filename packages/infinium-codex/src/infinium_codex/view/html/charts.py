"""Draws charts as inline SVG. Shapes have classes: the page's policy permits no style of their own.

The width of a chart is stretched to its place, so that it contains no text: labels stand beside it.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from markupsafe import Markup

WIDTH = 1000
_NARROWEST = 2.0
"""Width of the shortest bar, of `WIDTH`."""


def lane(intervals: Iterable[tuple[float, float]], start: float, end: float) -> str:
    """Return the path data of a lane's bars, from 0 to 10 in height. Bars that would overlap become one."""
    scale = WIDTH / max(end - start, 1.0)
    merged: list[list[float]] = []
    for begin, until in sorted(intervals):
        left = min(max((begin - start) * scale, 0.0), WIDTH - _NARROWEST)
        right = min(max((until - start) * scale, left + _NARROWEST), float(WIDTH))
        if merged and left <= merged[-1][1] + 0.5:
            merged[-1][1] = max(merged[-1][1], right)
        else:
            merged.append([left, right])
    return "".join(f"M{_short(left)} 0h{_short(right - left)}v10h-{_short(right - left)}z" for left, right in merged)


def split_bar(parts: Sequence[tuple[str, float]], label: str) -> Markup:
    """Return one bar whose parts (class, value) have the widths of their values."""
    total = sum(value for _, value in parts) or 1.0
    shapes, at = Markup(), 0.0
    for name, value in parts:
        width = value / total * WIDTH
        if width >= 0.5:
            shapes += Markup('<rect class="{}" x="{}" width="{}" height="10"/>').format(name, _short(at), _short(width))
        at += width
    return _svg(shapes, label, 10)


def columns(groups: Sequence[Sequence[tuple[str, float]]], label: str, height: int = 100) -> Markup:
    """Return stacked columns, each group one column of (class, value) from the bottom up."""
    highest = max((sum(value for _, value in group) for group in groups), default=0.0) or 1.0
    width = WIDTH / max(len(groups), 1)
    paths: dict[str, list[str]] = {}
    for number, group in enumerate(groups):
        bottom = float(height)
        for name, value in group:
            tall = value / highest * height
            if tall >= 0.2:
                left, wide = _short(number * width), _short(max(min(width * 0.82, 40.0), 1.0))
                paths.setdefault(name, []).append(f"M{left} {_short(bottom)}v-{_short(tall)}h{wide}v{_short(tall)}z")
            bottom -= tall
    return _svg(_paths(paths), label, height)


def steps_line(values: Sequence[float], label: str, height: int = 100) -> Markup:
    """Return an area below a line that rises in steps, one step per value."""
    highest = max(values, default=0.0) or 1.0
    width = WIDTH / max(len(values), 1)
    path = [f"M0 {height}"]
    for number, value in enumerate(values):
        path.append(f"V{_short(height - value / highest * height)}H{_short((number + 1) * width)}")
    path.append(f"V{height}z")
    return _svg(Markup('<path class="cost" d="{}"/>').format("".join(path)), label, height)


def binned(values: Sequence[float], bins: int) -> list[float]:
    """Return the values, or sums of neighbours where there are more values than bins."""
    if len(values) <= bins:
        return list(values)
    edges = [round(number * len(values) / bins) for number in range(bins + 1)]
    return [sum(values[begin:end]) for begin, end in pairwise(edges)]


def lines_bar(added: int, removed: int, most: int) -> Markup:
    """Return a bar for added and removed lines, as wide as their share of `most`."""
    scale = WIDTH / max(most, 1)
    shapes = Markup('<rect class="plus" width="{}" height="10"/>').format(_short(added * scale))
    shapes += Markup('<rect class="minus" x="{}" width="{}" height="10"/>').format(
        _short(added * scale), _short(removed * scale)
    )
    return _svg(shapes, "", 10)


def _paths(paths: dict[str, list[str]]) -> Markup:
    return Markup().join(
        Markup('<path class="{}" d="{}"/>').format(name, "".join(parts)) for name, parts in paths.items()
    )


def _svg(shapes: Markup, label: str, height: int) -> Markup:
    described = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg viewBox="0 0 {} {}" preserveAspectRatio="none" {}>{}</svg>').format(
        WIDTH, height, described, shapes
    )


def _short(number: float) -> str:
    """Return a number with at most one decimal."""
    return f"{number:.1f}".removesuffix(".0")
