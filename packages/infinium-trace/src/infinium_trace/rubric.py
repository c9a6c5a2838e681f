"""Reads what the user expects from the request: objective, deliverables, constraints and acceptance criteria.

Every entry is a sentence or a list item that the user wrote. Nothing is rephrased or invented.
"""

import re
from collections.abc import Iterator
from enum import StrEnum

from infinium_trace import rubric_words as words
from infinium_trace._format import Payload, present
from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.preview import clip, preview

_OBJECTIVE = 300
_ENTRY = 300
_ENTRIES = 30
"""Entries of each kind; a longer list is truncated."""
_READ = 40_000
"""Characters of a request that are read."""
_FENCE = lazy_pattern(r"^ {0,3}(?:```|~~~)")
_ITEM = lazy_pattern(r"^[ \t]{0,20}(?:[-*•+–]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(\S.*)$")
_HEADING = lazy_pattern(r"^ {0,3}#{1,6}[ \t]+(\S.*?)[ \t#]*$")
_SENTENCE = lazy_pattern(r"(?<=[.!?])[ \t]+|(?<=[。！？])")


class Kind(StrEnum):
    """What an entry is for the server that grades a trace."""

    deliverable = "required_deliverables"
    constraint = "constraints"
    criterion = "acceptance_criteria"


class Rubric:
    """The expectations of one or more requests. No text is longer than `limit`, the user's limit for prompts."""

    def __init__(self, limit: int = _OBJECTIVE) -> None:
        self._limit = limit
        self.sources: dict[str, None] = {}
        self._objectives: list[str] = []
        self._entries: dict[str, Kind] = {}

    def add_request(self, text: str) -> None:
        """Add a request of the user."""
        text = text[:_READ]
        first = None
        for is_item, kind, line in _lines(text):
            if is_item:
                self._add(line, _kind_of(line) or kind or Kind.deliverable)
                continue
            first = first or line
            for sentence in _SENTENCE.split(line):
                found = _kind_of(sentence)
                if found is not None or kind is not None:
                    self._add(sentence, found or kind or Kind.criterion)
        objective = _paragraph(text, first) if first else next(iter(self._entries), "")
        if objective:
            self.sources.setdefault("prompt")
            if objective not in self._objectives:
                self._objectives.append(objective)

    def add_acceptance(self, text: str, source: str) -> None:
        """Add the project's own criteria. `source` is the name of their file."""
        before = len(self._entries)
        for _, kind, line in _lines(text[:_READ]):
            self._add(line, kind or _kind_of(line) or Kind.criterion)
        if len(self._entries) > before:
            self.sources.setdefault(source)

    def _add(self, text: str, kind: Kind) -> None:
        entry = clip(text.strip(), min(_ENTRY, self._limit))
        if len(entry) > 2:
            self._entries.setdefault(entry, kind)

    def payload(self) -> Payload:
        """Return the payload's `expected_outcome`; empty without an objective, which the API requires."""
        objective = preview("\n".join(self._objectives), min(_OBJECTIVE, self._limit))
        if not objective:
            return {}
        lists = {
            kind.value: [entry for entry, found in self._entries.items() if found is kind][:_ENTRIES] for kind in Kind
        }
        return present(task_objective=objective, **lists)


def _lines(text: str) -> Iterator[tuple[bool, Kind | None, str]]:
    """Yield each list item and each line of prose, with the kind that its heading names, without code and quotes."""
    fenced = False
    section: Kind | None = None
    of_list: Kind | None = None
    pending = ""
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        if fenced or _FENCE.match(line) or line.lstrip().startswith(">"):
            continue
        if heading := _HEADING.match(line):
            section, of_list = _kind_of_heading(heading[1]), None
            continue
        item = _ITEM.match(line)
        if pending and not item and line.strip():
            yield False, section, pending  # no list follows: the line was no heading
            pending = ""
        if item:
            yield True, of_list or section, item[1].strip()
            pending = ""
        if item or not line.strip():
            continue
        of_list = None
        if line.rstrip().endswith((":", "：")) and len(line) <= _ENTRY:
            of_list, pending = _kind_of_heading(line), line.strip()
        else:
            yield False, section, line.strip()
    if pending:
        yield False, section, pending


def _paragraph(text: str, first: str) -> str:
    """Return the lines of prose from the line `first` on, up to an empty line, a list item, code or a heading."""
    lines = []
    for line in text[text.index(first) :].splitlines():
        if not line.strip() or any(pattern.match(line) for pattern in (_ITEM, _FENCE, _HEADING)):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def _kind_of(sentence: str) -> Kind | None:
    """Return the kind of a sentence by its words; None if it states no wish."""
    if re.search(words.NOT_A_WISH, sentence.strip()):
        return None
    if re.search(words.CONSTRAINT, sentence, re.IGNORECASE):
        return Kind.constraint
    return Kind.criterion if re.search(words.CRITERION, sentence, re.IGNORECASE) else None


def _kind_of_heading(heading: str) -> Kind | None:
    for kind, pattern in (
        (Kind.constraint, words.CONSTRAINTS_HEADING),
        (Kind.criterion, words.CRITERIA_HEADING),
        (Kind.deliverable, words.DELIVERABLES_HEADING),
    ):
        if re.search(pattern, heading, re.IGNORECASE):
            return kind
    return None
