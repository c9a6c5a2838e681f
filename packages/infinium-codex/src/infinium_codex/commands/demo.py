"""`infinium-codex demo`: trace one turn in a temporary home directory and show the trace."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from infinium_codex.codex.program import find_codex
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.demo.home import DemoError, DemoHome, play_recording, run_codex
from infinium_codex.support.result import Result
from infinium_codex.view.model import TurnView
from infinium_codex.view.terminal import TurnDrawing


def demo(
    *,
    codex: Annotated[
        bool, Parameter(negative="", help="Run the installed Codex with a scripted model instead of a recording.")
    ] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Trace one turn through the real hook, worker and local destination. Nothing outside the directory is touched."""
    program = find_codex(ctx.environ) if codex else None
    if codex and program is None:
        hint = "Install it (npm install -g @openai/codex), or run without --codex to replay a recorded session."
        return Result.failure("Codex is not on PATH.", hint)
    with tempfile.TemporaryDirectory(prefix="infinium-demo-", ignore_cleanup_errors=os.name == "nt") as directory:
        ctx.progress("Tracing one turn in a temporary home directory …")
        home = DemoHome(Path(directory), ctx.environ)
        try:
            session = run_codex(home, program) if program else play_recording(home)
            key, shown = home.wait_for_trace()
        except DemoError as error:
            return Result.failure(
                str(error), "This is a bug in the connector or a problem of this machine. Your own files were not used."
            )
    ctx.progress(f"{session}, traced by the installed hook and worker:")
    [view] = msgspec.convert(shown["turns"], tuple[TurnView])
    return Result.drawn(TurnDrawing(view=view), {"key": key, **{name: shown[name] for name in ("turns", "traces")}})
