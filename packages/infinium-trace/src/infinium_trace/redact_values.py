"""Decides whether a value is a secret, and not code, a path, a placeholder, a label or a word."""

import base64
import binascii
import re
from collections.abc import Callable

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_names import Certainty, certainty, mentions_secret, words_of

_PLACEHOLDER = lazy_pattern(
    r"[$<{]|%[({sd]|\*{3}|[xX]{4}|\.{3}|…|\[redacted|(?i:your|insert|enter|replace|placeholder|changeme|change-?me|env[:.]"
    r"|@[\w.-]+@$|process\.env|os\.|secrets\.|none$|null$|nil$|true$|false$|undefined$|example$|dummy$|string$|required$)"
)
_EXAMPLE = lazy_pattern(r"[xX]{6}|\*{4}|\.{3}|0{12}|(?i:example)")
_LOCATION = lazy_pattern(r"(?:[A-Za-z]:\\|~?/[\w.-]+/|\.\.?/|[a-z][a-z0-9+.-]{1,12}://)")
_FILE = lazy_pattern(
    r"[\w./@-]{1,120}\.(?:txt|json|ya?ml|toml|ini|cfg|conf|env|pem|key|crt|p12|jks|py|[cm]?[jt]sx?|rs|go|java|kt|rb|php|cs|sh"
    r"|md|html?|css|svg|png|jpe?g|gif|sql|xml|csv|log|lock)\Z"
)
_DOTTED = lazy_pattern(r"[A-Za-z_]{1,60}\d{0,3}(?:(?:\.|->|::|\?\.)[A-Za-z_]{1,60}\d{0,3}){1,8}+[.!?]?\Z")
_IDENTIFIER = lazy_pattern(r"[A-Za-z_]+\d{0,3}\Z")
_WORDS = lazy_pattern(r"[A-Za-z]+(?:[-_.:/][A-Za-z]+)*\Z")
_CAPITAL_AND_NUMBER = lazy_pattern(r"[A-Z][a-z]{3,12}\d{2,3}\Z")
_WORD_AND_NUMBER = lazy_pattern(r"[A-Za-z]{4,20}\d{1,4}\Z")
_TYPE_WITH_NUMBER = lazy_pattern(
    r"(?i:u?int|float|uint|utf|base|sha|md|string|bytes|char|vec|big|number|iso|latin|ascii|version|oauth|ipv|http|python)-?\d"
)
_CODE = lazy_pattern(
    r"\w\([^()]{0,200}\)|^\(|\[[\w'\"-]{0,40}\]|\{[\w.'\"]{0,60}\}|\\[wdsbS]|=>|^[.#:@?!*-]+[A-Za-z][\w.-]*\Z|^:[a-z]|^#[0-9a-fA-F]{3,8}\Z|%[sd]|^[-+*/&|<>=!?,;:.]+\Z"
)
_SCHEME_AND_WORD = lazy_pattern(r"(?i:bearer|token|basic|apikey)[ ](?:token=)?([^\s;,=]{10,512})\s*\Z")
_SESSION_COOKIE = lazy_pattern(r"(?i:sess|sid|auth|token|jwt)[\w.-]{0,24}=([^\s;,]{10,512})")
_UUID = lazy_pattern(r"(?i:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\Z")
_TIME_OR_VERSION = lazy_pattern(r"0x[0-9a-fA-F]{1,8}\Z|[v^~]?\d{1,4}(?:[.:/-]\d{1,4})+(?:[T .Z+-].{0,30})?\Z")
_COMMON_PAIRS = frozenset(row[0] + second for row in sorted(words_of("common_pairs")) for second in row[1:])
"""Pairs of letters that make up 94 % of the pairs in names and words of code, and 34 % of random letters."""


def looks_random(value: str) -> bool:
    """Return whether a value looks random: it has digits and at least 12 letters and digits in a row."""
    if any(c.isdigit() for c in value):
        return max(map(len, re.split(r"[^A-Za-z0-9]", value))) >= 12
    return has_random_letters(value)


def has_random_letters(value: str) -> bool:
    """Return whether the letters of a value make no words, by the pairs of letters in it."""
    letters = max(re.split(r"[^A-Za-z]", value), key=len).lower()
    pairs = [letters[at : at + 2] for at in range(len(letters) - 1)]
    most = 0.5 if len(pairs) < 12 else 0.66  # a short word may have rare pairs
    return len(pairs) >= 9 and sum(pair in _COMMON_PAIRS for pair in pairs) < most * len(pairs)


