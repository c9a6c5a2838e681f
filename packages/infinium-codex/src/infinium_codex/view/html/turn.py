"""Builds what the page shows of one turn."""

from collections.abc import Callable
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from infinium_codex.console.formatting import plural
from infinium_codex.view.excerpts import excerpt, one_line
from infinium_codex.view.formats import duration, lines_changed, money, tokens, usage_in_words
from infinium_codex.view.grade import grade_text
from infinium_codex.view.html.changes import ChangedFileView, changed_files
from infinium_codex.view.html.conversation import Conversation, Item
from infinium_codex.view.html.detail import Detail
from infinium_codex.view.html.grade import grade_table
from infinium_codex.view.html.timeline import Timeline, timeline
from infinium_codex.view.model import Delivery, DeliveryState, TurnView

_STATES = {
    DeliveryState.SENT: "sent to Infinium",
    DeliveryState.WAITING: "queued",
    DeliveryState.DEAD: "rejected by the server",
    DeliveryState.DROPPED: "dropped from the queue",
    DeliveryState.LOCAL: "stored on this machine",
    DeliveryState.NOT_TRACED: "not traced",
}


class TurnPage(Struct, frozen=True, kw_only=True):
    """One turn on the page."""

    number: int
    anchor: str
    title: str
    """The request on one line, for the index."""
    status: str
    began: str
    facts: tuple[str, ...]
    short_facts: tuple[str, ...]
    request: Markup
    reason: str
    items: tuple[Item, ...]
    answer: Markup
    """The last message, where no step has it."""
    plan: Markup
    timeline: Timeline | None
    files: tuple[ChangedFileView, ...]
    """The first ones, if there are more than the page has room for."""
    files_count: int
    lines: str
    tests: str
    tests_failed: bool
    commits: tuple[tuple[str, str], ...]
    grade_words: str
    grade: Markup
    details: tuple[tuple[str, str], ...]
    undone: bool
    complete: bool


def turn_page(turn: TurnView, at: int, detail: Detail, linked: set[str]) -> TurnPage:
    """Return the turn with number `at` (from 0). `linked` has the ids of steps that a link leads to."""
    anchor, one = f"t{at + 1}", turn.summary

    def link(step: int) -> str:
        linked.add(f"{anchor}s{step}")
        return f"#{anchor}s{step}"

    drawn = timeline(turn, link, is_open=detail.timeline and len(turn.steps) > 2) if detail.lanes else None
    files = changed_files(turn, anchor, detail)
    listed = turn.files[: len(files)]
    by_path = {
        change.moved_to or change.path: shown.anchor for change, shown in zip(listed, files, strict=True) if shown.diff
    }
    conversation = Conversation(detail, _anchors(anchor, linked), by_path.get, turn.answer)
    items = conversation.items(turn.steps)
    began = datetime.fromtimestamp(one.started_at_ms / 1000).astimezone()
    return TurnPage(
        number=at + 1,
        anchor=anchor,
        title=one_line(one.request, 110),
        status="undone" if one.undone else one.status.value,
        began=f"{began:%H:%M:%S}",
        facts=_some(
            duration(one.duration_ms),
            plural(one.tools, "tool call") if one.tools else "",
            f"{one.failures} failed" if one.failures else "",
            plural(one.subagents, "subagent") if one.subagents else "",
            f"{tokens(one.usage.total)} tokens" if one.model_calls else "",
            money(one.cost_usd),
        ),
        short_facts=_some(f"{began:%H:%M}", duration(one.duration_ms), money(one.cost_usd)),
        request=_plain(turn.request, detail.message),
        reason=turn.reason or "",
        items=items,
        answer=conversation.message(turn.answer) if turn.answer and not conversation.has_answer else Markup(),
        plan=conversation.message(turn.plan) if turn.plan else Markup(),
        timeline=drawn,
        files=files,
        files_count=len(turn.files),
        lines=lines_changed(one.lines_added, one.lines_removed),
        tests=f"{one.tests}; files changed afterwards" if one.tests and one.tests_stale else one.tests or "",
        tests_failed=bool(one.tests) and (one.tests_passed or 0) < (one.tests_run or 0),
        commits=tuple((commit[:10], one_line(subject, 120)) for commit, subject in turn.commits),
        grade_words=grade_text(one.grade),
        grade=grade_table(one.grade) if isinstance(one.grade, dict | list) else Markup(),
        details=tuple(_details(turn)) if detail.conditions else (),
        undone=one.undone,
        complete=turn.complete,
    )


def _anchors(prefix: str, linked: set[str]) -> Callable[[int], str]:
    def anchor(step: int) -> str:
        name = f"{prefix}s{step}"
        return name if name in linked else ""

    return anchor


def _plain(text: str, limit: int) -> Markup:
    part = excerpt(text, limit)
    shown = Markup.escape(part.head)
    if part.missing:
        shown += Markup('<span class="cut">{}</span>{}').format(part.missing, part.tail)
    return shown


def _details(turn: TurnView) -> list[tuple[str, str]]:
    one = turn.summary
    redacted = ", ".join(f"{kind}: {count}" for kind, count in turn.redactions.items())
    found = [
        ("Trace", _delivery(one.delivery)),
        ("Trace key", one.key),
        ("Server's trace id", one.delivery.trace_id or ""),
        ("Tokens", usage_in_words(one.usage, one.model_calls) if one.model_calls else ""),
        ("No price known for", ", ".join(turn.unpriced)),
        ("Redacted", redacted),
        *((name.capitalize(), value) for name, value in turn.conditions.items()),
        *(("Note", warning) for warning in turn.warnings),
    ]
    return [(name, one_line(value, 400)) for name, value in found if value]


def _delivery(delivery: Delivery) -> str:
    at = f", {datetime.fromtimestamp(delivery.at_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}" if delivery.at_ms else ""
    reason = f": {delivery.reason}" if delivery.reason else ""
    return f"{_STATES[delivery.state]}{at}{reason}"


def _some(*facts: str) -> tuple[str, ...]:
    return tuple(fact for fact in facts if fact)
