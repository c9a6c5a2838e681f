"""Runs the checks, and before them the fixes where the user wants them, and reports the results."""

import time

from infinium_codex.doctor.chain import Flow, run_checks, will_flow
from infinium_codex.doctor.checks import Check, Verdict
from infinium_codex.doctor.context import collect, probe
from infinium_codex.doctor.fixes import apply_fixes
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.result import CommandContext, Result

VERDICT_WIDTH = 9
NAME_WIDTH = 22


def run_doctor(ctx: CommandContext, *, online: bool, fix: bool) -> Result:
    """Run every check; with `fix`, first fix what needs no confirmation."""
    collect_hook_errors(ctx.places)
    context = collect(ctx.environ, ctx.cwd, ctx.places, now=time.time())
    fixed = apply_fixes(context) if fix else ()
    if fixed:
        context = collect(ctx.environ, ctx.cwd, ctx.places, now=time.time())
    checks = run_checks(probe(context, online=online))
    flow = will_flow(checks)
    lines = [f"{'Project':<{VERDICT_WIDTH}} {context.hooks.root}", ""]
    lines += [f"{'fixed':<{VERDICT_WIDTH}} {done}" for done in fixed]
    lines += [line for check in checks for line in _lines(check)]
    lines += ["", _summary(checks, flow)]
    data = {
        "project": str(context.hooks.root),
        "mended": list(fixed),
        "flow": flow.value,
        "checks": [check.to_json() for check in checks],
    }
    return Result(ok=flow is Flow.YES, exit_code=flow.exit_code, lines=tuple(lines), data=data, to_stdout=True)


def _lines(check: Check) -> list[str]:
    lines = [f"{check.verdict.value:<{VERDICT_WIDTH}} {check.name:<{NAME_WIDTH}} {check.evidence}"]
    return [*lines, f"{'':<{VERDICT_WIDTH}} {'':<{NAME_WIDTH}} -> {check.fix}"] if check.fix else lines


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
