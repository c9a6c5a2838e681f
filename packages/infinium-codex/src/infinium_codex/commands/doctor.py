"""`infinium-codex doctor`: check every link from Codex to the API, and say what to do about each problem."""

import time
from typing import Annotated

from cyclopts import Parameter

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.doctor.checks import Check, Verdict
from infinium_codex.doctor.examination import Flow, examine, will_flow
from infinium_codex.doctor.repair import mend
from infinium_codex.doctor.situation import look
from infinium_codex.support.error_log import collect_hook_errors
from infinium_codex.support.result import Result

NAME_WIDTH = 22
VERDICT_WIDTH = 9


def doctor(
    *,
    online: Annotated[bool, Parameter(negative="", help="Also contact the API; the secret is not sent.")] = False,
    fix: Annotated[bool, Parameter(negative="", help="Fix problems that need no confirmation.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Run every check; with `fix`, first fix what needs no confirmation.

    Exit code: 0 when traces will arrive, 1 when they will not, 3 when that is unknown.
    """
    collect_hook_errors(ctx.places)
    situation = look(ctx.environ, ctx.cwd, ctx.places, now=time.time())
    mended = mend(situation) if fix else ()
    if mended:
        situation = look(ctx.environ, ctx.cwd, ctx.places, now=time.time())
    checks = examine(situation, over_network=online)
    flow = will_flow(checks)
    lines = [f"{'Project':<9} {situation.hooks.root}", ""]
    lines += [f"{'mended':<9} {done}" for done in mended]
    lines += [line for check in checks for line in _lines(check)]
    data = {
        "project": str(situation.hooks.root),
        "mended": list(mended),
        "flow": flow.value,
        "checks": [check.to_json() for check in checks],
    }
    lines += ["", _summary(checks, flow)]
    return Result(ok=flow is Flow.YES, exit_code=flow.exit_code, lines=tuple(lines), data=data, asked_for=True)


def _lines(check: Check) -> list[str]:
    lines = [f"{check.verdict.value:<9} {check.name:<{NAME_WIDTH}} {check.evidence}"]
    return [*lines, f"{'':<9} {'':<{NAME_WIDTH}} -> {check.fix}"] if check.fix else lines


def _summary(checks: tuple[Check, ...], flow: Flow) -> str:
    problems, warnings = (
        [check.name for check in checks if check.verdict is verdict] for verdict in (Verdict.PROBLEM, Verdict.WARNING)
    )
    said = {
        Flow.YES: "Traces will flow.",
        Flow.NO: f"No traces will flow: {', '.join(problems)}.",
        Flow.UNKNOWN: "Whether traces will flow cannot be told: no Codex was seen. Nothing else stops them.",
    }[flow]
    return f"{said} Not as it should be: {', '.join(warnings)}." if warnings else said
