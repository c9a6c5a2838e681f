"""Whether a name means a secret, and a value is one: and not code, a path, a placeholder or a word."""

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
"""Words (lower case) that end the name of a secret, and the kind they make of its value."""


# A key's name is common in code (`key`, `sort_key`, `cache_key`): only these make it the name of a secret.
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
_PLACEHOLDER = re.compile(
    r"[$<{]|%[({sd]|\*{3}|[xX]{4}|\.{3}|…|\[redacted|(?i:your|insert|enter|replace|placeholder|changeme|env[:.]|process\.env"
    r"|os\.|secrets\.|none$|null$|nil$|true$|false$|undefined$|example$|dummy$|string$|required$)"
)
_EXAMPLE = re.compile(r"[xX]{6}|\*{4}|\.{3}|0{12}|(?i:example)")
_PATHLIKE = re.compile(r"(?:[A-Za-z]:\\|~?/[\w.-]+/|\./)")
_DOTTED = re.compile(r"[A-Za-z_]{1,60}\d{0,3}(?:(?:\.|->|::)[A-Za-z_]{1,60}\d{0,3}){1,8}+[.!?]?\Z")
_IDENTIFIER = re.compile(r"[A-Za-z_]+\d{0,3}\Z")
_PLAIN_URL = re.compile(r"[a-z][a-z0-9+.-]{1,12}://")


def looks_drawn(value: str) -> bool:
    """Whether a value looks drawn at random: it has digits, and a long stretch that is no row of hyphened words."""
    return any(c.isdigit() for c in value) and max(map(len, re.split(r"[^A-Za-z0-9]", value))) >= 12


def is_basic_credential(value: str) -> bool:
    """Whether base64 text says `user:password`."""
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    user, colon, _ = plain.partition(b":")
    return bool(colon) and user.isascii() and all(0x20 < byte < 0x7F for byte in user)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret without being one (`${TOKEN}`, `<token>`, `***`, `your-key-here`)."""
    return _PLACEHOLDER.match(value) is not None or len(set(value)) < 3


def is_example(value: str) -> bool:
    """Whether the body of a key is filled in (`xxxxxxxx`, `EXAMPLE`), as documentation shows it."""
    return _EXAMPLE.search(value) is not None or len(set(value)) < 6


def has_letters_and_digits(value: str) -> bool:
    """Whether a value mixes both, as words and numbers do not."""
    return any(c.isalpha() for c in value) and any(c.isdigit() for c in value)


def header_is_secret(value: str) -> bool:
    """Whether the value of an Authorization or Cookie header carries something drawn, and not words."""
    return any(
        len(part) >= 8 and has_letters_and_digits(part) and not is_placeholder(part)
        for part in re.split(r"[ \t=;,]", value)
    )


def name_is_secret(name: str) -> bool:
    """Whether a name (of a key, header, flag, variable) says that its value is secret."""
    plain = name.lower().replace("-", "_").strip("_. ")
    joined = plain.replace("_", "")
    if joined.endswith("token"):
        return not joined[: -len("token")].endswith(_NOT_SECRET_TOKENS)
    if joined.endswith("key"):
        return joined[: -len("key")].endswith(_SECRET_KEYS)
    return (
        joined.endswith(
            (
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
        )
        or plain.endswith("_pass")
        or plain in ("pass", "bearer")
    )


def kind_of_name(name: str) -> str:
    """The kind of a secret known by its name alone."""
    plain = name.lower()
    return next((kind for word, kind in NAME_WORDS.items() if word.decode() in plain), "secret")


def value_is_secret(name: str, value: str, *, quoted: bool, whole: bool) -> bool:
    """Whether the value given to a secret's name in running text is a secret itself, and not code, a type or a word.

    `whole` says that the text is a line of an environment (`NAME=value`), where anything is a value.
    """
    if is_placeholder(value) or _PLAIN_URL.match(value):
        return False
    base64_like = value.endswith("=") or "+" in value or "access" in name.lower()
    if _PATHLIKE.match(value) and not base64_like:
        return False
    if name.lower().endswith(("pwd", "oldpwd")) and value.startswith(("/", "~")):
        return False  # the shell's working directory
    if whole:
        return len(value) >= 4 and not (value.isdigit() and len(value) < 6)
    if not quoted and (_DOTTED.match(value) or _IDENTIFIER.match(value)):
        return False
    if " " in value or value.lower() in name.lower():
        return False
    letters, digits = any(c.isalpha() for c in value), any(c.isdigit() for c in value)
    if kind_of_name(name) == "password":
        special = not value.replace("_", "").replace("-", "").replace(".", "").isalnum()
        return len(value) >= 4 and (digits or (special and letters))
    return len(value) >= 8 and letters and digits


def _is_url_password(value: str) -> bool:
    return not is_placeholder(value) and value.lower() not in ("password", "passwd", "pass", "pw", "secret", "token")


def _is_drawn_token(value: str) -> bool:
    return has_letters_and_digits(value) and not is_placeholder(value) and not is_example(value)


CHECKS: dict[str, Callable[[str], bool]] = {
    "basic-auth": is_basic_credential,
    "bearer-token": _is_drawn_token,
    "docker-auth": is_basic_credential,
    "mysql-password": lambda value: not is_placeholder(value) and re.fullmatch(r"[\d.:]+", value) is None,
    "presigned-url": _is_drawn_token,
    "curl-password": _is_url_password,
    "sshpass-password": _is_url_password,
    "netrc-password": _is_url_password,
    "url-password": _is_url_password,
    "url-token": lambda value: looks_drawn(value) and not is_placeholder(value),
}
"""What the secret of an anchored rule must also be; else: no placeholder."""
