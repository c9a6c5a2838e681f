"""Follows the newest session of a project, and draws what it does on one calm screen."""

import time
from collections.abc import Callable, Generator, Iterator

from infinium_trace.events import TurnStatus
from msgspec import Struct
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

from infinium_codex.codex.session_files import SessionFile
from infinium_codex.console.formatting import local_time, plural
from infinium_codex.console.safe_text import safe
from infinium_codex.view.catalog import Catalog, FollowedSession
from infinium_codex.view.formats import duration, lines_changed, money, tokens
from infinium_codex.view.model import DeliveryState, SessionView, StepView, TurnSummary, TurnView

POLL_SECONDS = 1.0
_DELIVERED = (DeliveryState.SENT, DeliveryState.LOCAL, DeliveryState.SUMMARIZED)
_FEWEST_STEPS = 3
_LINES_BESIDE_STEPS = 9


class LiveView(Struct, frozen=True, kw_only=True):
    """What the screen shows."""

    session: SessionView | None
    waiting: int
    """Traces in the outbox."""
    dead: int
    """Dead letters."""
    at: float
    """When it was read, in seconds since the epoch."""

    def draw(self, width: int, *, colour: bool) -> list[str]:
        """Return the lines for a file or a pipe."""
        console = Console(
            width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, markup=False
        )
        with console.capture() as capture:
            console.print(Group(*self.parts(width, _LINES_BESIDE_STEPS + 20)))
        return [line.rstrip() for line in capture.get().splitlines()]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.parts(options.max_width, options.height or console.size.height)

    def parts(self, width: int, height: int) -> Iterator[RenderableType]:
        """Yield the parts of the screen, at most `height` lines."""
        if self.session is None or not self.session.turns:
            yield _line("Waiting for a session of Codex in this project …", width, "dim")
            yield from self._footer(width)
            return
        turns = self.session.turns
        last = turns[-1]
        yield from _session(self.session, width)
        yield Text()
        yield from self._turn(last, width)
        room = max(height - _LINES_BESIDE_STEPS, _FEWEST_STEPS)
        steps = list(last.walk())
        if len(steps) > room:
            yield _line(f"… {len(steps) - room + 1:,} earlier steps", width, "dim")
            steps = steps[len(steps) - room + 1 :]
        for step in steps:
            yield _step(step, width)
        yield Text()
        yield from self._footer(width)

    def _turn(self, turn: TurnView, width: int) -> Iterator[Text]:
        summary = turn.summary
        running = summary.status is TurnStatus.RUNNING
        yield _line(summary.request, width, "bold")
        passed = self.at * 1000 - summary.started_at_ms if running else summary.duration_ms
        parts = (
            f"{summary.status.value} {duration(passed)}",
            _tools(summary),
            lines_changed(summary.lines_added, summary.lines_removed) if summary.files else "",
            summary.tests or "",
            f"{tokens(summary.usage.total)} tokens",
            money(summary.cost_usd),
        )
        yield _line(" · ".join(filter(None, parts)), width, "cyan" if running else "green")

    def _footer(self, width: int) -> Iterator[Text]:
        queue = f"{plural(self.waiting, 'trace')} waiting, {plural(self.dead, 'dead letter')}"
        yield _line(f"{queue} · {local_time(self.at)}", width, "red" if self.dead else "dim")


def follow(catalog: Catalog, *, wait: Callable[[float], object] = time.sleep) -> Generator[LiveView, None, None]:
    """Yield the view of the newest session, again whenever something changed and at least once a second."""
    current: SessionFile | None = None
    followed: FollowedSession | None = None
    try:
        while True:
            newest = next(iter(catalog.sessions()), None)
            if newest is not None and (current is None or newest.path != current.path):
                if followed is not None:
                    followed.close()
                current, followed = newest, catalog.follow(newest)
            queue = catalog.queue_lengths()
            view = followed.read() if followed is not None else None
            yield LiveView(session=view, waiting=queue[0], dead=queue[1], at=time.time())
            wait(POLL_SECONDS)
    finally:
        if followed is not None:
            followed.close()


def _session(session: SessionView, width: int) -> Iterator[Text]:
    summaries = [turn.summary for turn in session.turns]
    parts = (f"Session {session.session_id[:8]}", session.branch, session.client, session.project)
    yield _line(" · ".join(filter(None, parts)), width, "dim")
    costs = [summary.cost_usd for summary in summaries if summary.model_calls]
    known = [cost for cost in costs if cost is not None]
    tools, failures = sum(one.tools for one in summaries), sum(one.failures for one in summaries)
    figures = (
        plural(len(summaries), "turn"),
        f"{plural(tools, 'tool call')}, {failures:,} failed",
        f"{tokens(sum(summary.usage.total for summary in summaries))} tokens",
        money(sum(known)) + ("" if len(known) == len(costs) else " +?") if known else "",
        _delivered(summaries),
    )
    yield _line(" · ".join(filter(None, figures)), width, "")


def _delivered(summaries: list[TurnSummary]) -> str:
    sent = sum(summary.delivery.state in _DELIVERED for summary in summaries)
    return f"{sent:,} of {len(summaries):,} delivered"


def _tools(summary: TurnSummary) -> str:
    failed = f", {summary.failures:,} failed" if summary.failures else ""
    return f"{plural(summary.tools, 'tool call')}{failed}"


def _step(step: StepView, width: int) -> Text:
    ended = f"exit {step.exit_code}" if step.exit_code else step.outcome.value if step.outcome != "ok" else ""
    tail = "  ".join(filter(None, (duration(step.duration_ms), ended)))
    style = {"failed": "red", "running": "cyan"}.get(step.outcome.value, "")
    left = Text(f"{step.number:>4}  {' '.join(safe(step.name).split()):<12} ", style="dim")
    left.append(" ".join(safe(step.title).split()), style=style or "not dim")
    left.truncate(max(width - len(tail) - 2, 20), overflow="ellipsis", pad=True)
    left.append(f"  {tail}", style=style or "dim")
    left.no_wrap = True
    return left


def _line(text: str, width: int, style: str) -> Text:
    line = Text(" ".join(safe(text).split()), style=style, no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line
