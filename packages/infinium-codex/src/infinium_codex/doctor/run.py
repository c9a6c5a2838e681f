"""Runs the checks, and before them the fixes where the user wants them, and reports the results."""

import time
from collections.abc import Iterator

from infinium_codex.doctor.chain import Flow, run_checks, will_flow
from infinium_codex.doctor.checks import Check, Verdict
from infinium_codex.doctor.context import collect, probe
from infinium_codex.doctor.fixes import apply_fixes
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.result import CommandContext, Mark, Result, Row

_MARKS = {
    Verdict.OK: Mark.OK,
    Verdict.WARNING: Mark.WARNING,
    Verdict.PROBLEM: Mark.PROBLEM,
    Verdict.UNKNOWN: Mark.UNKNOWN,
}
_FLOW_MARKS = {Flow.YES: Mark.OK, Flow.NO: Mark.PROBLEM, Flow.UNKNOWN: Mark.UNKNOWN}


def run_doctor(ctx: CommandContext, *, online: bool, fix: bool, fleet: bool = False) -> Result:
    """Run every check; with `fix`, first fix what needs no confirmation."""
    collect_hook_errors(ctx.places)
    ctx.progress("Asking Codex about this project …")
    context = collect(ctx.environ, ctx.cwd, ctx.places, now=time.time())
    fixed = apply_fixes(context) if fix else ()
    if fixed:
        context = collect(ctx.environ, ctx.cwd, ctx.places, now=time.time())
    ctx.progress(
        "Starting the hook and a worker …" if not online else "Starting the hook and a worker, and asking the API …"
    )
    checks = run_checks(probe(context, online=online), fleet=fleet)
    flow = will_flow(checks)
    rows = (
        Row(cells=(f"Project {context.hooks.root}",), mark=Mark.TITLE),
        Row(cells=("",)),
        *(Row(cells=("fixed", "", done), mark=Mark.OK) for done in fixed),
        *(row for check in checks for row in _rows(check)),
        Row(cells=("",)),
        Row(cells=(_summary(checks, flow),), mark=_FLOW_MARKS[flow]),
    )
    data = {
        "project": str(context.hooks.root),
        "fixed": list(fixed),
        "flow": flow.value,
        "checks": [check.to_json() for check in checks],
    }
    return Result(ok=flow is Flow.YES, exit_code=flow.exit_code, rows=rows, data=data, to_stdout=True)


def _rows(check: Check) -> Iterator[Row]:
    yield Row(cells=(check.verdict.value, check.name, check.evidence), mark=_MARKS[check.verdict])
    if check.fix:
        yield Row(cells=("", "", f"-> {check.fix}"))


def _summary(checks: tuple[Check, ...], flow: Flow) -> str:
    problems, warnings = (
        [check.name for check in checks if check.verdict is verdict] for verdict in (Verdict.PROBLEM, Verdict.WARNING)
    )
    summary = {
        Flow.YES: "Traces will be sent.",
        Flow.NO: f"No traces will be sent. {_list('Problem', problems)}",
        Flow.UNKNOWN: "Unknown whether traces will be sent: Codex was not found. No other problem was found.",
    }[flow]
    return f"{summary} {_list('Warning', warnings)}" if warnings else summary


def _list(noun: str, names: list[str]) -> str:
    return f"{noun}{'s' if len(names) > 1 else ''}: {', '.join(names)}."
