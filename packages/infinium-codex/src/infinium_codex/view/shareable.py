"""Prepares a turn for other people: redacted whatever the settings say, without the places of this machine."""

import re
from collections.abc import Callable
from pathlib import PurePath

from infinium_trace import FileChange, Redactor
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.view.model import Delivery, StepView, TurnView

_MARKER = re.compile(r"\[redacted:([a-z0-9-]+)\]")
_HOME = "home directory"
_PRIVATE_CONDITIONS = ("directory",)


class Finding(Struct, frozen=True, kw_only=True):
    """Something that is not shared: its kind, the text in which it stood, and how often."""

    kind: str
    where: str
    count: int


class _Texts:
    """Redacts texts, and records what was replaced in each place."""

    def __init__(self, redactor: Redactor, home: str) -> None:
        self._redactor = redactor
        self._home = re.compile(rf"{re.escape(home)}(?=[/\\\s\"':;,)\]]|$)") if len(home) > 1 else None
        self.found: dict[tuple[str, str], int] = {}

    def text(self, where: str, value: str) -> str:
        value = self._redactor.text(value)
        for marker in _MARKER.finditer(value):
            self._add(marker[1], where)
        if self._home is not None:
            value, count = self._home.subn("~", value)
            if count:
                self._add(_HOME, where, count)
        return value

    def optional(self, where: str, value: str | None) -> str | None:
        return None if value is None else self.text(where, value)

    def _add(self, kind: str, where: str, count: int = 1) -> None:
        self.found[kind, where] = self.found.get((kind, where), 0) + count


def shareable(turn: TurnView, redactor: Redactor, home: str) -> tuple[TurnView, tuple[Finding, ...]]:
    """Return the turn as others may see it, and everything that was replaced, in the order of the turn.

    The redactor is a new one that is enabled. Paths in the user's home directory begin with `~`.
    """
    texts = _Texts(redactor, home)
    one = turn.summary
    steps = tuple(_step(step, texts) for step in turn.steps)
    shared = replace(
        turn,
        summary=replace(
            one,
            project=PurePath(one.project).name,
            request=texts.text("title", one.request),
            grade=_json(one.grade, lambda value: texts.text("grade", value)),
            delivery=Delivery(state=one.delivery.state, at_ms=one.delivery.at_ms, trace_id=one.delivery.trace_id),
        ),
        request=texts.text("request", turn.request),
        answer=texts.text("answer", turn.answer),
        plan=texts.optional("plan", turn.plan),
        reason=texts.optional("reason of the end", turn.reason),
        steps=steps,
        files=tuple(_file(change, "changed files", texts) for change in turn.files),
        diff=texts.text("diff", turn.diff),
        commits=tuple((commit, texts.text("commits", subject)) for commit, subject in turn.commits),
        conditions={
            name: texts.text("conditions", value)
            for name, value in turn.conditions.items()
            if name not in _PRIVATE_CONDITIONS
        },
        warnings=tuple(texts.text("notes", warning) for warning in turn.warnings),
    )
    found = tuple(Finding(kind=kind, where=where, count=count) for (kind, where), count in texts.found.items())
    redactions = {finding.kind: 0 for finding in found}
    for finding in found:
        redactions[finding.kind] += finding.count
    return replace(shared, redactions=redactions), found


def _step(step: StepView, texts: _Texts) -> StepView:
    where = f"step {step.number}"
    return replace(
        step,
        name=texts.text(f"{where}, tool", step.name),
        title=texts.text(f"{where}, title", step.title),
        reason=texts.optional(f"{where}, reason", step.reason),
        input=texts.optional(f"{where}, input", step.input),
        output=texts.optional(f"{where}, output", step.output),
        patch=texts.optional(f"{where}, patch", step.patch),
        files=tuple(_file(change, f"{where}, files", texts) for change in step.files),
        steps=tuple(_step(inner, texts) for inner in step.steps),
    )


def _file(change: FileChange, where: str, texts: _Texts) -> FileChange:
    return replace(change, path=texts.text(where, change.path), moved_to=texts.optional(where, change.moved_to))


def _json(value: object, text: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {text(str(name)): _json(each, text) for name, each in value.items()}
    if isinstance(value, list):
        return [_json(each, text) for each in value]
    return value
