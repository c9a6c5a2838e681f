"""`infinium-codex report`: write an HTML page of what Codex did."""

import webbrowser
from typing import Annotated

from cyclopts import Parameter

from infinium_codex.commands.show import find_sessions
from infinium_codex.console.formatting import plural
from infinium_codex.console.output_file import write_output
from infinium_codex.console.parameters import AllProjects, AsJson, Context, Since
from infinium_codex.support.result import CommandError, Result
from infinium_codex.view.catalog import Catalog


def report(
    what: Annotated[
        str,
        Parameter(
            help="A trace's key or a session's id, or the beginning of one; or 'latest' for the last turn. "
            "By default the last session."
        ),
    ] = "",
    *,
    since: Since = 0.0,
    output: Annotated[
        str, Parameter(name=["--output", "-o"], help="File to write. By default codex-report.html in this directory.")
    ] = "codex-report.html",
    open_page: Annotated[bool, Parameter(name="--open", negative="", help="Open the page in a browser.")] = False,
    all_projects: AllProjects = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Write one HTML file with the conversation, changes, tests, timeline, tokens and cost. It loads nothing else."""
    from infinium_codex.view.html.report import render_report  # help does not need its libraries

    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, all_projects=all_projects)
    ctx.progress("Reading Codex's transcripts …")
    sessions = find_sessions(catalog, what, since)
    page = render_report(sessions).encode()
    path = write_output(ctx.cwd, output, page)
    if open_page and not webbrowser.open(path.as_uri()):
        raise CommandError(f"No browser could be started. The report is in {path}.")
    turns = sum(len(session.turns) for session in sessions)
    steps = sum(len(list(turn.walk())) for session in sessions for turn in session.turns)
    counted = f"{plural(turns, 'request')}, {plural(steps, 'step')}"
    return Result.success(
        (f"Wrote {path} ({counted}, {len(page) / 1024:,.0f} KiB).",),
        {"path": str(path), "bytes": len(page), "sessions": len(sessions), "turns": turns, "steps": steps},
    )
