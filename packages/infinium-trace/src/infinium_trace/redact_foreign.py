"""Finds passwords that a text names in another language than English (`пароль: …`, `La contraseña de redis es …`)."""

import re
from collections.abc import Iterator
from functools import cache

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_names import foreign_names
from infinium_trace.redact_spans import Rank, Span, line_around
from infinium_trace.redact_values import is_harmless, is_mixed

_ASSIGNED = (
    r"(?:[\"'`*\]]{0,4}+[ \t]{0,8}+(?:=>|[:=：＝])[ \t]{0,8}+|>)"
    r"[\"'`«„“]?(?P<value>[^\s\"'`,;<>(){}\[\]«»“”。、，；]{4,256}+)"
)
_SENTENCE = r"(?P<sentence>(?:[ \t]|(?=[^\x00-\x7f]))[^\n]{0,160}+)"
PATTERN = f"(?:{_ASSIGNED}|{_SENTENCE})"
"""Everything from the end of a name to the end of its value, or of the sentence."""
_FOREIGN = lazy_pattern(r"[^\x00-\x7f]")
_PUNCTUATION = ".,:;!?()[]{}<>\"'`«»„“”。、，；：*"
_MOST_WORDS = 6


@cache
def _pattern() -> re.Pattern[str]:
    names = "|".join(_spaced(name) for name in foreign_names())
    return re.compile(rf"(?i:{names}){PATTERN}")


def _mentions_name(line: str) -> bool:
    """Return whether a line may have one of the names. The pattern takes a hundred times longer to say no."""
    folded = _folded(line)
    return any(name in folded for name in _folded_names())


@cache
def _folded_names() -> tuple[str, ...]:
    return tuple(map(_folded, foreign_names()))


def _folded(text: str) -> str:
    """Return a form that is the same for all spellings that the pattern takes for one: dotless and dotted i, long s."""
    return text.casefold().replace("ı", "i").replace("\u0307", "").replace("_", " ")


def _spaced(name: str) -> str:
    """Return the pattern of a name, which identifiers write with underscores. ASCII names are found as names."""
    return re.escape(name) if name.isascii() else re.escape(name).replace(r"\ ", "[ _]")


def foreign_passwords(text: str) -> Iterator[Span]:
    """Return the passwords that follow their name, on lines that have letters of other languages."""
    done = 0
    found = None if text.isascii() else _FOREIGN.search(text)
    while found is not None:
        start, end = line_around(text, found.start())
        start, done = max(start, done), end
        yield from foreign_passwords_between(text, start, done)
        found = _FOREIGN.search(text, done)


def foreign_passwords_between(text: str, start: int, end: int) -> Iterator[Span]:
    """Return the passwords that follow their foreign name in this part of a text."""
    if not _mentions_name(text[start:end]):
        return
    for match in _pattern().finditer(text, start, end):
        if match["value"] is None:
            yield from _in_sentence(match["sentence"], match.start("sentence"))
            continue
        value = match["value"].rstrip(".:!?")
        code = text[match.end() : match.end() + 1] in ("(", "[")
        if value.isascii() and len(value) >= 6 and not code and not is_harmless("password", value):
            yield Span(match.start("value"), match.start("value") + len(value), Rank.ASSIGNMENT, "password")


def _in_sentence(sentence: str, start: int) -> Iterator[Span]:
    """Return the first of the next words that can only be a password."""
    for word in [*re.finditer(r"\S+", sentence)][:_MOST_WORDS]:
        value = re.sub(r"^[^\x00-\x7f]+", "", word[0]).strip(_PUNCTUATION)
        if is_mixed(value):
            at = start + word.start() + word[0].index(value)
            yield Span(at, at + len(value), Rank.ASSIGNMENT, "password")
            return
