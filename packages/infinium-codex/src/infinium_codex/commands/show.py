"""`infinium-codex show`: print a turn as a timeline, or every turn of a session."""

from typing import Annotated

import msgspec
from cyclopts import Parameter
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.support.result import CommandError, Result
from infinium_codex.view.catalog import LATEST, Catalog, NotOneTurnError
from infinium_codex.view.model import SessionView
from infinium_codex.view.terminal import TurnDrawing

What = Annotated[
    str,
    Parameter(help="A trace's key or a session's id, or the beginning of one; or 'latest'. 'list' shows them."),
]


def show(
    what: What = LATEST,
    *,
    full: Annotated[bool, Parameter(negative="", help="Show outputs and the diff whole.")] = False,
    unredacted: Annotated[
        bool, Parameter(negative="", help="Show texts with their secrets. Only on a terminal.")
    ] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Show what a turn did: request, steps with their outputs, changes, tests, tokens, cost and delivery."""
    if unredacted and (json or not ctx.to_terminal):
        raise CommandError("Texts with their secrets are shown on a terminal only.", "Leave --unredacted out.")
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, unredacted=unredacted)
    session = find_turns(catalog, what)
    drawing = _SessionDrawing(turns=tuple(TurnDrawing(view=turn, whole=full) for turn in session.turns))
    return Result.drawn(drawing, {**msgspec.to_builtins(session), "traces": catalog.payloads(session)})


def find_turns(catalog: Catalog, what: str) -> SessionView:
    """Return the session with the turns that `what` names. Raises CommandError if it names none, or several."""
    try:
        return catalog.turns(what)
    except NotOneTurnError as error:
        raise CommandError(str(error), "'infinium-codex list' shows sessions and keys.") from None


def find_sessions(catalog: Catalog, what: str, since: float) -> list[SessionView]:
    """Return sessions with the turns that `what` names or that began at `since`, else the last session; oldest first.

    Raises CommandError if `what` names no turn, or several sessions.
    """
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


class _SessionDrawing(Struct, frozen=True):
    turns: tuple[TurnDrawing, ...]

    def draw(self, width: int, *, colour: bool) -> list[str]:
        lines: list[str] = []
        for number, turn in enumerate(self.turns):
            lines += ["", "─" * width, ""] if number else []
            lines += turn.draw(width, colour=colour)
        return lines
