"""`infinium-codex export`: export the turns of this project, from Codex's transcripts, to other programs."""

import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from infinium_config import Settings, load
from infinium_config.project import CONFIG
from infinium_trace import Session, TraceContext, TraceOptions, Turn, TurnStatus
from infinium_transport import DeliveryReport, ProblemKind, Put
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.background.deliveries import schedule_next_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.commands.show import find_sessions
from infinium_codex.console.formatting import plural
from infinium_codex.console.output_file import write_output
from infinium_codex.console.parameters import AllProjects, AsJson, Context, Since
from infinium_codex.delivery.projects import ROOT_LABEL
from infinium_codex.delivery.send import deliver_queued
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.otlp.exporter import OtlpExporter
from infinium_codex.otlp.extra import MissingExtraError
from infinium_codex.otlp.settings import OtlpSettings, OtlpSettingsError, read_settings
from infinium_codex.otlp.variables import ENDPOINT_VARIABLE, header_secrets
from infinium_codex.session.pause_log import PauseLog, Pauses
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory
from infinium_codex.view.catalog import Catalog
from infinium_codex.view.perfetto import trace_events

BATCH = 200
"""Turns that are queued at a time: the outbox has a limit, and traces for Infinium wait in it too."""


def export(
    *,
    otlp: Annotated[bool, Parameter(negative="", help="To an engine that receives OTLP over HTTP.")] = False,
    endpoint: Annotated[
        str, Parameter(help=f"Address of the engine, such as http://127.0.0.1:4318. [default: {ENDPOINT_VARIABLE}]")
    ] = "",
    perfetto: Annotated[
        str,
        Parameter(
            help="To this file, as trace events for ui.perfetto.dev and Speedscope. By default the last session."
        ),
    ] = "",
    since: Since = 0.0,
    session: Annotated[str, Parameter(help="Only this session: its id, or the beginning of it.")] = "",
    again: Annotated[bool, Parameter(negative="", help="Also turns that were exported there before.")] = False,
    all_projects: AllProjects = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Export turns that ended, also those that were not traced. A turn keeps its ids however often it is exported."""
    if otlp == bool(perfetto):
        raise CommandError("Name one format.", "Pass --otlp, or --perfetto and a file.", exit_code=2)
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, all_projects=all_projects)
    if perfetto:
        return _to_perfetto(catalog, perfetto, ctx, since, session)
    turns = _turns(catalog, PauseLog(ctx.places).read(), since, session.strip().lower())
    return _to_otlp(turns, endpoint, ctx, again=again)


class _Exported(Struct, frozen=True, kw_only=True):
    """A turn with what its export needs."""

    session: Session
    turn: Turn
    context: TraceContext
    options: TraceOptions
    project: str


def _turns(catalog: Catalog, pauses: Pauses, since: float, id_prefix: str) -> Iterator[_Exported]:
    """Yield the turns that ended and began at `since` or later, without those of a pause."""
    for found in catalog.sessions(since=since, id_prefix=id_prefix):
        project = catalog.project_of(found)
        session = catalog.read(found)
        for turn in session.turns:
            if turn.status is TurnStatus.RUNNING or turn.started_at_ms < since * 1000:
                continue
            ended_ms = turn.ended_at_ms or turn.started_at_ms
            if not pauses.covers(found.session_id, Path(project) / CONFIG, turn.started_at_ms, ended_ms):
                yield _Exported(
                    session=session,
                    turn=turn,
                    context=TraceContext(session_id=found.session_id, project_name=Path(project).name or None),
                    options=catalog.options_of(project),
                    project=project,
                )


def _to_perfetto(catalog: Catalog, output: str, ctx: CommandContext, since: float, session: str) -> Result:
    """Write trace events to a file."""
    sessions = find_sessions(catalog, session, since)
    content = trace_events(sessions)
    path = write_output(ctx.cwd, output, content)
    turns = sum(len(one.turns) for one in sessions)
    lines = (f"Wrote {path} ({plural(turns, 'turn')}). Open it in ui.perfetto.dev or in Speedscope.",)
    return Result.success(lines, {"path": str(path), "bytes": len(content), "sessions": len(sessions), "turns": turns})


def _to_otlp(turns: Iterator[_Exported], endpoint: str, ctx: CommandContext, *, again: bool) -> Result:
    """Queue the turns for an engine and send them, batch by batch, until one batch cannot be sent."""
    environ = {**ctx.environ, ENDPOINT_VARIABLE: endpoint} if endpoint else dict(ctx.environ)
    otlp = _otlp_settings(environ)
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    queued, known = 0, 0
    report = DeliveryReport()
    while batch := list(islice(turns, BATCH)):
        done = [_queue(one, otlp, environ, ctx, again=again) for one in batch]
        queued += done.count(Put.queued)
        known += len(done) - done.count(Put.queued)
        report = _send(settings, environ, ctx)
        if _problems(report, otlp):
            break
    return _result(queued, known, report, otlp)


def _otlp_settings(environ: Mapping[str, str]) -> OtlpSettings:
    try:
        found = read_settings(environ)
    except OtlpSettingsError as error:
        raise CommandError(str(error), exit_code=2) from None
    if found is None:
        hint = f"Pass --endpoint, or set {ENDPOINT_VARIABLE} or OTEL_EXPORTER_OTLP_ENDPOINT."
        raise CommandError("No OTLP endpoint is configured.", hint, exit_code=2)
    return found


def _queue(one: _Exported, otlp: OtlpSettings, environ: Mapping[str, str], ctx: CommandContext, *, again: bool) -> Put:
    options = replace(one.options, secrets=(*one.options.secrets, *header_secrets(environ)))
    outbox = open_outbox(ctx.places)
    exporter = OtlpExporter(otlp, outbox, {ROOT_LABEL: one.project}, again=str(time.time_ns()) if again else "")
    try:
        return exporter.queue_turn(one.session, one.turn, one.context, options)
    except MissingExtraError as error:
        raise CommandError(str(error)) from None


def _send(settings: Settings, environ: Mapping[str, str], ctx: CommandContext) -> DeliveryReport:
    with ctx.progress_bar("Exporting turns", sum(1 for _ in open_outbox(ctx.places).pending())) as show:
        report = deliver_queued(ctx.places, settings, on_done=show, environ=environ)
    schedule_next_delivery(report, ctx.places, environ, settings, Schedule(str(ctx.places.schedule)))
    return report


def _problems(report: DeliveryReport, otlp: OtlpSettings) -> list[str]:
    """Why turns were not accepted at the engine's addresses."""
    urls = (otlp.traces_url, otlp.metrics_url)
    return [
        f"{'rejected' if problem.kind is ProblemKind.rejected else 'not sent'}: {problem.reason}"
        for problem in report.problems
        if problem.base_url in urls
    ]


def _result(queued: int, known: int, report: DeliveryReport, otlp: OtlpSettings) -> Result:
    problems = _problems(report, otlp)
    data = {"endpoint": otlp.traces_url, "turns": queued, "exported_before": known, "problems": problems}
    lines = [f"Exported   {plural(queued, 'turn')} to {otlp.traces_url}"]
    if not queued and not known:
        lines = ["No turn that ended was found."]
    if known:
        lines.append(f"Skipped    {plural(known, 'turn')} exported there before; --again exports them again")
    if not problems:
        return Result.success(tuple(lines), data)
    lines[0] = f"Queued     {plural(queued, 'turn')} for {otlp.traces_url}"
    lines += [f"Problem    {problem}" for problem in problems]
    lines.append(
        "What is queued is sent later; 'infinium-codex queue list' shows it, 'infinium-codex retry' tries again."
    )
    return Result(ok=False, exit_code=1, lines=tuple(lines), data=data)
