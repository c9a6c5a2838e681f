"""Finds secrets in a text. It searches for literals first and applies a pattern only where its literal occurs."""

import re
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from typing import NamedTuple

from infinium_trace.redact_rules import (
    ANCHORED,
    ASSIGNMENT,
    PEM_BEGIN,
    PEM_BODY,
    PEM_END,
    PEM_SOLID,
    PROVIDERS,
    WEAK_PREFIXES,
)
from infinium_trace.redact_values import (
    CHECKS,
    NAME_WORDS,
    header_is_secret,
    is_example,
    is_placeholder,
    kind_of_name,
    looks_random,
    name_is_secret,
    value_is_secret,
)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern on first use: most texts need few patterns."""
    return re.compile(pattern, re.ASCII)


class Rank(IntEnum):
    """Order of the rules. Where two rules find the same text, the lower rank determines the kind."""

    OWN = 0
    PRIVATE_KEY = 1
    CUSTOM = 2
    PROVIDER = 3
    ANCHORED = 4
    ASSIGNMENT = 5
    MARKER = 6


class Span(NamedTuple):
    """A secret in a text: start, end, rank of the rule, kind."""

    start: int
    end: int
    rank: Rank
    kind: str


_MIN_KEY = 18
"""Length of the shortest provider key, including its prefix."""
_KEY_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+/=%$"
_IN_KEY = bytes(120 if code in _KEY_CHARACTERS else 32 for code in range(256))
_NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
_LONG_VALUE = 256
_MAX_QUOTED = 4096


def scan(text: str) -> list[Span]:
    """Return all secrets in the text, in no order. They may overlap."""
    # One byte for each character, so that positions are equal in both. No rule searches for other than ASCII.
    raw = text.encode("ascii", "replace")
    low = raw.lower()
    return [*_private_keys(text, raw), *_providers(text, raw), *_anchored(text, low), *_assignments(text, low)]


def _providers(text: str, raw: bytes) -> Iterator[Span]:
    prefixes, rules = _prefixes()
    done = 0
    for start, end in _key_like(raw):
        for hit in prefixes.finditer(raw, start, end):
            at = hit.start()
            if at < done:
                continue
            for literal, kind, pattern in rules[hit[0]]:
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


@cache
def _prefixes() -> tuple[re.Pattern[bytes], dict[bytes, list[tuple[str, str, str]]]]:
    """Return one pattern for all prefixes of providers, and the rules for each match, longest prefix first."""
    rules = sorted(
        ((literal, kind, rest) for kind, literals, rest in PROVIDERS for literal in literals.split()),
        key=lambda rule: -len(rule[0]),
    )
    literals = sorted({literal for literal, *_ in rules})
    shortest = [word for word in literals if not _has_shorter_prefix(word, literals)]
    by_prefix = {word.encode(): [rule for rule in rules if rule[0].startswith(word)] for word in shortest}
    # A key starts a word. A letter before it may be the end of an escape: `\n`, `%3D`, `\u0022`.
    start_of_word = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u00[0-9A-Fa-f]{2}))"
    return re.compile((start_of_word + _tree(shortest)).encode()), by_prefix


def _has_shorter_prefix(word: str, prefixes: list[str]) -> bool:
    return any(word.startswith(prefix) and word != prefix for prefix in prefixes)


def _tree(words: list[str]) -> str:
    """Return a pattern for the words that reads each character once. No word is a prefix of another."""
    if words == [""]:
        return ""
    heads = sorted({word[0] for word in words})
    parts = [re.escape(head) + _tree([word[1:] for word in words if word[0] == head]) for head in heads]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _anchored(text: str, low: bytes) -> Iterator[Span]:
    for kind, literal, before, pattern in ANCHORED:
        at = low.find(literal)
        while at >= 0:
            match = compiled(pattern).match(text, at - before) if at >= before else None
            following = at + len(literal)
            if match is not None:
                group = 1 if match.re.groups else 0
                if CHECKS.get(kind, _is_no_example)(match[group]):
                    yield Span(*match.span(group), Rank.ANCHORED, kind)
                    following = max(following, match.end())
            at = low.find(literal, following)


def _is_no_example(value: str) -> bool:
    return not is_placeholder(value) and not is_example(value)


_NAMES = re.compile(b"|".join(rb"_pass(?!w|phrase)" if word == b"_pass" else word for word in NAME_WORDS))
_ENV_BEFORE = re.compile(
    r"(?:\A|[\n\"'`]|\\n|\b(?:export|ENV|ARG|set|setx)[ ]|declare -x |(?:-e|--env)[ =])[ \t]{0,8}\Z"
)


def _assignments(text: str, low: bytes) -> Iterator[Span]:
    """Return the secrets that the text assigns to a name: `NAME = value` in any notation."""
    done = 0
    for hit in _NAMES.finditer(low):
        if hit.start() < done:
            continue
        match = compiled(ASSIGNMENT).match(text, hit.start())
        if match is None:
            continue
        begin = _start_of_name(text, hit.start())
        name = text[begin : match.end("word")]
        if not name_is_secret(name) or not _is_assignment(text, match, begin):
            continue
        start, end, secret = _value(text, match, name, begin)
        if secret:
            yield Span(start, end, Rank.ASSIGNMENT, kind_of_name(name))
        # Skip a long value even if it is no secret: else each of many names in a row would read the rest of the text.
        if secret or (end - start > _LONG_VALUE and match["quoted"] is None):
            done = end


def _start_of_name(text: str, word: int) -> int:
    """Return where the name begins whose last word is at `word`."""
    head = text[max(0, word - 64) : word]
    return word - len(head) + len(head.rstrip(_NAME_CHARACTERS))


def _is_assignment(text: str, match: re.Match[str], begin: int) -> bool:
    """Return whether the notation between name and value is an assignment."""
    if match["flag"] is not None:  # `--token value`
        return text.startswith("-", begin)
    if match["tag"]:  # `<token>value</token>`
        return text[begin - 1 : begin] in ("<", ":") and text.startswith("</", match.end())
    if (
        match["pair"] and "=" in match["pair"]
    ):  # `"token", value="…"`, but not the arguments of a call: `token, value=…`
        return not {'"', "'"}.isdisjoint(text[match.end("word") : match.end("pair")])
    return True


def _value(text: str, match: re.Match[str], name: str, begin: int) -> tuple[int, int, bool]:
    """Return start and end of the value that is assigned to a secret's name, and whether it is a secret."""
    quoted = match["quoted"] is not None
    start, end = match.span("quoted" if quoted else "bare")
    if kind_of_name(name) in ("authorization", "cookie"):
        end = _line_end(text, start, match["quote"] if quoted else None)
        return start, end, header_is_secret(text[start:end])
    whole = _is_environment_line(text, match, name, begin)
    if quoted:
        end = _closing(text, start, end, match["esc"] + match["quote"])
    elif not whole and text[end : end + 1] in ("(", "["):
        return start, end, False  # a call, a subscript
    else:
        end = _end_of_bare(text, start, end, whole=whole)
    return start, end, value_is_secret(name, text[start:end], quoted=quoted, whole=whole)


