"""What the page says about all of its turns: figures, charts, slow and failing commands, changed files, tests."""

from collections.abc import Callable, Sequence
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from infinium_codex.console.formatting import plural
from infinium_codex.view.excerpts import one_line
from infinium_codex.view.formats import duration, lines_changed, money, tokens
from infinium_codex.view.html.charts import binned, columns, lines_bar, steps_line
from infinium_codex.view.insights import failing_commands, most_changed_files, slowest_steps
from infinium_codex.view.model import DeliveryState, TurnView

_COLUMNS = 120
_ENTRIES = 6


class Figure(Struct, frozen=True, kw_only=True):
    """A number with its name and a remark."""

    name: str
    value: str
    remark: str = ""
    bad: bool = False


class Entry(Struct, frozen=True, kw_only=True):
    """A line of a list: what (a link to where it happened), a remark, a figure and a bar."""

    what: str
    link: str
    remark: str = ""
    figure: str = ""
    bar: Markup = Markup()


class Overview(Struct, frozen=True, kw_only=True):
    """Everything above the conversation."""

    figures: tuple[Figure, ...]
    token_chart: Markup | None
    most_tokens: str
    column: str
    """What a column of the charts stands for."""
    cost_chart: Markup | None
    cost: str
    times: tuple[str, str]
    """When the first and the last model call ended."""
    slowest: tuple[Entry, ...]
    failing: tuple[Entry, ...]
    changed: tuple[Entry, ...]
    tests: tuple[Entry, ...]


def overview(turns: Sequence[TurnView], link: Callable[[int, int | None], str]) -> Overview:
    """Return the overview. `link` returns the address of a turn (from 0), or of a step in it."""
    calls = sorted((call for turn in turns for call in turn.calls), key=lambda call: call.ended_at_ms)
    parts = [
        ("cached", binned([float(call.usage.cached) for call in calls], _COLUMNS)),
        ("prompt", binned([float(call.usage.prompt - call.usage.cached) for call in calls], _COLUMNS)),
        ("completion", binned([float(call.usage.completion) for call in calls], _COLUMNS)),
    ]
    stacked = [[(name, values[at]) for name, values in parts] for at in range(len(parts[0][1]))]
    costs = binned([call.cost_usd or 0.0 for call in calls], _COLUMNS)
    running = [sum(costs[: at + 1]) for at in range(len(costs))]
    each = len(calls) / max(len(stacked), 1)
    highest = max((sum(value for _, value in column) for column in stacked), default=0.0)
    return Overview(
        figures=tuple(_figures(turns)),
        token_chart=columns(stacked, "Tokens of the model calls over time") if len(stacked) > 1 else None,
        most_tokens=tokens(round(highest)),
        column="1 model call" if each == 1 else f"about {plural(round(each), 'model call')}",
        cost_chart=steps_line(running, "Cost so far") if len(running) > 1 and running[-1] else None,
        cost=money(running[-1]) if running else "",
        times=_times([calls[0].ended_at_ms, calls[-1].ended_at_ms]) if calls else ("", ""),
        slowest=tuple(
            Entry(
                what=one_line(one.step.title, 120),
                link=link(one.turn, one.step.number),
                remark=one.step.name,
                figure=duration(one.step.duration_ms),
            )
            for one in slowest_steps(turns, _ENTRIES)
        ),
        failing=tuple(
            Entry(
                what=one_line(one.command, 80),
                link=link(one.turn, one.step),
                figure=f"{one.failures:,} of {one.runs:,}",
            )
            for one in failing_commands(turns, _ENTRIES)
        ),
        changed=tuple(_changed(turns)),
        tests=tuple(_tests(turns, link)),
    )


def _times(ends: Sequence[int]) -> tuple[str, str]:
    """Return the local time of the first and the last, with the date where they are not of the same day."""
    first, last = (datetime.fromtimestamp(end / 1000).astimezone() for end in (ends[0], ends[-1]))
    form = "%H:%M" if first.date() == last.date() else "%d %b %H:%M"
    return f"{first:{form}}", f"{last:{form}}"


def _figures(turns: Sequence[TurnView]) -> list[Figure]:
    sums = [turn.summary for turn in turns]
    broken = sum(one.status.value in ("failed", "interrupted") for one in sums)
    failures = sum(one.failures for one in sums)
    files = {change.moved_to or change.path for turn in turns for change in turn.files}
    prompt, cached = sum(one.usage.prompt for one in sums), sum(one.usage.cached for one in sums)
    used = sum(one.usage.total for one in sums)
    known = [one.cost_usd for one in sums if one.cost_usd is not None]
    unknown = sum(one.cost_usd is None and one.model_calls > 0 for one in sums)
    sent = sum(one.delivery.state is DeliveryState.SENT for one in sums)
    time = sum(one.duration_ms or 0.0 for one in sums)
    found = [
        Figure(name="Requests", value=f"{len(sums):,}", remark=f"{broken} failed or interrupted" if broken else ""),
        Figure(
            name="Tool calls",
            value=f"{sum(one.tools for one in sums):,}",
            remark=f"{failures:,} failed" if failures else "none failed",
            bad=failures > 0,
        ),
        Figure(
            name="Files changed",
            value=f"{len(files):,}",
            remark=lines_changed(sum(one.lines_added for one in sums), sum(one.lines_removed for one in sums))
            if files
            else "",
        ),
        Figure(name="Time at work", value=duration(time) or "–", remark="without pauses between requests"),
        Figure(
            name="Tokens", value=tokens(used), remark=f"{cached / prompt:.0%} of the prompts cached" if prompt else ""
        ),
        Figure(
            name="Cost",
            value=money(sum(known)) if known else "–",
            remark=f"unknown for {plural(unknown, 'request')}" if unknown else "by list prices" if known else "",
        ),
    ]
    run = [one for one in sums if one.tests_run]
    if run:
        last = run[-1]
        passed = last.tests_passed or 0
        found.append(
            Figure(
                name="Last tests",
                value=f"{passed:,} of {last.tests_run:,}",
                remark="files changed since" if last.tests_stale else "passed",
                bad=passed < (last.tests_run or 0),
            )
        )
    if any(one.delivery.state is not DeliveryState.NOT_TRACED for one in sums):
        found.append(Figure(name="Traces sent", value=f"{sent:,} of {len(sums):,}"))
    return found


def _changed(turns: Sequence[TurnView]) -> list[Entry]:
    found = most_changed_files(turns, _ENTRIES)
    most = max((one.added + one.removed for one in found), default=0)
    return [
        Entry(
            what=one.path,
            link="",
            remark=plural(one.turns, "request") if one.turns > 1 else "",
            figure=lines_changed(one.added, one.removed),
            bar=lines_bar(one.added, one.removed, most),
        )
        for one in found
    ]


def _tests(turns: Sequence[TurnView], link: Callable[[int, int | None], str]) -> list[Entry]:
    found = []
    for at, turn in enumerate(turns):
        one = turn.summary
        if one.tests:
            what = one_line(one.tests, 120) + ("; files changed afterwards" if one.tests_stale else "")
            counts = f"{one.tests_passed or 0:,} of {one.tests_run:,}" if one.tests_run else ""
            found.append(Entry(what=what, link=link(at, None), remark=f"request {at + 1}", figure=counts))
    return found[-_ENTRIES:]
