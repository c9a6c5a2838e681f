"""What an answer's body says. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec.json import decode

MAX_WORDS: Final = 300
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


def trace_id(body: bytes) -> str | None:
    """The id the server has given a trace."""
    answer = _parsed(body)
    found = answer.get("traceId") or answer.get("id")
    return found if isinstance(found, str) else None


def words(body: bytes) -> str:
    """What the server said, for a person: its message, else the beginning of its text."""
    answer = _parsed(body)
    for name in ("message", "detail", "error", "title"):
        value = answer.get(name)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value.strip():
            return value
    return body.decode("utf-8", "replace")


def sentence(text: str, secret: str) -> str:
    """One printable line without the secret, which goes first: a half of it, at the cut, would not be recognized."""
    line = _UNPRINTABLE.sub(" ", text.replace(secret, "***") if secret else text).strip()
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…"


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        value = decode(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
