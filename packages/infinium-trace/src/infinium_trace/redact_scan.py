"""Finds secrets in a text: literals first, and a pattern only where its literal stands."""

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
    looks_drawn,
    name_is_secret,
    value_is_secret,
)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The compiled pattern; compiled when first needed, as most texts need few."""
    return re.compile(pattern, re.ASCII)


class Rank(IntEnum):
    """Who names the kind where two rules found the same."""

    OWN = 0
    PRIVATE_KEY = 1
    CUSTOM = 2
    PROVIDER = 3
    ANCHORED = 4
    ASSIGNMENT = 5
    MARKER = 6


class Span(NamedTuple):
    """Where a secret stands in a text, and what it is."""

    start: int
    end: int
    rank: Rank
    kind: str


_MIN_KEY = 18
"""Characters of the shortest provider's key, prefix included."""
_KEY_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.+/=%$"
_IN_KEY = bytes(120 if code in _KEY_CHARACTERS else 32 for code in range(256))
_NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
_LONG_VALUE = 256
_MAX_QUOTED = 4096


def scan(text: str) -> list[Span]:
    """Every secret found in the text, in no order; two may overlap."""
    # One byte a character, so that places are the same in both; nothing looked for here is outside ASCII.
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
                if not is_example(body) and (kind not in WEAK_PREFIXES or looks_drawn(body)):
                    yield Span(at, at + len(literal) + len(body), Rank.PROVIDER, kind)
                break


def _key_like(raw: bytes) -> Iterator[tuple[int, int]]:
    """Stretches long enough to hold a key and without a character no key has: little of an ordinary text."""
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
    """One pattern for the providers' prefixes, and the rules that begin with what it finds, longest prefix first."""
    rules = sorted(
        ((literal, kind, rest) for kind, literals, rest in PROVIDERS for literal in literals.split()),
        key=lambda rule: -len(rule[0]),
    )
    literals = sorted({literal for literal, *_ in rules})
    shortest = [word for word in literals if not any(word.startswith(o) and word != o for o in literals)]
    by_prefix = {word.encode(): [rule for rule in rules if rule[0].startswith(word)] for word in shortest}
    # a key begins a word; the letter before it may be the end of an escape: `\n`, `%3D`, `\u0022`
    begin = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u00[0-9A-Fa-f]{2}))"
    return re.compile((begin + _tree(shortest)).encode()), by_prefix


def _tree(words: list[str]) -> str:
    """The words as a pattern that looks at each character once; none of them begins another."""
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
    done = 0
    for hit in _NAMES.finditer(low):
        if hit.start() < done:
            continue
        match = compiled(ASSIGNMENT).match(text, hit.start())
        if match is None:
            continue
        head = text[max(0, hit.start() - 64) : hit.start()]
        begin = hit.start() - len(head) + len(head.rstrip(_NAME_CHARACTERS))
        name = text[begin : match.end("word")]
        if not name_is_secret(name) or (match["flag"] is not None and not name.startswith("-")):
            continue
        if match["tag"] and (text[begin - 1 : begin] not in ("<", ":") or text[match.end() : match.end() + 2] != "</"):
            continue
        if match["pair"] and "=" in match["pair"] and not {'"', "'"} & {*text[match.end("word") : match.end("pair")]}:
            continue  # `token, value=…`: two arguments of a call
        start, end, secret = _value(text, match, name, begin)
        if secret:
            yield Span(start, end, Rank.ASSIGNMENT, kind_of_name(name))
        # a long refused value is passed over, else every name in a row of them would read all that follows
        if secret or (end - start > _LONG_VALUE and match["quoted"] is None):
            done = end


def _value(text: str, match: re.Match[str], name: str, begin: int) -> tuple[int, int, bool]:
    """Where the value given to a secret's name stands, and whether it is secret itself."""
    quoted = match["quoted"] is not None
    start, end = match.span("quoted" if quoted else "bare")
    if kind_of_name(name) in ("authorization", "cookie"):
        end = _line_end(text, start, match["quote"] if quoted else None)
        return start, end, header_is_secret(text[start:end])
    plain = match["tie"] == "=" and name.isupper() and text[match.start("tie") - 1] not in " \t"
    whole = bool(match["pair"] or (plain and _ENV_BEFORE.search(text, max(0, begin - 24), begin)))
    if quoted:
        end = _closing(text, start, end, match["esc"] + match["quote"])
    elif whole:
        end = compiled(r"[^\s\"'`\\]*+").match(text, end).end()  # type: ignore[union-attr]  # matches anything
    elif text[end : end + 1] in ("(", "["):
        return start, end, False  # a call, a subscript
    value = text[start:end]
    if not quoted:
        if not whole and "&" in value:  # the next parameter of a query
            value = value[: value.index("&")]
        value = value.rstrip(".:")
        end = start + len(value)
    return start, end, value_is_secret(name, value, quoted=quoted, whole=whole)


def _closing(text: str, start: int, end: int, closer: str) -> int:
    """Where a quoted value ends: at its own quote, not at another kind's or an escaped one."""
    at = text.find(closer, end, start + _MAX_QUOTED)
    while at >= 0 and text[at - 1] == "\\":
        at = text.find(closer, at + len(closer), start + _MAX_QUOTED)
    return at if at >= 0 and "\n" not in text[end:at] else end


def _line_end(text: str, start: int, quote: str | None) -> int:
    """Where a header's value ends: at the end of its line, or of the string the line stands in."""
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
