"""Finds secrets in SQL: passwords of users, and values that an INSERT writes to a secret's column."""

import re
from collections.abc import Iterator

from infinium_trace.redact_names import Certainty, certainty, kind_of_name
from infinium_trace.redact_spans import Rank, Span, compiled
from infinium_trace.redact_values import is_assigned_secret, is_placeholder

_IDENTIFIED = r"(?i:identified(?:[ ]with[ ]\S{1,40}+)?[ ](?:by|as)(?:[ ]password)?)[ ][\"']([^'\"\n]{3,512}+)[\"']"
_PRAGMA = r"(?i:pragma[ ](?:hex)?key)[ ]?=[ ]?[\"']{1,2}(?:x')?([^'\"\n]{3,512}+)"
_INSERT = (
    r"(?i:insert[ ](?:or[ ]\w{1,9}[ ])?into)[ ]\S{1,128}[ ]?\((?P<columns>[^()]{1,1024}+)\)"
    r"\s{0,20}(?i:values)[ ]{0,2}\("
)
_LITERAL = r"\s{0,9}+(?:[NnEe]?'(?P<text>(?:[^'\n]|''){0,1024}+)'|[^,()'\n]{0,256}+)\s{0,9}+(?:,|(?=\)))"

_USER = r"(?i:\b(?:user|grant|alter|role|set)\b)"
PATTERNS = (_IDENTIFIED, _PRAGMA, _INSERT, _LITERAL)


def statements(text: str, low: bytes) -> Iterator[Span]:
    """Return the secrets in SQL statements."""
    for literal, pattern in ((b"identified ", _IDENTIFIED), (b"pragma ", _PRAGMA)):
        for match in _matches(pattern, literal, text, low):
            about_user = pattern is not _IDENTIFIED or compiled(_USER).search(
                text, max(0, match.start() - 200), match.start()
            )
            if about_user and not is_placeholder(match[1]):
                yield Span(*match.span(1), Rank.ANCHORED, "password")
    for insert in _matches(_INSERT, b"insert ", text, low):
        yield from _inserted(text, insert)


def _matches(pattern: str, literal: bytes, text: str, low: bytes) -> Iterator[re.Match[str]]:
    at = low.find(literal)
    while at >= 0:
        match = compiled(pattern).match(text, at)
        if match is not None:
            yield match
        at = low.find(literal, at + len(literal))


def _inserted(text: str, insert: re.Match[str]) -> Iterator[Span]:
    at = insert.end()
    for column in insert["columns"].split(","):
        value = compiled(_LITERAL).match(text, at)
        if value is None:
            return
        at = value.end()
        name = column.strip(' \t\r\n`"[]')
        written = value["text"]
        if written and certainty(name) > Certainty.NONE and is_assigned_secret(name, written, quoted=True):
            yield Span(*value.span("text"), Rank.ASSIGNMENT, kind_of_name(name))
