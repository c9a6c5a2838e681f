"""Decides whether a name denotes a secret: the words of the name, wherever they stand in it."""

import unicodedata
from enum import IntEnum
from functools import cache, lru_cache

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_data import load


class Certainty(IntEnum):
    """How certain it is that a name denotes a secret. The less certain, the more random its value must look."""

    NONE = 0
    WEAK = 1
    """The value must look random (`ACME_KEY`, `TOKEN_FOR_X`)."""
    LIKELY = 2
    """The value must not be a plain word (`token`, `pat`)."""
    SURE = 3
    """Any value that is no placeholder, reference or code (`db_password`, `STRIPE_KEY`)."""


_WORD = lazy_pattern(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[А-ЯЁ]+(?![а-яё])|[А-ЯЁ]?[а-яё]+|[^\W\d_]+|\d+")
_WITHOUT_MARKS = {
    code: unicodedata.normalize("NFD", chr(code))[0] for code in range(0xC0, 0x250) if chr(code).isalpha()
} | dict(zip(map(ord, "łŁıİßſøØđĐ"), "lLiIssoOdD", strict=True))
"""Latin letters without their marks, one character for each, so that positions stay the same."""
_COMPOUND_KEYS = ("schluessel", "schlussel", "sleutel")
"""Words for a key that end compounds (`Zugangsschlüssel`)."""
_OF = ("d", "da", "de", "del", "des", "di", "do", "van")
_KINDS = (
    ("password", ("pass", "pwd", "psw", "pswd", "pw", "psk", "sandi", "khau")),
    ("token", ("token", "bearer", "pat", "tok")),
    ("secret", ("secret", "cred")),
    ("api-key", ("key",)),
    ("authorization", ("authorization",)),
    ("cookie", ("cookie",)),
)  # fmt: skip
"""Kind of the value by parts of the name, most specific first."""


@cache
def words_of(group: str) -> frozenset[str]:
    """Return a group of words of the data file `secret_names.json`."""
    return frozenset(load("secret_names.json")[group])


@cache
def foreign_names() -> tuple[str, ...]:
    """Return what a password is called in other languages, as prose writes it, longest first."""
    return tuple(sorted(load("secret_names.json")["foreign"], key=len, reverse=True))


@cache
def _pairs() -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(words) for words in load("secret_names.json")["pairs"])


def kind_of_name(name: str) -> str:
    """Return the kind of a secret with this name."""
    plain = "".join((name.lower(), *_words(name)))
    if plain.endswith(("authorization", "cookie")):
        return "cookie" if plain.endswith("cookie") else "authorization"
    return next((kind for kind, parts in _KINDS if any(part in plain for part in parts)), "secret")


def plain_letters(text: str) -> str:
    """Return the text with Latin letters without their marks. Its length is the same."""
    return text if text.isascii() else text.translate(_WITHOUT_MARKS)


@cache
def _translations() -> dict[str, str]:
    """Return the English word for each foreign word of a secret's name."""
    return {word: english for english, words in load("secret_names.json")["translations"].items() for word in words}


def _words(name: str) -> list[str]:
    """Return the words of a name, in English as far as they are known."""
    words = [word.lower() for word in _WORD.findall(plain_letters(name).removeprefix("-D"))][:12]
    if words[:2] == ["next", "public"]:
        del words[:2]  # a prefix of variables, which says nothing about the value
    return [in_english(word) for word in words]


def in_english(word: str) -> str:
    """Return the English form of a word of a name, if its translation is known."""
    if word in _translations():
        return _translations()[word]
    root = next((root for root in _COMPOUND_KEYS if word.endswith(root)), None)
    if root is None:
        return word
    return in_english(word.removesuffix(root)) + "key"


@lru_cache(maxsize=8192)
def certainty(name: str) -> Certainty:
    """Return how certain it is that the name of a key, header, flag or variable denotes a secret."""
    words = _words(name)
    if words == ["key"] and name.lower() in words_of("weak"):
        return Certainty.LIKELY
    found = Certainty.NONE
    for at, word in enumerate(words):
        strength = _meaning(words, at, word, upper=name.isupper())
        if strength:
            found = max(found, min(strength, _after(words[at + 1 :], name)))
        elif word == "key":
            found = max(found, _foreign_key(words[at + 1 :], name))
        for pair in _pairs():
            if word == pair[0] and tuple(words[at : at + len(pair)]) == pair:
                found = max(found, _after(words[at + len(pair) :], name))
    return found


