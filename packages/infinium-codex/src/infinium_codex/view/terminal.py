"""Draws a turn for a terminal or a text file: request, timeline with outputs, diff, figures and answer."""

from collections.abc import Iterator, Sequence

from msgspec import Struct
from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from infinium_codex.console.formatting import local_time
from infinium_codex.console.safe_text import safe
from infinium_codex.view.formats import (
    duration,
    head_and_tail,
    lines_changed,
    money,
    path_of,
    tokens,
    usage_in_words,
)
from infinium_codex.view.grade import grade_lines
from infinium_codex.view.model import DeliveryState, Outcome, StepKind, StepView, TurnView

_OUTCOME_STYLES = {
    Outcome.OK: "green",
    Outcome.FAILED: "bold red",
    Outcome.REFUSED: "yellow",
    Outcome.ABORTED: "yellow",
    Outcome.RUNNING: "cyan",
}
_BAR = "█"
_OUTPUT_LINES = 8
_FAILURE_LINES = 16
_DIFF_LINES = 60
_TEXT_LINES = 12
"""Lines of a message, a task or a piece of reasoning."""
_NAME = 12
_WIDE = 120
"""From so many columns on there is room for the tokens of each step."""
_LONGEST_LINE = 4_000
"""A longer line of an output is cut: a terminal cannot show it in any useful way."""


class TurnDrawing(Struct, frozen=True, kw_only=True):
    """A turn that can be drawn at any width."""

    view: TurnView
    whole: bool = False
    """Whether outputs and the diff are shown whole, not only their head and tail."""

    def draw(self, width: int, *, colour: bool) -> list[str]:
        """Return the lines, at most `width` columns wide, with escape sequences if `colour` is true."""
        console = Console(
            width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, markup=False
        )
        with console.capture() as capture:
            console.print(Group(*_turn(self.view, width, whole=self.whole)))
        return [line.rstrip() for line in capture.get().splitlines()]


def _turn(view: TurnView, width: int, *, whole: bool) -> Iterator[RenderableType]:
    yield from _head(view)
    yield from _section("Request", view.request or view.summary.request)
    if view.steps:
        yield from _timeline(view, width, whole=whole)
    yield from _changes(view, whole=whole)
    yield from _figures(view)
    if view.plan:
        yield from _section("Plan", view.plan)
    if view.answer:
        yield from _section("Answer", view.answer)
    if view.summary.grade is not None:
        yield from _section("Grade", "\n".join(grade_lines(view.summary.grade)))


def _head(view: TurnView) -> Iterator[Text]:
    summary = view.summary
    yield _plain(summary.request, "bold")
    parts = (
        local_time(summary.started_at_ms / 1000),
        duration(summary.duration_ms),
        f"{summary.status.value}{' (undone)' if summary.undone else ''}",
        ", ".join(summary.models),
    )
    yield _plain(" · ".join(filter(None, parts)), "dim")
    yield _plain(f"session {summary.session_id}", "dim")
    yield _plain(f"key {summary.key}, {_delivery(view)}", "dim")
    if not view.complete:
        yield _plain("The transcript is gone: texts are the previews that were sent.", "yellow")
    if view.reason and view.reason != summary.status.value:
        yield _plain(view.reason, "red")


def _delivery(view: TurnView) -> str:
    delivery = view.summary.delivery
    words = {
        DeliveryState.SENT: "sent",
        DeliveryState.WAITING: "waiting to be sent",
        DeliveryState.DEAD: "dead letter",
        DeliveryState.DROPPED: "dropped",
        DeliveryState.LOCAL: "stored on this machine",
        DeliveryState.SUMMARIZED: "part of the session's summary",
        DeliveryState.RECORDED: "recorded, not traced yet",
        DeliveryState.NOT_TRACED: "not traced",
    }
    found = words[delivery.state]
    if delivery.at_ms is not None:
        found += f" {local_time(delivery.at_ms / 1000)}"
    if delivery.trace_id:
        found += f" as {delivery.trace_id}"
    return f"{found}: {delivery.reason}" if delivery.reason else found


def _section(title: str, text: str) -> Iterator[RenderableType]:
    yield _title(title)
    yield Padding(Text(safe(text), overflow="fold"), (0, 0, 0, 2))


