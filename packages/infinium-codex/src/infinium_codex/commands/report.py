"""`infinium-codex report`: write an HTML page of what Codex did."""

import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from infinium_config.files import write_atomically
from msgspec.structs import replace

from infinium_codex.commands.show import find_turns
from infinium_codex.console.formatting import plural
from infinium_codex.console.parameters import AllProjects, AsJson, Context, Since
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.view.catalog import LATEST, Catalog
from infinium_codex.view.html.report import render_report
from infinium_codex.view.model import SessionView


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
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, all_projects=all_projects)
    ctx.progress("Reading Codex's transcripts …")
    sessions = _sessions(catalog, what, since)
    page = render_report(sessions).encode()
    path = write_output(ctx, output, page)
    if open_page and not webbrowser.open(path.as_uri()):
        raise CommandError(f"No browser could be started. The report is in {path}.")
    turns = sum(len(session.turns) for session in sessions)
    steps = sum(len(list(turn.walk())) for session in sessions for turn in session.turns)
    counted = f"{plural(turns, 'request')}, {plural(steps, 'step')}"
    return Result.success(
        (f"Wrote {path} ({counted}, {len(page) / 1024:,.0f} KiB).",),
        {"path": str(path), "bytes": len(page), "sessions": len(sessions), "turns": turns, "steps": steps},
    )


def write_output(ctx: CommandContext, name: str, content: bytes) -> Path:
    """Write a file that only the user can read, and return its path. Raises CommandError."""
    path = (ctx.cwd / Path(name).expanduser()).absolute()
    if path.is_dir():
        raise CommandError(f"{path} is a directory.", "Name a file with --output.")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is not a directory.", "Create it, or name another file with --output.")
    write_atomically(path, content)
    return path


def _sessions(catalog: Catalog, what: str, since: float) -> list[SessionView]:
    """Return the sessions with the turns that were asked for, oldest first. Raises CommandError."""
    if what:
        return [_since(find_turns(catalog, what), since)]
    found = []
    for file in catalog.sessions(since=since):
        session = _since(catalog.view(file), since)
        if session.turns:
            found.append(session)
            if not since:
                break
    if not found and not since:
        return [find_turns(catalog, LATEST)]  # a trace whose transcript is gone; fails where there is none
    return sorted(found, key=lambda session: session.turns[0].summary.started_at_ms)


def _since(session: SessionView, since: float) -> SessionView:
    return replace(session, turns=tuple(turn for turn in session.turns if turn.summary.started_at_ms >= since * 1000))