def _is_environment_line(text: str, match: re.Match[str], name: str, begin: int) -> bool:
    """Return whether the value is that of an environment variable: `NAME=value`, or a pair of name and value."""
    if match["pair"]:
        return True
    plain = match["tie"] == "=" and name.isupper() and text[match.start("tie") - 1] not in " \t"
    return plain and _ENV_BEFORE.search(text, max(0, begin - 24), begin) is not None


def _end_of_bare(text: str, start: int, end: int, *, whole: bool) -> int:
    """Return where an unquoted value ends, without the punctuation behind it."""
    if whole:
        rest = compiled(r"[^\s\"'`\\]*+").match(text, end)
        value = text[start : rest.end() if rest else end]
    else:
        value = text[start:end].partition("&")[0]  # `&`: the next parameter of a query
    return start + len(value.rstrip(".:"))


def _closing(text: str, start: int, end: int, closer: str) -> int:
    """Return where a quoted value ends: at its own kind of quote that is not escaped."""
    at = text.find(closer, end, start + _MAX_QUOTED)
    while at >= 0 and text[at - 1] == "\\":
        at = text.find(closer, at + len(closer), start + _MAX_QUOTED)
    return at if at >= 0 and "\n" not in text[end:at] else end


def _line_end(text: str, start: int, quote: str | None) -> int:
    """Return where a header's value ends: at the end of its line, or of the string that contains the line."""
    stops = rf"[^\r\n\\{quote}]" if quote else r"[^\r\n\\\"'`]"
    match = compiled(stops + r"{0,4096}+").match(text, start)
    return match.end() if match else start


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
