"""`infinium-codex retry`: send what waits, now."""

from infinium_config import load
from infinium_transport import DeliveryReport, Outbox, ProblemKind

from infinium_codex.background.deliveries import schedule_next_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.commands.when import local_time
from infinium_codex.delivery.send import deliver_queued
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory


def run(ctx: CommandContext, *, dead: bool, dry_run: bool) -> Result:
    """Deliver the outbox, resting traces too; with `dead`, also what the API had refused."""
    outbox = open_outbox(ctx.places)
    if dry_run:
        return _would_send(outbox, dead=dead)
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    if dead:
        outbox.requeue_dead_letters()
    outbox.clear_delays()
    report = deliver_queued(ctx.places, ctx.environ, settings)
    schedule = Schedule(str(ctx.places.schedule))
    timed = schedule_next_delivery(report, ctx.environ, settings, schedule)
    if not timed and schedule.entries():
        ensure_scheduler(schedule.directory, ctx.environ)  # after a reboot none runs, and open sessions need one
    lines = _told(report)
    data = _data(report)
    if report.queued or data["dead"]:
        hint = "'infinium-codex errors' says why, 'infinium-codex status' what to do."
        return Result(ok=False, exit_code=1, lines=(*lines, hint), data=data)
    return Result.success(lines, data)


def _would_send(outbox: Outbox, *, dead: bool) -> Result:
    waiting = list(outbox.pending())
    letters = outbox.dead_letters() if dead else []
    lines = [f"{local_time(queued.created)}  {queued.key[:8]}  {queued.size:,} bytes" for queued in waiting]
    lines += [f"{local_time(letter.since)}  {letter.key[:8]}  dead letter: {letter.reason}" for letter in letters]
    data = {"queued": [queued.key for queued in waiting], "dead": [letter.key for letter in letters]}
    return Result.success(tuple(lines) or ("Nothing waits.",), data)


def _data(report: DeliveryReport) -> dict[str, object]:
    return {
        "sent": report.sent,
        "queued": report.queued,
        "dead": report.count(ProblemKind.rejected),
        "parked": report.count(ProblemKind.unauthorized),
        "refused": report.count(ProblemKind.no_secret),
        "dropped": report.count(ProblemKind.dropped),
        "corrupt": report.count(ProblemKind.damaged),
        "busy": report.busy,
        "next_due": report.next_due,
        "resting": report.delayed_agents,
    }


def _told(report: DeliveryReport) -> tuple[str, ...]:
    if report.busy:
        return ("Another process is sending right now; it takes what waits.",)
    lines = [f"Sent       {report.sent}"]
    lines += [f"Waiting    {report.queued}"] if report.queued else []
    dead, damaged, dropped = map(report.count, (ProblemKind.rejected, ProblemKind.damaged, ProblemKind.dropped))
    lines += [f"Refused    {dead} became dead letters"] if dead else []
    lines += [f"Damaged    {damaged} set aside"] if damaged else []
    lines += [f"Dropped    {dropped} (queue limits)"] if dropped else []
    return tuple(lines) if len(lines) > 1 or report.sent else ("Nothing waits.",)
