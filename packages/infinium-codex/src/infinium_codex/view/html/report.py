"""Renders sessions as one HTML page. The page loads nothing, and its policy permits only its own style and script."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePath

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from msgspec import Struct

from infinium_codex.console.formatting import plural
from infinium_codex.console.safe_text import safe
from infinium_codex.version import VERSION
from infinium_codex.view.excerpts import one_line
from infinium_codex.view.html.detail import LEVELS, MAX_BYTES, Detail, first_level, in_words
from infinium_codex.view.html.overview import overview
from infinium_codex.view.html.turn import TurnPage, turn_page
from infinium_codex.view.model import SessionView

_PACKAGE = "infinium_codex.view"


class SessionPage(Struct, frozen=True, kw_only=True):
    """A session's heading and turns."""

    title: str
    facts: tuple[str, ...]
    turns: tuple[TurnPage, ...]


def render_report(sessions: Sequence[SessionView]) -> str:
    """Return the page of these sessions, oldest first.

    Texts are cut until the page is smaller than `MAX_BYTES`, as far as that is possible: each step keeps its line.
    """
    for detail in LEVELS[first_level(sessions) :]:
        page = _render(sessions, detail)
        if len(page) <= MAX_BYTES and len(page.encode()) <= MAX_BYTES:
            break
    return page


def _render(sessions: Sequence[SessionView], detail: Detail) -> str:
    turns = [turn for session in sessions for turn in session.turns]
    linked: set[str] = set()

    def link(turn: int, step: int | None) -> str:
        anchor = f"t{turn + 1}" if step is None else f"t{turn + 1}s{step}"
        linked.add(anchor)
        return f"#{anchor}"

    above = overview(turns, link)
    projects = {session.project for session in sessions}
    pages, at = [], 0
    for session in sessions:
        rendered = tuple(turn_page(turn, at + number, detail, linked) for number, turn in enumerate(session.turns))
        at += len(rendered)
        pages.append(
            SessionPage(
                title=_title(session, with_project=len(projects) > 1), facts=tuple(_facts(session)), turns=rendered
            )
        )
    style, script = _asset("report.css"), _asset("report.js")
    page = _template().render(
        policy=_policy(style, script),
        style=Markup(style),  # noqa: S704 - files of this package
        script=Markup(script),  # noqa: S704
        title=_page_title(sessions),
        sessions=pages,
        overview=above,
        several=len(pages) > 1,
        note=in_words(detail),
        version=VERSION,
    )
    return safe(page)  # in one place for every text: no control character, and none that changes the direction of text


def _policy(style: str, script: str) -> str:
    """Return the page's Content-Security-Policy."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _asset(name: str) -> str:
    return (files(_PACKAGE) / "templates" / name).read_text("utf-8")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template() -> Template:
    return _environment().get_template("report.html")


def _page_title(sessions: Sequence[SessionView]) -> str:
    projects = list(dict.fromkeys(PurePath(session.project).name or "Codex" for session in sessions))
    return one_line(", ".join(projects[:3]) or "Codex", 80)


def _title(session: SessionView, *, with_project: bool) -> str:
    began = session.started_at_ms or (session.turns[0].summary.started_at_ms if session.turns else None)
    when = f"{datetime.fromtimestamp(began / 1000).astimezone():%A, %d %B %Y, %H:%M}" if began else "Session"
    return f"{one_line(PurePath(session.project).name, 60)}, {when}" if with_project else when


def _facts(session: SessionView) -> list[str]:
    models = list(dict.fromkeys(model for turn in session.turns for model in turn.summary.models))
    found = [
        plural(len(session.turns), "request"),
        session.client,
        ", ".join(models),
        f"branch {session.branch}" if session.branch else None,
        f"session {session.session_id[:13]}",
    ]
    return [one_line(fact, 80) for fact in found if fact]
