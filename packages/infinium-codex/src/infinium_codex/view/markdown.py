"""Renders a turn as Markdown for a pull request or an issue. Outputs are folded, and untrusted text stays text."""

import html
from collections.abc import Iterator

from msgspec import Struct

from infinium_codex.console.formatting import plural
from infinium_codex.console.safe_text import safe
from infinium_codex.view.excerpts import excerpt, one_line
from infinium_codex.view.formats import duration, lines_changed, money, path_of, tokens
from infinium_codex.view.grade import grade_text
from infinium_codex.view.markdown_text import fenced, inline_code, message, plain, quoted
from infinium_codex.view.model import Outcome, StepKind, StepView, TurnView

MAX_CHARACTERS = 60_000
"""GitHub's comments hold 65,536 characters."""


class _Limits(Struct, frozen=True):
    """Characters of a text, of an output and of the diff, and the number of steps that are listed."""

    text: int
    output: int
    diff: int
    steps: int


_LEVELS = (
    _Limits(20_000, 4_000, 20_000, 200),
    _Limits(12_000, 1_200, 12_000, 150),
    _Limits(8_000, 400, 8_000, 100),
    _Limits(5_000, 0, 4_000, 80),
    _Limits(2_000, 0, 0, 40),
)


def turn_markdown(turn: TurnView) -> str:
    """Return the turn as Markdown of at most `MAX_CHARACTERS`. Texts and steps are cut as far as that needs."""
    for limits in _LEVELS:
        text = "\n\n".join(_parts(turn, limits)) + "\n"
        if len(text) <= MAX_CHARACTERS:
            break
    return text


def _parts(turn: TurnView, limits: _Limits) -> Iterator[str]:
    one = turn.summary
    yield f"### Codex: {plain(one_line(one.request, 120))}"
    yield " · ".join(_facts(turn))
    if turn.request.strip() != one.request.strip():
        yield quoted(plain(_cut(turn.request, limits.text)))
    if turn.reason:
        yield f"**{one.status.value.capitalize()}:** {plain(one_line(turn.reason, 500))}"
    for title, text in (("Plan", turn.plan), ("Answer", turn.answer)):
        if text:
            yield f"**{title}**"
            yield quoted(message(_cut(text, limits.text)))
    yield from _changes(turn, limits)
    yield from _steps(turn, limits)
    redacted = ", ".join(f"{kind}: {count}" for kind, count in turn.redactions.items())
    yield f"<sub>From infinium-codex. {f'Redacted: {plain(redacted)}' if redacted else 'Nothing was redacted'}.</sub>"


def _facts(turn: TurnView) -> Iterator[str]:
    one = turn.summary
    if one.status.value != "completed":
        yield f"**{one.status.value}**"
    if one.duration_ms:
        yield duration(one.duration_ms)
    if one.tools:
        yield plural(one.tools, "tool call") + (f" ({one.failures} failed)" if one.failures else "")
    if one.subagents:
        yield plural(one.subagents, "subagent")
    if one.tests:
        yield f"tests {plain(one_line(one.tests, 120))}{' (files changed afterwards)' if one.tests_stale else ''}"
    if one.model_calls:
        yield f"{tokens(one.usage.total)} tokens"
    if one.cost_usd is not None:
        yield money(one.cost_usd).replace("$", "\\$")
    if one.models:
        yield plain(", ".join(one.models))
    if grade := grade_text(one.grade):
        yield f"grade {plain(one_line(grade, 40))}"


def _changes(turn: TurnView, limits: _Limits) -> Iterator[str]:
    if turn.files:
        lines = lines_changed(turn.summary.lines_added, turn.summary.lines_removed)
        yield f"**Changes** ({plural(len(turn.files), 'file')}, {lines})"
        yield "\n".join(
            f"- {inline_code(one_line(path_of(change), 200))} {change.kind.value}, "
            f"{lines_changed(change.lines_added, change.lines_removed)}"
            for change in turn.files[:50]
        ) + (f"\n- … {len(turn.files) - 50} more" if len(turn.files) > 50 else "")
    if turn.diff and limits.diff:
        yield _folded("Diff", fenced(_cut(turn.diff, limits.diff), "diff"))
    if turn.commits:
        yield "**Commits**"
        yield "\n".join(
            f"- {inline_code(commit[:10])} {plain(one_line(subject, 120))}" for commit, subject in turn.commits
        )


def _steps(turn: TurnView, limits: _Limits) -> Iterator[str]:
    steps = [step for step in turn.walk() if step.kind in (StepKind.TOOL, StepKind.SUBAGENT, StepKind.PERMISSION)]
    if not steps:
        return
    listed = steps
    if len(steps) > limits.steps:
        failed = [step for step in steps if step.outcome is not Outcome.OK]
        others = [step for step in steps if step.outcome is Outcome.OK]
        kept = {step.number for step in (*failed, *others)[: limits.steps]}
        listed = [step for step in steps if step.number in kept]
    yield f"**Steps** ({len(steps):,})"
    if len(listed) < len(steps):
        yield f"{len(steps) - len(listed):,} of them are not listed; those that failed are listed first."
    for step in listed:
        yield _step(step, limits)


def _step(step: StepView, limits: _Limits) -> str:
    facts = [f"exit {step.exit_code}"] if step.exit_code else []
    if not facts and step.outcome is not Outcome.OK:
        facts.append(step.outcome.value)
    if step.duration_ms:
        facts.append(duration(step.duration_ms))
    title = _html_code(f"{step.name}: {step.title}" if step.name != "shell" else step.title, 160)
    summary = " · ".join([f"{step.number}. {title}", *facts])
    parts = []
    if step.input and limits.output and " ".join(step.input.split()) != " ".join(step.title.split()) and not step.patch:
        parts.append(fenced(_cut(step.input, limits.output), "sh" if step.name == "shell" else ""))
    if step.output and limits.output:
        parts.append(fenced(_cut(step.output, limits.output)))
    return _folded_html(summary, "\n\n".join(parts) or "_No output._" if limits.output else "_Not included._")


def _folded(title: str, content: str) -> str:
    return _folded_html(html.escape(title), content)


def _folded_html(summary: str, content: str) -> str:
    """Return folded Markdown. GitHub needs the empty lines around it."""
    return f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"


def _html_code(text: str, limit: int) -> str:
    """Return a text as HTML code, in which a mention has no meaning. Markdown does not read a line of HTML."""
    return f"<code>{html.escape(one_line(safe(text), limit), quote=False)}</code>"


def _cut(text: str, limit: int) -> str:
    part = excerpt(text, limit)
    return f"{part.head}\n[… {part.missing} …]\n{part.tail}" if part.missing else part.head
