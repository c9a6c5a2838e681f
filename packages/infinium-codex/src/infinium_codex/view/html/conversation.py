"""Turns the steps of a turn into what the page shows: messages, and groups of folded tool calls between them."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from infinium_codex.console.formatting import plural
from infinium_codex.view.excerpts import excerpt, one_line
from infinium_codex.view.formats import duration, money, tokens
from infinium_codex.view.html.detail import ONE_LINE, Detail
from infinium_codex.view.html.highlight import code
from infinium_codex.view.html.prose import prose
from infinium_codex.view.model import Outcome, StepKind, StepView

_LARGEST_GROUP = 100
"""Steps. A page of thousands of steps opens one group at a time."""
_ROWS = (StepKind.TOOL, StepKind.PERMISSION)


class Row(Struct, frozen=True, kw_only=True):
    """A step on one line, and what unfolds below it."""

    step: StepView
    anchor: str
    """Its id on the page; empty where nothing leads to it."""
    state: str
    """A class: "failed", "refused", "interrupted", "running", or empty."""
    title: Markup
    result: str
    took: str
    body: Markup


class Item(Struct, frozen=True, kw_only=True):
    """A part of the conversation: "message", "thought", "note", "group" or "subagent"."""

    kind: str
    title: str = ""
    text: Markup = Markup()
    anchor: str = ""
    state: str = ""
    facts: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    items: tuple["Item", ...] = ()
    """The work of a subagent."""


class Conversation:
    """Builds the items of one turn. `anchored` says whether a link leads to the step with this number."""

    def __init__(
        self, detail: Detail, anchor: Callable[[int], str], link_of_file: Callable[[str], str | None], answer: str
    ) -> None:
        self._detail, self._anchor, self._link_of_file = detail, anchor, link_of_file
        self._answer = answer.strip()
        self.has_answer = False
        """Whether one of the messages was the turn's answer."""

    def items(self, steps: Sequence[StepView]) -> tuple[Item, ...]:
        """Return the items for the steps of a turn or of a subagent."""
        found: list[Item] = []
        rows: list[Row] = []
        for step in steps:
            if step.kind in _ROWS:
                rows.append(self._row(step))
                if len(rows) < _LARGEST_GROUP:
                    continue
            if rows:
                found.append(_group(rows))
                rows = []
            if step.kind not in _ROWS:
                found.append(self._item(step))
        if rows:
            found.append(_group(rows))
        return tuple(found)

    def message(self, text: str) -> Markup:
        """Render a message as far as the page has room for it."""
        part = excerpt(text, self._detail.message)
        if not part.missing:
            return prose(part.head)
        return Markup('{}<p class="cut">{}</p>{}').format(prose(part.head), part.missing, prose(part.tail))

    def _item(self, step: StepView) -> Item:
        anchor = self._anchor(step.number)
        if step.kind is StepKind.MESSAGE:
            is_answer = (step.output or "").strip() == self._answer
            self.has_answer |= is_answer
            if self._detail.message <= ONE_LINE and not is_answer:
                return Item(kind="note", title=one_line(step.output or step.title, self._detail.message), anchor=anchor)
            return Item(
                kind="message",
                title="Answer" if is_answer else "Codex",
                text=self.message(step.output or step.title),
                anchor=anchor,
            )
        if step.kind is StepKind.SUBAGENT:
            return self._subagent(step, anchor)
        title = one_line(step.title, self._detail.title)
        if step.kind is StepKind.REASONING:
            rest = (step.output or "").strip().removeprefix(step.title).strip()
            text = self.message(rest) if rest and self._detail.message > ONE_LINE else Markup()
            return Item(kind="thought", title=title.strip("*# "), text=text, anchor=anchor)
        text = self.message(step.output) if step.output and self._detail.message > ONE_LINE else Markup()
        return Item(kind="note", title=title, text=text, anchor=anchor, facts=_some(duration(step.duration_ms)))

    def _subagent(self, step: StepView, anchor: str) -> Item:
        inner = list(step.walk())[1:]
        failed = sum(one.outcome is Outcome.FAILED for one in inner)
        spent = tokens(step.usage.total) + " tokens" if step.usage else ""
        parts = []
        if step.input:
            parts.append(Markup('<div class="say task"><h4>Task</h4>{}</div>').format(self.message(step.input)))
        if step.reason:
            parts.append(Markup('<p class="why">{}</p>').format(step.reason))
        items = self.items(step.steps)
        if step.output and not any(one.kind is StepKind.MESSAGE and one.output == step.output for one in step.steps):
            items += (Item(kind="message", title="Result", text=self.message(step.output)),)
        return Item(
            kind="subagent",
            title=f"{step.name}: {one_line(step.title, self._detail.title)}",
            text=Markup().join(parts),
            anchor=anchor,
            state="" if step.outcome is Outcome.OK else step.outcome.value,
            facts=_some(
                plural(len(inner), "step"),
                f"{failed} failed" if failed else "",
                duration(step.duration_ms),
                spent,
                money(step.cost_usd),
            ),
            items=items,
        )

    def _row(self, step: StepView) -> Row:
        limit = self._detail.title
        title = one_line(step.title, limit)
        is_command = step.name == "shell"
        return Row(
            step=step,
            anchor=self._anchor(step.number),
            state="" if step.outcome is Outcome.OK else step.outcome.value,
            title=code(title, "bash" if is_command and self._detail.colours else None),
            result=_result(step),
            took=duration(step.duration_ms),
            body=self._body(step, title),
        )

    def _body(self, step: StepView, title: str) -> Markup:
        """Return what unfolds below a row; empty if the row says everything."""
        limit = self._detail.output_of(step)
        parts: list[Markup] = []
        if step.reason and limit and step.reason.strip() != (step.output or "").strip():
            parts.append(Markup('<p class="why">{}</p>').format(step.reason[:1_000]))
        links = {link: change for change in step.files if (link := self._link_of_file(change.moved_to or change.path))}
        if links:
            parts.append(
                Markup('<p class="to">Changed {}</p>').format(
                    Markup(", ").join(
                        Markup('<a href="#{}">{}</a>').format(link, change.moved_to or change.path)
                        for link, change in links.items()
                    )
                )
            )
        elif step.input and limit and " ".join(step.input.split()) != " ".join(step.title.split()):
            language = "bash" if step.name == "shell" else "diff" if step.patch else "json"
            parts.append(self._pre("Input", step.input, limit, language))
        if step.output and limit:
            parts.append(self._pre("Output", step.output, limit, None))
        if self._detail.figures and (facts := _figures(step)):
            parts.append(Markup('<p class="facts">{}</p>').format(" · ".join(facts)))
        return Markup().join(parts)

    def _pre(self, label: str, text: str, limit: int, language: str | None) -> Markup:
        part = excerpt(text.strip("\n"), limit)
        colours = language if self._detail.colours else None
        shown = code(part.head, colours)
        if part.missing:
            shown = Markup('{}<span class="cut">{}</span>{}').format(shown, part.missing, code(part.tail, colours))
        return Markup('<pre aria-label="{}" tabindex="0">{}</pre>').format(label, shown)


