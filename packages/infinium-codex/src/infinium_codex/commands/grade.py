"""`infinium-codex grade`: show the grade that Infinium gave a trace."""

from typing import Annotated

from cyclopts import Parameter
from infinium_config import Settings, load
from infinium_transport import LOCAL, Entry, EntryKind, NotReady, Rejected, ResultOutcome, Retry, StoredResult

from infinium_codex.background.deliveries import schedule_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.codex.agent import CODEX
from infinium_codex.console.formatting import local_time, utc_time
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.delivery.grades import fetch_grade, grade_of
from infinium_codex.delivery.projects import ROOT_LABEL, ProjectFilter, project_directory
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.otlp.variables import OTLP_AGENT, is_configured
from infinium_codex.support.error_log import record_error
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory
from infinium_codex.view.grade import grade_lines, grade_score

LATEST = "latest"
WAIT_SECONDS = 120.0


def grade(
    key: Annotated[
        str, Parameter(help="Key of a sent trace or its beginning, or 'latest'; 'history' lists the keys.")
    ] = LATEST,
    *,
    wait: Annotated[
        bool, Parameter(negative="", help=f"Wait up to {WAIT_SECONDS:.0f} s for the grade of a trace just sent.")
    ] = False,
    minimum: Annotated[
        float | None, Parameter(name="--min", help="Fail if the score is lower than this, or there is none.")
    ] = None,
    field: Annotated[str | None, Parameter(help="Path of the score in the grade, such as evaluation.score.")] = None,
    refresh: Annotated[bool, Parameter(negative="", help="Fetch the grade again if it was fetched before.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Fetch the grade of a trace, keep it, and show it."""
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    trace = _find_trace(key.strip().lower(), ctx)
    found: StoredResult | ResultOutcome | None = None if refresh else grade_of(ctx.places, trace.key)
    if found is None:
        found = _fetch(trace, settings, ctx, wait=wait)
    data: dict[str, object] = {"key": trace.key, "trace_id": trace.trace_id, "name": trace.message}
    if not isinstance(found, StoredResult):
        what, hint = _explain(found, trace, waited=wait)
        return Result.failure(what, hint, data=data)
    score = grade_score(found.result, field)
    if score is not None and is_configured(ctx.environ):
        _export(trace, score, settings, ctx)
    data |= {"fetched_at": utc_time(found.fetched), "score": score, "grade": found.result}
    lines = (
        f"Trace   {trace.message}",
        f"        {trace.key}, sent {local_time(trace.when)}, server's id {trace.trace_id}",
        *([f"Score   {score:g}"] if score is not None else []),
        "",
        *grade_lines(found.result),
    )
    problem = _below(score, minimum)
    if problem:
        return Result(
            ok=False,
            exit_code=1,
            lines=(*lines, "", problem),
            data={**data, "error": problem, "hint": ""},
            to_stdout=True,
        )
    return Result.success(lines, data)


def _export(trace: Entry, score: float, settings: Settings, ctx: CommandContext) -> None:
    """Queue the score for an OTLP engine, once. A failure is recorded and does not hide the grade."""
    from infinium_codex.otlp.exporter import OtlpExporter
    from infinium_codex.otlp.extra import MissingExtraError
    from infinium_codex.otlp.settings import OtlpSettingsError, read_settings

    try:
        otlp = read_settings(ctx.environ)
        if otlp is None or otlp.metrics_url is None:
            return
        exporter = OtlpExporter(otlp, open_outbox(ctx.places), {ROOT_LABEL: trace.labels.get(ROOT_LABEL, "")})
        exporter.queue_grade(trace.key, score, CODEX.program, trace.labels.get("project"))
    except (MissingExtraError, OtlpSettingsError) as error:
        record_error(ctx.places, "otlp", f"A grade is not exported: {error}", {})
        return
    schedule_delivery(ctx.places, ctx.environ, settings, Schedule(str(ctx.places.schedule)))


def _find_trace(key: str, ctx: CommandContext) -> Entry:
    """The ledger's entry of the sent trace. Raises CommandError if there is none, or none that has a grade."""
    entries = open_ledger(ctx.places).entries(EntryKind.sent)
    if key == LATEST:
        project = ProjectFilter(project_directory(ctx.cwd, home_directory(ctx.environ)))
        entries = [entry for entry in entries if _is_at_infinium(entry) and project.owns(entry.labels)]
        if not entries:
            raise CommandError(
                f"No trace of {project.root} was sent to Infinium yet.", "'infinium-codex status' shows why."
            )
        found = entries[0]
    else:
        matching = {entry.key: entry for entry in reversed(entries) if key and entry.key.startswith(key)}
        if len(matching) != 1:
            many = f"{len(matching)} sent traces have" if matching else "No sent trace has"
            hint = "Give more of the key." if matching else "'infinium-codex history' lists the keys."
            raise CommandError(f"{many} a key that begins with '{key}'.", hint)
        [found] = matching.values()
    if found.where == LOCAL:
        raise CommandError(f"Trace {found.key} is stored on this machine only, so Infinium has not graded it.")
    if found.trace_id is None:
        raise CommandError(f"The server named no id when it accepted trace {found.key}, so its grade cannot be found.")
    return found


def _is_at_infinium(entry: Entry) -> bool:
    return entry.where != LOCAL and entry.agent_id != OTLP_AGENT


def _fetch(trace: Entry, settings: Settings, ctx: CommandContext, *, wait: bool) -> StoredResult | ResultOutcome:
    if wait:
        ctx.progress(f"Waiting for the grade of trace {trace.trace_id} …")
    return fetch_grade(ctx.places, settings, trace, wait_seconds=WAIT_SECONDS if wait else 0.0)


def _explain(outcome: ResultOutcome, trace: Entry, *, waited: bool) -> tuple[str, str]:
    """What failed, and what the user can do about it."""
    match outcome:
        case NotReady(reason=reason):
            later = "Try again later." if waited else "It usually comes within 30 s of sending; --wait waits for it."
            return f"Infinium has no grade for trace {trace.trace_id} ({reason}).", later
        case Retry(reason=reason):
            return f"{trace.where} did not answer the request for the grade: {reason}.", "Try again later."
        case Rejected(status=None, message=message):
            return f"The grade was not fetched: {message}.", "'infinium-codex status' shows the address."
        case Rejected(status=status, message=message):
            return f"{trace.where} has refused the request for the grade: HTTP {status}: {message}.", ""
    status = getattr(outcome, "status", None)
    return (
        f"{trace.where} refused the credentials of agent {trace.agent_id} (HTTP {status}).",
        "Check the agent's secret at Infinium, then run 'infinium-codex update-credentials'.",
    )


def _below(score: float | None, minimum: float | None) -> str:
    if minimum is None or (score is not None and score >= minimum):
        return ""
    if score is None:
        return "The grade has no score that can be compared with --min. --field names the score's place."
    return f"The score {score:g} is lower than {minimum:g}."
