"""Finds secrets that a text names in another language than English (`пароль: …`, `La contraseña de redis es …`)."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_names import foreign_names, in_english, plain_letters, words_of
from infinium_trace.redact_spans import Rank, Span, line_around
from infinium_trace.redact_values import has_inner_capital, is_harmless, is_mixed, is_passphrase, is_word, looks_random

_QUOTES = "\"'`«„“"
_ASSIGNED = (
    r"(?:[\"'`*\]]{0,4}+[ \t]{0,8}+(?:=>|[:=：＝])[ \t]{0,8}+|>)"
    rf"(?P<quote>[{_QUOTES}]?)(?P<value>[^\s\"'`,;<>(){{}}\[\]«»“”。、，；]{{4,256}}+)"
)
_SENTENCE = r"(?P<sentence>(?:[ \t]|(?=[^\x00-\x7f]))[^\n]{0,160}+)"
PATTERN = rf"(?P<suffix>[_A-Za-z0-9а-яё-]{{0,32}}+)(?:{_ASSIGNED}|{_SENTENCE})"
"""Everything from the end of a name to the end of its value, or of the sentence."""
_FOREIGN = lazy_pattern(r"[^\x00-\x7f]")
_PUNCTUATION = ".,:;!?()[]{}<>\"'`«»„“”。、，；：*"
_CLOSING_QUOTE = lazy_pattern("[\"'`»“”]")
_SUFFIX_WORD = lazy_pattern(r"[A-Za-zа-яё]+")
_SEPARATORS = dict.fromkeys(map(ord, " _'’-"))
_MOST_WORDS = 6
_ENGLISH = frozenset(("api", "code", "frase", "phrase", "secret", "token"))
"""Words of foreign names that are no sign of another language."""
_LONG_WORD = 10
"""Letters from which a quoted word in a sentence is a password and no term that the sentence explains."""


@cache
def _pattern() -> re.Pattern[str]:
    names = {plain_letters(name).lower() for name in foreign_names()}
    return re.compile(rf"(?:{'|'.join(map(_spaced, sorted(names, key=len, reverse=True)))}){PATTERN}")


@cache
def _solid_names() -> tuple[str, ...]:
    return tuple(sorted({_solid(plain_letters(name).lower()) for name in foreign_names()}))


def _solid(text: str) -> str:
    """Return a text without the characters that may separate the words of a name."""
    return text.translate(_SEPARATORS)


def _spaced(name: str) -> str:
    """Return the pattern of a name, whose words are separated by a space, a hyphen, an underscore or an apostrophe."""
    return re.escape(name).replace(r"\ ", "[ _'’-]?")


@cache
def _first_words() -> frozenset[str]:
    words = (word for name in foreign_names() for word in plain_letters(name).lower().split())
    return frozenset(word for word in words if word.isascii() and len(word) > 2) - _ENGLISH


@lru_cache(maxsize=4096)
def is_foreign_word(name: str) -> bool:
    """Return whether a name of plain letters may be part of a foreign name with spaces."""
    plain = name.lower()
    return not _first_words().isdisjoint(re.split("[_-]", plain))


def foreign_passwords(text: str) -> Iterator[Span]:
    """Return the secrets that follow their name, on lines that have letters of other languages."""
    done = 0
    found = None if text.isascii() else _FOREIGN.search(text)
    while found is not None:
        start, end = line_around(text, found.start())
        start, done = max(start, done), end
        yield from foreign_passwords_between(text, start, done)
        found = _FOREIGN.search(text, done)


def foreign_passwords_between(text: str, start: int, end: int) -> Iterator[Span]:
    """Return the secrets that follow their foreign name in this part of a text."""
    line = plain_letters(text[start:end]).lower()
    if len(line) != end - start:  # a letter whose small form is longer
        return
    solid = _solid(line)
    if not any(name in solid for name in _solid_names()):  # the pattern takes much longer to say no
        return
    for match in _pattern().finditer(line):
        if _means_no_secret(match["suffix"]):
            continue
        if match["value"] is None:
            yield from _in_sentence(
                text[slice(*(start + at for at in match.span("sentence")))], start + match.start("sentence")
            )
        else:
            yield from _assigned(text, start + match.start("value"), start + match.end("value"), match["quote"])


def _means_no_secret(suffix: str) -> bool:
    """Return whether the rest of a name says that it means no secret (`passwortlänge`)."""
    return any(in_english(word) in words_of("not_after") for word in _SUFFIX_WORD.findall(suffix))


def _assigned(text: str, start: int, end: int, quote: str) -> Iterator[Span]:
    if quote and text[end : end + 1] == " ":
        closing = text.find({"«": "»", "„": "“", "“": "”"}.get(quote, quote), end, end + 200)
        if closing < 0 or not is_passphrase(text[start:closing].strip()):
            return
        yield Span(start, closing, Rank.ASSIGNMENT, "password")
        return
    value = text[start:end].rstrip(".:!?")
    code = text[end : end + 1] in ("(", "[") or (quote == "`" and not looks_random(value))
    if value.isascii() and len(value) >= 6 and not code and not is_harmless("password", value):
        yield Span(start, start + len(value), Rank.ASSIGNMENT, "password")


def _in_sentence(sentence: str, start: int) -> Iterator[Span]:
    """Return the first of the next words that can only be a password."""
    after_colon = False
    for word in [*re.finditer(r"\S+", sentence)][:_MOST_WORDS]:
        value = re.sub(r"^[^\x00-\x7f]+", "", word[0]).strip(_PUNCTUATION)
        quote = sentence[: word.start() + word[0].index(value)].rstrip(" ")[-1:] if value else ""
        quoted = quote != "" and quote in _QUOTES and quote != "`"
        if quoted and (phrase := _phrase(sentence, word.start() + word[0].index(value))):
            yield Span(start + phrase[0], start + phrase[1], Rank.ASSIGNMENT, "password")
            return
        if (
            (is_mixed(value) and (quote != "`" or looks_random(value)))  # between backticks is code
            or (quoted and value.isascii() and value.isalpha() and value.islower() and len(value) >= _LONG_WORD)
            or (after_colon and quote != "`" and value.isascii() and _is_no_word(value))
        ):
            at = start + word.start() + word[0].index(value)
            yield Span(at, at + len(value), Rank.ASSIGNMENT, "password")
            return
        after_colon = word[0][-1] in ":：="


def _phrase(sentence: str, start: int) -> tuple[int, int] | None:
    closing = _CLOSING_QUOTE.search(sentence, start)
    phrase = sentence[start : closing.start()].rstrip() if closing else ""
    return (start, start + len(phrase)) if " " in phrase and is_passphrase(phrase) else None


def _is_no_word(value: str) -> bool:
    return len(value) >= 8 and not is_harmless("password", value) and (not is_word(value) or has_inner_capital(value))
