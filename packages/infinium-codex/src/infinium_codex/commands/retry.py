"""`infinium-codex retry`: send queued traces now."""

from typing import Annotated

from cyclopts import Parameter
from infinium_config import load
from infinium_transport import DeliveryReport, Outbox, ProblemKind, Recipient

from infinium_codex.background.deliveries import schedule_next_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.background.wake_up import ensure_scheduler
from infinium_codex.console.formatting import local_time, plural
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.console.prompts import confirm_or_yes
from infinium_codex.delivery.projects import ProjectFilter, project_directory
from infinium_codex.delivery.redirect import queued_elsewhere, redirect
from infinium_codex.delivery.send import deliver_queued
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory

NOTHING_QUEUED = "No traces are queued."


def retry(
    *,
    dead: Annotated[bool, Parameter(negative="", help="Also retry dead letters (rejected traces).")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="Only list what would be sent.")] = False,
    to_current: Annotated[
        bool, Parameter(negative="", help="Send this project's traces to its present agent and address.")
    ] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask for confirmation.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Deliver the outbox now, without waiting for retry delays, and try refused secrets once more.

    With `dead`, queue dead letters again first; with `to_current`, redirect what was queued for another address.
    """
    outbox = open_outbox(ctx.places)
    if dry_run:
        return _list_queued(outbox, dead=dead)
    if dead:
        outbox.requeue_dead_letters()
    if to_current:
        _redirect(outbox, ctx, yes=yes)
    outbox.clear_delays()
    outbox.probe_now()
    report = _deliver(ctx)
    data = _data(report)
    if report.queued or data["dead"]:
        hint = "'infinium-codex errors' shows the reason, 'infinium-codex status' what to do."
        return Result(ok=False, exit_code=1, lines=(*_summary(report), hint), data=data)
    return Result.success(_summary(report), data)


def _redirect(outbox: Outbox, ctx: CommandContext, *, yes: bool) -> None:
    """Queue the traces of this project for its present agent and address, after the user has agreed."""
    home = home_directory(ctx.environ)
    destination = load(ctx.cwd, ctx.environ, home=home).destination()
    if destination is None:
        raise CommandError("No agent and address here to send to.", "Run 'infinium-codex init', or 'resume' if paused.")
    current = Recipient(**destination)
    project = ProjectFilter(project_directory(ctx.cwd, home), open_ledger(ctx.places).entries())
    for elsewhere in queued_elsewhere(outbox, project, current):
        old = elsewhere.recipient
        question = (
            f"Send {plural(len(elsewhere.traces), 'trace')} of agent {old.agent_id} for {old.base_url} "
            f"to agent {current.agent_id} at {current.base_url}?"
        )
        confirm_or_yes(ctx, question, yes=yes, kept="Nothing was redirected.")
        count = redirect(outbox, elsewhere.traces, current)
        ctx.progress(f"Redirected {plural(count, 'trace')} from {old.base_url} to {current.base_url}.")


def _deliver(ctx: CommandContext) -> DeliveryReport:
    """Deliver, then make sure that the scheduler runs where something is left to do."""
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    with ctx.progress_bar("Sending queued traces", sum(1 for _ in open_outbox(ctx.places).pending())) as show:
        report = deliver_queued(ctx.places, settings, on_done=show)
    schedule = Schedule(str(ctx.places.schedule))
    schedule_next_delivery(report, ctx.places, ctx.environ, settings, schedule)
    if schedule.entries():
        ensure_scheduler(schedule.directory, ctx.environ)  # after a reboot none runs, and open sessions need one
    return report


def _list_queued(outbox: Outbox, *, dead: bool) -> Result:
    waiting = list(outbox.pending())
    letters = outbox.dead_letters() if dead else []
    lines = [f"{local_time(queued.created)}  {queued.key[:8]}  {queued.size:,} bytes" for queued in waiting]
    lines += [f"{local_time(letter.since)}  {letter.key[:8]}  dead letter: {letter.reason}" for letter in letters]
    data = {"queued": [queued.key for queued in waiting], "dead": [letter.key for letter in letters]}
    return Result.success(tuple(lines) or (NOTHING_QUEUED,), data)


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


def _summary(report: DeliveryReport) -> tuple[str, ...]:
    counts = (
        (report.queued, "Queued     {}", "trace"),
        (report.count(ProblemKind.rejected), "Rejected   {} (moved to dead letters)", "trace"),
        (report.count(ProblemKind.damaged), "Damaged    {} (set aside)", "file"),
        (report.count(ProblemKind.dropped), "Dropped    {} (queue limits)", "trace"),
    )
    lines = [text.format(plural(count, noun)) for count, text, noun in counts if count]
    lines += [f"Busy       another process is sending the traces of agent {agent}" for agent in report.busy_agents]
    return (f"Sent       {report.sent}", *lines) if lines or report.sent else (NOTHING_QUEUED,)