def is_basic_credential(value: str) -> bool:
    """Return whether a value is the base64 form of `user:password`."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    user, colon, _ = plain.partition(b":")
    return bool(colon) and user.isascii() and all(0x20 < byte < 0x7F for byte in user)


def is_placeholder(value: str) -> bool:
    """Return whether a value is a placeholder for a secret (`${TOKEN}`, `<token>`, `***`, `your-key-here`)."""
    return _PLACEHOLDER.match(value) is not None or len(set(value)) < 3


def is_example(value: str) -> bool:
    """Return whether a key is an example from documentation (`xxxxxxxx`, `EXAMPLE`)."""
    return _EXAMPLE.search(value) is not None or len(set(value)) < 6


def has_letters_and_digits(value: str) -> bool:
    """Return whether a value has both letters and digits. Words and numbers do not."""
    return any(c.isalpha() for c in value) and any(c.isdigit() for c in value)


def header_is_secret(value: str) -> bool:
    """Return whether the value of an Authorization or Cookie header contains a token."""
    worded = _SCHEME_AND_WORD.match(value) or _SESSION_COOKIE.search(value)
    if worded and not is_harmless("", worded[1]) and worded[1].lower() not in words_of("key_of"):
        return True
    return any(
        len(part) >= 8
        and "(" not in part
        and (has_letters_and_digits(part) or has_random_letters(part))
        and not is_placeholder(part)
        and certainty(part) is Certainty.NONE
        for part in re.split(r"[ \t=;,]", value)
    )


def is_word(value: str) -> bool:
    """Return whether a value consists of words: letters, with separators between them, that are not random."""
    return _WORDS.match(value) is not None and not has_random_letters(value)


def is_identifier(value: str) -> bool:
    """Return whether an unquoted value may be a name in code. Letters that make no words, and `Word42`, are none."""
    if not _DOTTED.match(value) and not _IDENTIFIER.match(value):
        return False
    if _CAPITAL_AND_NUMBER.match(value):
        return _TYPE_WITH_NUMBER.match(value) is not None
    return not has_random_letters(value)


def has_capital_and_number(value: str) -> bool:
    """Return whether a value is a capitalised word with a number, as people choose passwords (`Walnut7`)."""
    return re.match(r"[A-Z][a-z]{3,15}\d{1,4}\Z", value) is not None and not _TYPE_WITH_NUMBER.match(value)


def has_inner_capital(value: str) -> bool:
    """Return whether a value consists of letters and has a capital within a word (`walnutFerry`)."""
    return re.match(r"[A-Za-z][a-z]{2,}[A-Z][A-Za-z]{2,}\Z", value) is not None


def is_harmless(name: str, value: str, *, quoted: bool = False) -> bool:
    """Return whether a value is a placeholder, a location, a label or a piece of code, whatever its name."""
    if is_placeholder(value) or len(value) < 4 or value.lower() in words_of("no_values"):
        return True
    if _LOCATION.match(value) and not _may_be_base64(name, value):
        return True
    if name.lower().endswith("pwd") and value.startswith(("/", "~")):
        return True
    if not value.isascii() and sum(c.isdigit() for c in value) < 2:
        return True  # a label of a user interface
    is_code = _CODE.search(value) is not None and not (len(value) >= 20 and looks_random(value) and value[:1] == "-")
    return is_code or _FILE.match(value) is not None or _is_name(name, value, quoted=quoted)


def _is_name(name: str, value: str, *, quoted: bool) -> bool:
    """Return whether a value is itself a name: `token = access_token`, `"password": "Passwort"`."""
    if not re.fullmatch(r"[A-Za-z_$][\w.:/-]*\d{0,2}", value):
        return False
    if value.lower() in name.lower():
        return True
    if quoted and any(c.isdigit() for c in value):
        return False
    few_digits = sum(c.isdigit() for c in value) < 3 or "." in value
    return few_digits and not has_random_letters(value) and mentions_secret(value)


def _may_be_base64(name: str, value: str) -> bool:
    """Return whether a value that starts like a path may be base64, as cloud providers' access keys are."""
    if value.endswith("=") or "+" in value or "access" in name.lower():
        return True
    mixed = any(c.isupper() for c in value) and any(c.islower() for c in value) and any(c.isdigit() for c in value)
    return mixed and len(value) >= 16 and not {".", "-", "_", ":", "\\"} & set(value) and looks_random(value)


