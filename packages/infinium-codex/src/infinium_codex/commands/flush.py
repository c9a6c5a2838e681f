"""`infinium-codex flush`: trace and send everything that is left, and wait until it has arrived."""

import time
from typing import Annotated

from cyclopts import Parameter
from infinium_config import load

from infinium_codex.background.deliveries import schedule_next_delivery
from infinium_codex.background.flush import FlushReport, drain, unfinished_sessions
from infinium_codex.background.schedule import Schedule
from infinium_codex.codex.agent import CODEX
from infinium_codex.console.formatting import plural
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.console.progress import run_with_status
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory

DEFAULT_SECONDS = 30.0
_GRACE_SECONDS = 1.0
"""How much longer than the timeout a request may take to report that it failed."""


def flush(
    *,
    timeout: Annotated[float, Parameter(show_default=True, help="Seconds to wait at most.")] = DEFAULT_SECONDS,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Trace every session of this user, send all queued traces, and wait for other processes that send.

    Exits with 0 only when nothing is left. Run it at the end of a container or a CI job.
    """
    if not 0 < timeout < 1e6:
        return Result.failure(f"Invalid --timeout {timeout:g}: use a number of seconds above zero.", exit_code=2)
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    schedule = Schedule(str(ctx.places.schedule))
    deadline = time.monotonic() + timeout
    report = run_with_status(
        lambda: drain(CODEX, ctx.places, ctx.environ, settings, schedule, deadline),
        lambda: _left(ctx, schedule),
        seconds=timeout + _GRACE_SECONDS,
    )
    if report is None:
        hint = "Run it again with a longer --timeout. Everything that was not sent stays queued."
        left = _left(ctx, schedule)
        return Result.failure(f"Not everything was sent within {timeout:g} s: {left}.", hint, data={"left": left})
    schedule_next_delivery(report.delivery, ctx.places, ctx.environ, settings, schedule)
    data = {
        "sent": report.delivery.sent,
        "queued": report.delivery.queued,
        "open": list(report.open),
        "busy": list(report.busy),
        "blocked": list(report.blocked),
    }
    return Result(ok=report.ok, exit_code=0 if report.ok else 1, lines=tuple(_lines(report)), data=data)


def _left(ctx: CommandContext, schedule: Schedule) -> str:
    sessions = sum(1 for _ in unfinished_sessions(ctx.places, schedule))
    traces = sum(1 for _ in open_outbox(ctx.places).pending())
    return f"{plural(sessions, 'session')} to trace, {plural(traces, 'trace')} to send"


def _lines(report: FlushReport) -> list[str]:
    delivery = report.delivery
    lines = [f"Sent       {plural(delivery.sent, 'trace')}"] if delivery.sent else []
    lines += [f"Queued     {plural(delivery.queued, 'trace')}"] if delivery.queued else []
    lines += ["           another process is still sending"] if delivery.busy and delivery.queued else []
    lines += [f"           {problem}" for problem in delivery.problems]
    for sessions, text in (
        (report.open, "open: the agent still runs a turn or the session"),
        (report.busy, "still being traced by another process"),
        (report.blocked, "cannot be traced; 'infinium-codex errors' shows why"),
    ):
        lines += [f"Session    {session}: {text}" for session in sessions]
    return lines or ["Nothing is left to send."]
