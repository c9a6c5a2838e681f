"""Renders what a turn changed: its files, each with its part of the diff."""

from collections.abc import Sequence
from pathlib import PurePath

from infinium_trace.events import FileChange
from markupsafe import Markup
from msgspec import Struct

from infinium_codex.view.file_diffs import DiffLine, FileDiff, split_diff
from infinium_codex.view.formats import lines_changed, path_of
from infinium_codex.view.html.detail import Detail
from infinium_codex.view.html.highlight import language_of, lines_of_code
from infinium_codex.view.model import TurnView

_LONGEST_LINE = 600
_LINE = Markup('<span class="{}">{}\n</span>')
_CLASSES = {"+": "plus", "-": "minus", "@": "hunk"}


class ChangedFileView(Struct, frozen=True, kw_only=True):
    """A changed file."""

    anchor: str
    path: str
    kind: str
    lines: str
    diff: Markup
    """Empty if it is not known or the page has no room for it."""


def changed_files(turn: TurnView, prefix: str, detail: Detail) -> tuple[ChangedFileView, ...]:
    """Return the files of a turn. Their anchors begin with `prefix`."""
    diffs = _Diffs(split_diff(turn.diff))
    found = []
    for number, change in enumerate(turn.files[: detail.files], 1):
        diff = diffs.of(change)
        found.append(
            ChangedFileView(
                anchor=f"{prefix}f{number}",
                path=path_of(change),
                kind=change.kind.value,
                lines=lines_changed(change.lines_added, change.lines_removed),
                diff=_rendered(diff, detail) if diff is not None else Markup(),
            )
        )
    return tuple(found)


class _Diffs:
    """Finds the diff of a file. An agent's patch may name it by a longer path than the turn does."""

    def __init__(self, diffs: Sequence[FileDiff]) -> None:
        self._by_path = {diff.path: diff for diff in diffs}
        self._by_name: dict[str, list[FileDiff]] = {}
        for diff in diffs:
            self._by_name.setdefault(PurePath(diff.path).name, []).append(diff)

    def of(self, change: FileChange) -> FileDiff | None:
        for path in (change.moved_to, change.path):
            if path is None:
                continue
            longer = (one for one in self._by_name.get(PurePath(path).name, ()) if one.path.endswith(f"/{path}"))
            found = self._by_path.get(path) or next(longer, None)
            if found is not None and found.lines:
                return found
        return None


def _rendered(diff: FileDiff, detail: Detail) -> Markup:
    lines, left_out = _fitting(diff.lines, detail.diff)
    if not lines:
        return Markup()
    texts = [line.text[:_LONGEST_LINE] for line in lines]
    language = language_of(diff.path) if detail.colours else None
    shown = lines_of_code(["" if line.sign == "@" else text for line, text in zip(lines, texts, strict=True)], language)
    rows = Markup().join(
        _LINE.format(
            _CLASSES.get(line.sign, "same"),
            text or "⋯" if line.sign == "@" else Markup("{}{}").format(line.sign, coloured),
        )
        for line, text, coloured in zip(lines, texts, shown, strict=True)
    )
    if left_out:
        rows += Markup('<span class="cut">{:,} more lines not shown</span>').format(left_out)
    return rows


def _fitting(lines: Sequence[DiffLine], limit: int) -> tuple[Sequence[DiffLine], int]:
    """Return the first lines of at most `limit` characters, and how many are left out."""
    size = 0
    for number, line in enumerate(lines):
        size += min(len(line.text), _LONGEST_LINE) + 1
        if size > limit:
            return lines[:number], len(lines) - number
    return lines, 0
