"""`infinium-codex backfill`: send the turns that were never traced."""

from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter
from infinium_config import load

from infinium_codex.backfill.run import Backfill, Report, Scope
from infinium_codex.backfill.turns import Missing
from infinium_codex.background.deliveries import LEASE_SECONDS, schedule_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.codex.session_files import ProjectDirectories
from infinium_codex.console.formatting import plural
from infinium_codex.console.parameters import AsJson, Context, Since
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.support.result import Result
from infinium_codex.support.settings import home_directory

_MOST_DAMAGED = 5


def backfill(
    *,
    since: Since = 0.0,
    session: Annotated[str, Parameter(help="Only the session whose id begins with this.")] = "",
    all_projects: Annotated[
        bool, Parameter(name="--all", negative="", help="The turns of every project of this user that is set up.")
    ] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Only count what would be sent.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Send the turns of this project that Codex has and that were never traced, the oldest first.

    Each goes to the agent of the project that it ran in, under the key that its trace would have had. Nothing is sent
    twice. Turns that are running, or that ran while recording was paused, are left out.
    """
    home = home_directory(ctx.environ)
    settings = load(ctx.cwd, ctx.environ, home=home)
    directories = ProjectDirectories.at(ctx.cwd, home)
    scope = Scope(directories=directories, all_projects=all_projects, since=since, session=session.strip().lower())
    run = Backfill(ctx.places, ctx.environ, settings, scope, dry_run=dry_run)
    sessions = run.find()
    schedule = Schedule(str(ctx.places.schedule))
    if sessions and not dry_run:
        schedule.add_outbox(LEASE_SECONDS, keep_earlier=True)  # this process may be killed
        ensure_scheduler(schedule.directory, ctx.environ)
    with ctx.progress_bar("Backfilling sessions", len(sessions)) as show:
        report = run.run(sessions, show)
    waiting = 0
    if not dry_run:
        schedule_delivery(ctx.places, ctx.environ, settings, schedule)
        waiting = sum(1 for _ in open_outbox(ctx.places).pending())
    ok = not report.stopped
    return Result(
        ok=ok,
        exit_code=0 if ok else 1,
        lines=tuple(_lines(report, waiting, dry_run=dry_run)),
        data={"project": None if all_projects else str(directories.root), **_data(report, waiting, dry_run=dry_run)},
        to_stdout=True,
    )


def _lines(report: Report, waiting: int, *, dry_run: bool) -> Iterator[str]:
    yield f"Found      {plural(report.turns, 'turn')} in {plural(report.sessions, 'session')}"
    verb = "To send" if dry_run else "Queued"
    sent = ", all sent" if report.queued and not waiting and not dry_run else ""
    yield f"{verb:<10} {plural(report.queued, 'trace')}{sent}"
    if len(report.by_project) > 1:
        yield from (f"           {count:,} of {project}" for project, count in sorted(report.by_project.items()))
    if waiting:
        yield f"Waiting    {plural(waiting, 'trace')} in the queue; 'infinium-codex status' shows why"
    for state, count in sorted(report.states.items()):
        if state != Missing.NEVER_TRACED:
            yield f"Left out   {plural(count, 'turn')}: {state}"
    for reason, count in sorted(report.untraceable.items()):
        yield f"Left out   {plural(count, 'turn')}: {reason}"
    if report.states[Missing.UNKNOWN] and not dry_run:
        yield "           --since sends turns that are older than the ledger; they may have been sent before"
    yield from (f"Damaged    {path}" for path in report.damaged[:_MOST_DAMAGED])
    if len(report.damaged) > _MOST_DAMAGED:
        yield f"           {len(report.damaged) - _MOST_DAMAGED:,} more"
    if report.stopped:
        yield f"Stopped    {report.stopped}"
        yield "           Run 'infinium-codex backfill' again when they are sent; it continues here."


def _data(report: Report, waiting: int, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "sessions": report.sessions,
        "turns": report.turns,
        "missing": report.missing,
        "queued": report.queued,
        "waiting": waiting,
        "by_project": dict(report.by_project),
        "states": dict(report.states),
        "untraceable": dict(report.untraceable),
        "untraceable_sessions": report.untraceable_sessions,
        "damaged": report.damaged,
        "stopped": report.stopped,
    }
