"""Finds secrets in a text. It searches for literals first and applies a pattern only where its literal occurs."""

import re
from collections.abc import Iterator
from functools import cache

from infinium_trace.redact_assignments import assignments
from infinium_trace.redact_commands import command_arguments
from infinium_trace.redact_foreign import foreign_passwords
from infinium_trace.redact_rules import (
    ANCHORED,
    PEM_BEGIN,
    PEM_BODY,
    PEM_END,
    PEM_SOLID,
    PROVIDERS,
    WEAK_PREFIXES,
)
from infinium_trace.redact_spans import Rank, Span, compiled
from infinium_trace.redact_sql import statements
from infinium_trace.redact_values import CHECKS, is_example, is_placeholder, looks_random

_MIN_KEY = 18
"""Length of the shortest provider key, including its prefix."""
_KEY_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+/=%$"
_IN_KEY = bytes(120 if code in _KEY_CHARACTERS else 32 for code in range(256))


def scan(text: str) -> list[Span]:
    """Return all secrets in the text, in no order. They may overlap."""
    # One byte for each character, so that positions are equal in both. No rule searches for other than ASCII.
    raw = text.encode("ascii", "replace")
    low = raw.lower()
    return [
        *_private_keys(text, raw),
        *_providers(text, raw),
        *_anchored(text, low),
        *assignments(text, low),
        *command_arguments(text, low),
        *statements(text, low),
        *foreign_passwords(text),
    ]


def _providers(text: str, raw: bytes) -> Iterator[Span]:
    at_word, at_escape, rules = _key_starts()
    done = 0
    for start, end in _key_like(raw):
        escaped = raw[start - 1 : start] == b"\\" or raw.find(b"%", start, end) >= 0
        for hit in (at_escape if escaped else at_word).finditer(raw, start, end):
            at = hit.start()
            if at < done:
                continue
            for literal, kind, pattern in rules.get(raw[at : at + 2]) or rules.get(raw[at : at + 1], []):
                if not text.startswith(literal, at):
                    continue
                match = compiled(pattern).match(text, at + len(literal))
                if match is None:
                    continue
                body = text[at + len(literal) : match.end()].rstrip(".")
                done = match.end()
                if not is_example(body) and (kind not in WEAK_PREFIXES or looks_random(body)):
                    yield Span(at, at + len(literal) + len(body), Rank.PROVIDER, kind)
                break


def _key_like(raw: bytes) -> Iterator[tuple[int, int]]:
    """Return the parts of the text that are long enough for a key and consist of key characters."""
    mask = raw.translate(_IN_KEY)
    least = b"x" * _MIN_KEY
    start = mask.find(least)
    while start >= 0:
        end = mask.find(b" ", start)
        end = len(mask) if end < 0 else end
        yield start, end
        start = mask.find(least, end)


_Rules = dict[bytes, list[tuple[str, str, str]]]


@cache
def _key_starts() -> tuple[re.Pattern[bytes], re.Pattern[bytes], _Rules]:
    """Return patterns of a key's first two characters, and the rules by these two, longest prefix first.

    The first pattern is for keys that start a word. The second also finds keys behind an escape, and is slower. Rules
    whose prefix is one character are also under that character. A pattern of all prefixes would take longer to compile
    than the search of a usual trace.
    """
    rows = [(literal, kind, rest) for kind, literals, rest in PROVIDERS for literal in literals.split()]
    rows.sort(key=lambda row: -len(row[0]))
    rules: _Rules = {row[0][:2].encode(): [] for row in rows}
    for row in rows:
        literal = row[0].encode()
        for start in rules if len(literal) == 1 else (literal[:2],):
            if start.startswith(literal[:2]):
                rules[start].append(row)
    starts = _starts({row[0][:2] for row in rows})
    # A letter before a key may be the end of an escape: `\n`, `%3D`, `\u0022`.
    start_or_escape = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u00[0-9A-Fa-f]{2}))"
    return (
        re.compile(f"(?<![A-Za-z0-9]){starts}".encode()),
        re.compile(f"{start_or_escape}{starts}".encode()),
        rules,
    )


def _starts(starts: set[str]) -> str:
    """Return a pattern for texts of one or two characters. Where the first one is enough, the second is not read."""
    parts = []
    for first in sorted({start[0] for start in starts}):
        second = "".join(sorted(start[1:] for start in starts if start[0] == first))
        is_enough = first in starts
        parts.append(re.escape(first) + ("" if is_enough else f"[{re.escape(second)}]"))
    return f"(?:{'|'.join(parts)})"


def _anchored(text: str, low: bytes) -> Iterator[Span]:
    for literal, rules in _anchored_rules().items():
        at = low.find(literal)
        while at >= 0:
            following = at + len(literal)
            for kind, before, pattern in rules:
                match = compiled(pattern).match(text, at - before) if at >= before else None
                if match is None:
                    continue
                group = 1 if match.re.groups else 0
                if CHECKS.get(kind, _is_no_example)(match[group]):
                    yield Span(*match.span(group), Rank.ANCHORED, kind)
                    following = max(following, match.end())
            at = low.find(literal, following)


@cache
def _anchored_rules() -> dict[bytes, list[tuple[str, int, str]]]:
    """Return the rules for each literal, so that the text is searched once for each."""
    return {
        literal: [(kind, before, pattern) for kind, other, before, pattern in ANCHORED if other == literal]
        for _, literal, _, _ in ANCHORED
    }


def _is_no_example(value: str) -> bool:
    return not is_placeholder(value) and not is_example(value)


def _private_keys(text: str, raw: bytes) -> Iterator[Span]:
    if b"-----BEGIN " not in raw:
        return
    marks = [*compiled(f"(?P<begin>{PEM_BEGIN})|{PEM_END}").finditer(text)]
    for number, mark in enumerate(marks):
        if not mark["begin"]:
            continue
        following = marks[number + 1] if number + 1 < len(marks) else None
        if following and not following["begin"]:
            if compiled(PEM_SOLID).search(text, mark.end(), following.start()):
                yield Span(mark.start(), following.end(), Rank.PRIVATE_KEY, "private-key")
            continue
        body = compiled(PEM_BODY).match(text, mark.end())
        if body is not None:
            yield Span(mark.start(), body.end(), Rank.PRIVATE_KEY, "private-key")