def _group(rows: list[Row]) -> Item:
    names = Counter(row.step.name for row in rows if row.step.kind is StepKind.TOOL)
    asked = sum(row.step.kind is StepKind.PERMISSION for row in rows)
    failed = sum(row.step.outcome is Outcome.FAILED for row in rows)
    stopped = sum(row.step.outcome in (Outcome.REFUSED, Outcome.ABORTED) for row in rows)
    most = [f"{name} {count}" if count > 1 else name for name, count in names.most_common(4)]
    took = sum(row.step.duration_ms or 0.0 for row in rows)
    return Item(
        kind="group",
        title=plural(sum(names.values()), "tool call") if names else plural(asked, "permission request"),
        state="failed" if failed else "",
        facts=_some(
            ", ".join(most) + (" …" if len(names) > 4 else ""),
            plural(asked, "permission request") if asked and names else "",
            f"{failed} failed" if failed else "",
            f"{stopped} stopped" if stopped else "",
            duration(took) if took else "",
        ),
        rows=tuple(rows),
    )


def _result(step: StepView) -> str:
    if step.exit_code:
        return f"exit {step.exit_code}"
    return "" if step.outcome is Outcome.OK else step.outcome.value


def _figures(step: StepView) -> tuple[str, ...]:
    began = datetime.fromtimestamp(step.started_at_ms / 1000).astimezone() if step.started_at_ms else None
    used = step.usage
    return _some(
        f"step {step.number}",
        f"began {began:%H:%M:%S}" if began else "",
        "in the background" if step.background else "",
        f"{used.prompt:,} prompt tokens ({used.cached:,} cached), {used.completion:,} completion" if used else "",
        money(step.cost_usd),
    )


def _some(*facts: str) -> tuple[str, ...]:
    return tuple(fact for fact in facts if fact)