def is_environment_secret(name: str, value: str) -> bool:
    """Return whether the value of a secret's environment variable is not just a short word or number."""
    if is_placeholder(value) or len(value) < 4 or (value.isdigit() and len(value) < 6):
        return False
    if _LOCATION.match(value) and not _may_be_base64(name, value):
        return False
    if value.lower() in words_of("no_values") or (name.upper().endswith("PWD") and value.startswith(("/", "~"))):
        return False
    return certainty(name) > Certainty.WEAK or is_strict_secret(value)


def is_assigned_secret(name: str, value: str, *, quoted: bool) -> bool:
    """Return whether a quoted value, or one that cannot be code, is a secret under this name."""
    sure = certainty(name)
    if (
        (" " in value and not is_passphrase(value))
        or is_harmless(name, value, quoted=quoted)
        or _TIME_OR_VERSION.match(value)
    ):
        return False
    if sure is Certainty.WEAK:
        alone = quoted and name.lower() == "pat" and re.fullmatch(r"[\w-]{16,}", value) is not None
        return is_strict_secret(value) or (alone and looks_random(value))
    if value.isdigit():
        return sure is Certainty.SURE and len(value) >= 6
    return sure is Certainty.SURE or (len(value) >= 6 and not is_word(value))


def is_passphrase(value: str) -> bool:
    """Return whether a value is a row of words that make no sentence (`correct horse battery staple`)."""
    *words, last = value.split(" ")
    words += [] if last.isdigit() else [last]
    plain = all(word.isascii() and word.isalpha() and word.islower() and len(word) > 2 for word in words)
    if not plain or not 3 + (not last.isdigit()) <= len(words) <= 12 or certainty(value):
        return False
    return words_of("of_sentences").isdisjoint(words) and words_of("not_after").isdisjoint(words)


def is_strict_secret(value: str) -> bool:
    """Return whether a value is so random that little else than a secret can be meant."""
    if len(value) < 16 or _UUID.match(value) or is_example(value) or not looks_random(value):
        return False
    digits = any(c.isdigit() for c in value) or len(value) >= 24
    return digits and any(c.isupper() for c in value) and any(c.islower() for c in value)


def is_mixed(value: str) -> bool:
    """Return whether a value in a sentence can only be a password: letters with digits or signs, or random letters."""
    if len(value) < 6 or is_placeholder(value) or _TIME_OR_VERSION.match(value) or _LOCATION.match(value):
        return False
    if not value.isascii() or _CODE.search(value) or _FILE.match(value):
        return False
    if is_identifier(value) and not _WORD_AND_NUMBER.match(value):
        return False
    if _WORDS.match(value):
        return has_random_letters(value)
    if _TYPE_WITH_NUMBER.match(value) and len(value) < 10:
        return False
    return has_letters_and_digits(value)


def _is_url_password(value: str) -> bool:
    return not is_placeholder(value) and value.lower() not in ("password", "passwd", "pass", "pw", "secret", "token")


def _is_random_token(value: str) -> bool:
    return looks_random(value) and not is_placeholder(value) and not is_example(value)


def is_argument(value: str) -> bool:
    """Return whether a string that is passed as a secret to a function is one: no name, label or short word."""
    return " " not in value and not (is_word(value) and len(value) < 8) and not is_harmless("", value, quoted=True)


CHECKS: dict[str, Callable[[str], bool]] = {
    "basic-auth": is_basic_credential,
    "bearer-token": lambda value: (
        (has_letters_and_digits(value) or has_random_letters(value))
        and not is_placeholder(value)
        and not is_example(value)
    ),
    "docker-auth": is_basic_credential,
    "npm-auth": is_basic_credential,
    "presigned-url": _is_random_token,
    "password": is_argument,
    "netrc-password": _is_url_password,
    "url-password": _is_url_password,
    "url-token": lambda value: looks_random(value) and not is_placeholder(value),
}
"""Further conditions for the secrets of `ANCHORED` rules. The default is: neither placeholder nor example."""
