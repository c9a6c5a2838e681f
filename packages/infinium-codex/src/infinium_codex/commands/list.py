"""`infinium-codex list`: list the sessions and turns of this project, also those that were not traced."""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated

import msgspec
from cyclopts import Parameter

from infinium_codex.console.parameters import AllProjects, AsJson, Context, Count, Since
from infinium_codex.support.result import Result
from infinium_codex.view.catalog import Catalog
from infinium_codex.view.model import DeliveryState, TurnSummary
from infinium_codex.view.turn_list import TurnListDrawing


def list(  # noqa: A001 - the name of the command
    *,
    count: Count = 30,
    since: Since = 0.0,
    session: Annotated[str, Parameter(help="Only this session: its id, or the beginning of it.")] = "",
    failed: Annotated[
        bool, Parameter(negative="", help="Only turns with a failed tool call or test, or without a regular end.")
    ] = False,
    search: Annotated[str, Parameter(help="Only turns whose request contains this text, in any case.")] = "",
    all_projects: AllProjects = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """List turns, newest first: when, key, state, request, tools, tests, lines changed, tokens, cost and grade."""
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, all_projects=all_projects)
    found = (
        turn
        for turn in catalog.summaries(since=since, id_prefix=session.strip().lower())
        if (not failed or is_failed(turn)) and search.casefold() in turn.request.casefold()
    )
    turns = tuple(islice(found, count))
    notes = tuple(_notes(catalog, turns, count))
    data = {
        "project": None if catalog.project is None else str(catalog.project.root),
        "turns": [msgspec.to_builtins(turn) for turn in turns],
    }
    return Result.drawn(TurnListDrawing(turns=turns, notes=notes, with_project=all_projects), data)


def is_failed(turn: TurnSummary) -> bool:
    """Return whether a tool call or a test of the turn failed, or the turn itself did not end as it should."""
    tests_failed = turn.tests_run is not None and (turn.tests_passed or 0) < turn.tests_run
    return turn.failures > 0 or tests_failed or turn.status is not turn.status.COMPLETED


def _notes(catalog: Catalog, turns: tuple[TurnSummary, ...], count: int) -> Iterator[str]:
    if not turns:
        where = "" if catalog.project is None else f" of {catalog.project.root}"
        yield f"No turns{where} were found. Codex writes a session's transcript when its first turn begins."
        return
    if len(turns) == count:
        yield f"The newest {count:,} turns are shown; --count shows more."
    untraced = sum(turn.delivery.state is DeliveryState.NOT_TRACED for turn in turns)
    if untraced:
        yield f"Not traced: {untraced:,}. 'infinium-codex gaps' shows why, 'backfill' sends them."
    yield "'infinium-codex show KEY' shows one turn."
