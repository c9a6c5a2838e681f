"""`infinium-codex doctor`: check every link from Codex to the API, and say what to do about each problem."""

from typing import Annotated

from cyclopts import Parameter

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.support.result import Result


def doctor(
    *,
    online: Annotated[bool, Parameter(negative="", help="Also contact the API; the secret is not sent.")] = False,
    fix: Annotated[bool, Parameter(negative="", help="Fix problems that need no confirmation.")] = False,
    fleet: Annotated[
        bool, Parameter(negative="", help="Also check managed hooks and the export to an OTLP engine.")
    ] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Run every check; with `fix`, first fix what needs no confirmation.

    Exit code: 0 when traces will arrive, 1 when they will not, 3 when that is unknown.
    """
    from infinium_codex.doctor.run import run_doctor  # imports every check; help does not need them

    return run_doctor(ctx, online=online, fix=fix, fleet=fleet)