def mentions_secret(value: str) -> bool:
    """Return whether a value is itself a name with a secret's word in it, whatever follows that word."""
    words = _words(value)
    return any(
        _meaning(words, at, word, upper=False) and (word in ("key", "keys") or not _ends_in_secret(word))
        for at, word in enumerate(words)
    )


def name_is_secret(name: str) -> bool:
    """Return whether any value under this name is a secret, as far as the name tells."""
    found = certainty(name)
    return found is Certainty.SURE or (found is Certainty.LIKELY and not name.endswith(("s", "S")))


def _meaning(words: list[str], at: int, word: str, *, upper: bool) -> Certainty:
    """Return how certain the word at this place denotes a secret, by the words before it."""
    before = words[at - 1] if at else ""
    if word in ("key", "keys"):
        return _of_key(words, at)
    if word in ("token", "tokens", "tok") and (before in words_of("not_token_of") or "max" in words[:at]):
        return Certainty.NONE
    if word in ("pass", "pw", "pat", "tok", "mdp"):
        return _of_abbreviation(words, at, word, upper=upper)
    if word in words_of("secret"):
        alone = not before and words_of("plain_after").issuperset(words[1:])
        return Certainty.LIKELY if alone and word in ("token", "tokens", "cookie", "cred") else Certainty.SURE
    if word in words_of("weak"):
        return Certainty.LIKELY
    joined = _ends_in_secret(word)
    if joined is not None:
        return Certainty.NONE if word[: -len(joined)] in words_of("not_token_of") else Certainty.SURE
    if word.endswith("key") and word[:-3] in words_of("key_of"):
        return Certainty.SURE
    return Certainty.NONE


def _ends_in_secret(word: str) -> str | None:
    """Return the secret's word at the end of a word without separators (`dbpassword`)."""
    if word in words_of("secret"):
        return None
    return next((root for root in words_of("joined") if word.endswith(root) and len(word) > len(root) + 1), None)


def _of_key(words: list[str], at: int) -> Certainty:
    """Return what `key` means here: names that end in it are common in code (`sort_key`, `cache_key`)."""
    if not at or "public" in words[:at]:
        return Certainty.NONE
    before = words[at - 1]
    if before in words_of("key_of") or before in words_of("secret"):
        return Certainty.SURE
    if before in words_of("not_key_of"):
        return Certainty.NONE
    if before in words_of("services"):
        return Certainty.SURE
    return Certainty.WEAK


def _foreign_key(rest: list[str], name: str) -> Certainty:
    """Return what a key means by the words behind it, as in `clave_api` and `chave_de_acesso`."""
    if name.isascii() and "key" in name.lower():
        return Certainty.NONE
    qualifiers = [word for word in rest if word not in _OF]
    if not qualifiers or qualifiers[0] not in words_of("key_of") | words_of("secret") or "primary" in qualifiers:
        return Certainty.NONE
    return _after(qualifiers[1:], name)


def _of_abbreviation(words: list[str], at: int, word: str, *, upper: bool) -> Certainty:
    before = words[at - 1] if at else ""
    if word == "pass":
        if before in words_of("not_pass_of"):
            return Certainty.NONE
        return Certainty.SURE if len(words) > 1 else Certainty.LIKELY
    if word == "pw":
        return Certainty.SURE
    if not at:
        return Certainty.LIKELY if word == "mdp" or upper else Certainty.WEAK
    if before in words_of("services") or before in words_of("key_of"):
        return Certainty.SURE
    return Certainty.LIKELY


def _after(rest: list[str], name: str) -> Certainty:
    """Return what the words behind the secret's word leave of its meaning: `token_url` is no token."""
    if not rest:
        return Certainty.SURE
    if any(word in words_of("not_after") for word in rest):
        return Certainty.NONE
    known = all(word.isdigit() or word in words_of("neutral_after") or word in words_of("services")
                or word in words_of("secret") or word in ("v", "key", "keys", "base") for word in rest)  # fmt: skip
    if known:
        return Certainty.SURE
    return Certainty.LIKELY if name.isupper() else Certainty.WEAK
