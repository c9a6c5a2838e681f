"""Reads the body of an HTTP answer. Pure."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec.json import decode

MAX_CHARACTERS: Final = 300
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


def trace_id(body: bytes) -> str | None:
    """The id that the server gave the trace."""
    answer = _parsed(body)
    found = answer.get("traceId") or answer.get("id")
    return found if isinstance(found, str) else None


def server_message(body: bytes) -> str:
    """The server's message for a person; the body's text when it has no message."""
    answer = _parsed(body)
    for name in ("message", "detail", "error", "title"):
        value = answer.get(name)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value.strip():
            return value
    return body.decode("utf-8", "replace")


def one_line(text: str, secret: str) -> str:
    """Make the text one printable line of bounded length without the secret.

    The secret is replaced before the line is cut: half a secret at the cut would not be recognized.
    """
    line = _UNPRINTABLE.sub(" ", text.replace(secret, "***") if secret else text).strip()
    return line if len(line) <= MAX_CHARACTERS else f"{line[: MAX_CHARACTERS - 1]}…"


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        value = decode(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
