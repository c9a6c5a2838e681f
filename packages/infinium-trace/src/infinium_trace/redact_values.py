"""Decides whether a name denotes a secret, and whether a value is one and not code, a path, a placeholder or a word."""

import base64
import binascii
import re
from collections.abc import Callable

NAME_WORDS: dict[bytes, str] = {
    b"passw": "password",
    b"passphrase": "password",
    b"pwd": "password",
    b"_pass": "password",
    b"secret": "secret",
    b"token": "token",
    b"key": "api-key",
    b"credential": "secret",
    b"authorization": "authorization",
    b"cookie": "cookie",
}
"""Lower-case words that end the name of a secret, with the kind of its value."""

# Names that end in "key" are common in code (`sort_key`, `cache_key`). After one of these words they denote a secret.
_SECRET_KEYS = (
    "api",
    "access",
    "secret",
    "private",
    "account",
    "storage",
    "auth",
    "signing",
    "encryption",
    "master",
    "shared",
    "sharedaccess",
    "agent",
    "app",
    "consumer",
    "servicerole",
    "service",
    "webhook",
    "deploy",
    "subscription",
    "functions",
    "license",
    "admin",
    "client",
    "write",
    "ingest",
    "live",
    "test",
)
_NOT_SECRET_TOKENS = (
    "next",
    "page",
    "continuation",
    "pagination",
    "sync",
    "cancel",
    "cancellation",
    "eos",
    "bos",
    "pad",
    "max",
    "stop",
)
_SECRET_ENDINGS = (
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "credential",
    "credentials",
    "authorization",
    "cookie",
)
_PLACEHOLDER = re.compile(
    r"[$<{]|%[({sd]|\*{3}|[xX]{4}|\.{3}|…|\[redacted|(?i:your|insert|enter|replace|placeholder|changeme|env[:.]|process\.env"
    r"|os\.|secrets\.|none$|null$|nil$|true$|false$|undefined$|example$|dummy$|string$|required$)"
)
_EXAMPLE = re.compile(r"[xX]{6}|\*{4}|\.{3}|0{12}|(?i:example)")
_PATHLIKE = re.compile(r"(?:[A-Za-z]:\\|~?/[\w.-]+/|\./)")
_DOTTED = re.compile(r"[A-Za-z_]{1,60}\d{0,3}(?:(?:\.|->|::)[A-Za-z_]{1,60}\d{0,3}){1,8}+[.!?]?\Z")
_IDENTIFIER = re.compile(r"[A-Za-z_]+\d{0,3}\Z")
_PLAIN_URL = re.compile(r"[a-z][a-z0-9+.-]{1,12}://")


def looks_random(value: str) -> bool:
    """Return whether a value looks random: it has digits and at least 12 letters and digits in a row."""
    return any(c.isdigit() for c in value) and max(map(len, re.split(r"[^A-Za-z0-9]", value))) >= 12


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
    """Return whether the value of an Authorization or Cookie header contains a random token."""
    return any(
        len(part) >= 8 and has_letters_and_digits(part) and not is_placeholder(part)
        for part in re.split(r"[ \t=;,]", value)
    )


def name_is_secret(name: str) -> bool:
    """Return whether the name of a key, header, flag or variable denotes a secret."""
    plain = name.lower().replace("-", "_").strip("_. ")
    joined = plain.replace("_", "")
    if joined.endswith("token"):
        return not joined[: -len("token")].endswith(_NOT_SECRET_TOKENS)
    if joined.endswith("key"):
        return joined[: -len("key")].endswith(_SECRET_KEYS)
    return joined.endswith(_SECRET_ENDINGS) or plain.endswith("_pass") or plain in ("pass", "bearer")


def kind_of_name(name: str) -> str:
    """Return the kind of a secret with this name."""
    plain = name.lower()
    return next((kind for word, kind in NAME_WORDS.items() if word.decode() in plain), "secret")


def value_is_secret(name: str, value: str, *, quoted: bool, whole: bool) -> bool:
    """Return whether a value that is assigned to a secret's name in a text is a secret, and not code, a type or a word.

    `whole` means that the text is a line of an environment (`NAME=value`). Almost any value there is a secret.
    """
    if _is_placeholder_or_location(name, value):
        return False
    if whole:
        return _is_environment_secret(value)
    if " " in value or value.lower() in name.lower():
        return False
    if not quoted and _is_identifier(value):
        return False
    if kind_of_name(name) == "password":
        return _is_password(value)
    return len(value) >= 8 and has_letters_and_digits(value)


def _is_placeholder_or_location(name: str, value: str) -> bool:
    """Return whether a value is a placeholder, a URL, a path or the shell's working directory."""
    if is_placeholder(value) or _PLAIN_URL.match(value):
        return True
    if _PATHLIKE.match(value) and not _may_be_base64(name, value):
        return True
    return name.lower().endswith("pwd") and value.startswith(("/", "~"))


def _may_be_base64(name: str, value: str) -> bool:
    """Return whether a value that starts like a path may be base64, as cloud providers' access keys are."""
    return value.endswith("=") or "+" in value or "access" in name.lower()


def _is_environment_secret(value: str) -> bool:
    """Return whether the value of a secret's variable is not just a short word or number."""
    return len(value) >= 4 and not (value.isdigit() and len(value) < 6)


def _is_identifier(value: str) -> bool:
    return bool(_DOTTED.match(value) or _IDENTIFIER.match(value))


def _is_password(value: str) -> bool:
    """Return whether a value has digits, or letters and special characters. A plain word is no password."""
    if len(value) < 4:
        return False
    special = not value.replace("_", "").replace("-", "").replace(".", "").isalnum()
    return any(c.isdigit() for c in value) or (special and any(c.isalpha() for c in value))


def _is_url_password(value: str) -> bool:
    return not is_placeholder(value) and value.lower() not in ("password", "passwd", "pass", "pw", "secret", "token")


def _is_random_token(value: str) -> bool:
    return has_letters_and_digits(value) and not is_placeholder(value) and not is_example(value)


CHECKS: dict[str, Callable[[str], bool]] = {
    "basic-auth": is_basic_credential,
    "bearer-token": _is_random_token,
    "docker-auth": is_basic_credential,
    "mysql-password": lambda value: not is_placeholder(value) and re.fullmatch(r"[\d.:]+", value) is None,
    "presigned-url": _is_random_token,
    "curl-password": _is_url_password,
    "sshpass-password": _is_url_password,
    "netrc-password": _is_url_password,
    "url-password": _is_url_password,
    "url-token": lambda value: looks_random(value) and not is_placeholder(value),
}
"""Further conditions for the secrets of `ANCHORED` rules. The default is: neither placeholder nor example."""