def _timeline(view: TurnView, width: int, *, whole: bool) -> Iterator[RenderableType]:
    starts = [step.started_at_ms for step in view.walk() if step.started_at_ms is not None]
    start = view.summary.started_at_ms
    ends = [end for step in view.walk() if (end := step.ended_at_ms) is not None]
    end = max([view.summary.ended_at_ms or start, *starts, *ends])
    axis = _Axis(start=start, length=max(end - start, 1), width=min(max(width // 4, 10), 40)) if starts else None
    yield _title("Timeline")
    for step in view.steps:
        yield from _step(step, axis, width, 0, whole=whole)


class _Axis(Struct, frozen=True, kw_only=True):
    """The time axis of a turn, `width` columns wide."""

    start: int
    length: int
    width: int

    def bar(self, step: StepView) -> str:
        if step.started_at_ms is None:
            return " " * self.width
        first = (step.started_at_ms - self.start) / self.length * self.width
        long = (step.duration_ms or 0) / self.length * self.width
        at = min(max(int(first), 0), self.width - 1)
        size = min(max(round(long), 1), self.width - at)
        return (" " * at + (_BAR if step.duration_ms else "·") * size).ljust(self.width)


def _step(step: StepView, axis: _Axis | None, width: int, depth: int, *, whole: bool) -> Iterator[RenderableType]:
    yield _step_line(step, axis, width, depth)
    indent = 6 + 2 * depth
    for change in step.files if len(step.files) > 1 or step.kind is not StepKind.TOOL else ():
        yield Padding(
            _plain(f"{change.kind.value} {path_of(change)} {lines_changed(change.lines_added, change.lines_removed)}"),
            (0, 0, 0, indent),
        )
    if step.reason and step.reason not in (step.output or ""):
        yield Padding(_plain(step.reason, "red"), (0, 0, 0, indent))
    yield from _texts_of(step, indent, whole=whole)
    for inner in step.steps:
        yield from _step(inner, axis, width, depth + 1, whole=whole)


def _step_line(step: StepView, axis: _Axis | None, width: int, depth: int) -> Text:
    ended = f"exit {step.exit_code}" if step.exit_code else "" if step.outcome is Outcome.OK else step.outcome.value
    spent = ""
    if step.usage is not None:
        spent = f"{tokens(step.usage.total)} tokens {money(step.cost_usd)}".strip()
    right = Text()
    if axis is not None:
        right.append(axis.bar(step), style=_OUTCOME_STYLES[step.outcome])
        right.append(" ")
    right.append(f"{duration(step.duration_ms):>8}", style="dim")
    tail = "  ".join(filter(None, (ended, spent if width >= _WIDE else "")))
    left = Text("  " * depth)
    left.append(f"{step.number:>4}  ", style="dim")
    left.append(f"{_one_line(step.name):<{_NAME}} ", style="cyan" if step.kind is StepKind.TOOL else "magenta")
    room = max(width - right.cell_len - len(tail) - (2 if tail else 0) - 1, left.cell_len + 10)
    left.append(_one_line(step.title), style="bold" if step.kind is StepKind.TOOL else "")
    left.truncate(room, overflow="ellipsis", pad=True)
    left.append(" ")
    left.append_text(right)
    if tail:
        left.append("  ")
        left.append(tail, style=_OUTCOME_STYLES[step.outcome] if ended else "dim")
    left.no_wrap = True
    return left


def _texts_of(step: StepView, indent: int, *, whole: bool) -> Iterator[RenderableType]:
    if step.kind is StepKind.TOOL:
        shown = step.input or ""
        if not step.patch and _one_line(shown) != _one_line(step.title):
            yield from _excerpt(shown, indent, _TEXT_LINES, "", whole=whole)
        limit = _FAILURE_LINES if step.outcome is Outcome.FAILED else _OUTPUT_LINES
        yield from _excerpt(step.output, indent, limit, "dim", whole=whole)
        return
    task = step.input if step.kind in (StepKind.SUBAGENT, StepKind.PERMISSION, StepKind.CONTEXT) else None
    for text in (task, step.output):
        if text and _one_line(text) != _one_line(step.title):
            yield from _excerpt(text, indent, _TEXT_LINES, "", whole=whole)


def _excerpt(text: str | None, indent: int, limit: int, style: str, *, whole: bool) -> Iterator[RenderableType]:
    """Draw the head and the tail of a text, behind a vertical line."""
    if not text or not text.strip():
        return
    head, left_out, tail = (text.strip("\n").split("\n"), 0, []) if whole else head_and_tail(text, limit)
    lines = [*head, *([f"… {left_out:,} lines left out …"] if left_out else []), *tail]
    yield _Quoted(
        [line if len(line) <= _LONGEST_LINE or whole else f"{line[:_LONGEST_LINE]}…" for line in lines], indent, style
    )


class _Quoted:
    """Lines of a text behind a vertical line, which also stands in front of each line that they wrap into.

    They are wrapped here: rich takes fifty times as long, and an output may have thousands of lines.
    """

    def __init__(self, lines: Sequence[str], indent: int, style: str) -> None:
        self._lines, self._indent, self._style = lines, indent, style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self._indent - 2, 10)
        style = console.get_style(self._style)
        mark = Segment(f"{' ' * self._indent}│ ", console.get_style("dim"))
        for line in self._lines:
            shown = safe(line).expandtabs()
            fits = len(shown) <= width and (shown.isascii() or cell_len(shown) <= width)
            for part in [shown] if fits else chop_cells(shown, width):
                yield mark
                yield Segment(part, style)
                yield Segment.line()


def _changes(view: TurnView, *, whole: bool) -> Iterator[RenderableType]:
    if view.files:
        summary = view.summary
        yield _title(
            f"Files    {len(view.files):,} changed, {lines_changed(summary.lines_added, summary.lines_removed)}"
        )
        for change in view.files:
            lines = lines_changed(change.lines_added, change.lines_removed)
            yield Padding(_plain(f"{change.kind.value:<9} {path_of(change)}  {lines}"), (0, 0, 0, 2))
    for commit, subject in view.commits:
        yield Padding(_plain(f"commit    {commit[:10]}  {subject}"), (0, 0, 0, 2))
    if view.diff.strip():
        yield _title("Diff")
        head, left_out, tail = (view.diff.split("\n"), 0, []) if whole else head_and_tail(view.diff, _DIFF_LINES)
        for line in head:
            yield _diff_line(line)
        if left_out:
            yield Padding(_plain(f"… {left_out:,} lines left out; --full shows them …", "dim"), (0, 0, 0, 2))
        for line in tail:
            yield _diff_line(line)


def _diff_line(line: str) -> RenderableType:
    style = ""
    if line.startswith(("+++", "---", "diff ", "***", "@@")):
        style = "cyan"
    elif line.startswith("+"):
        style = "green"
    elif line.startswith("-"):
        style = "red"
    return Padding(Text(safe(line[:_LONGEST_LINE]), style=style), (0, 0, 0, 2))


def _figures(view: TurnView) -> Iterator[RenderableType]:
    summary = view.summary
    rows: list[tuple[str, str]] = []
    if summary.tests:
        rows.append(("Tests", f"{summary.tests}{'; files changed after the last run' if summary.tests_stale else ''}"))
    if summary.model_calls:
        rows.append(("Tokens", usage_in_words(summary.usage, summary.model_calls)))
    if summary.cost_usd is not None:
        rows.append(("Cost", f"{money(summary.cost_usd)} at list prices"))
    elif view.unpriced:
        rows.append(("Cost", f"unknown: no price for {', '.join(view.unpriced)}"))
    if view.time is not None:
        split = ("model", view.time.model), ("tools", view.time.tools), ("permission", view.time.permission)
        parts = [f"{name} {duration(ms)}" for name, ms in (*split, ("other", view.time.other)) if ms >= 1]
        rows.append(("Time", ", ".join(parts)))
    if view.redactions:
        counts = ", ".join(f"{kind} {number:,}" for kind, number in sorted(view.redactions.items()))
        rows.append(("Redacted", counts))
    if view.conditions:
        rows.append(("With", ", ".join(f"{name} {value}" for name, value in view.conditions.items())))
    rows += [("Note", warning) for warning in view.warnings]
    if not rows:
        return
    yield Text()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=8)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name, style="bold"), Text(safe(value)))
    yield table


def _title(text: str) -> RenderableType:
    return Padding(Text(text, style="bold"), (1, 0, 0, 0))


def _plain(text: str, style: str = "") -> Text:
    """Return the text on one line: a name with a line break must not look like a line of its own."""
    return Text(_one_line(text), style=style)


def _one_line(text: str) -> str:
    return " ".join(safe(text).split())
