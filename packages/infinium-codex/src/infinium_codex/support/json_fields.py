"""Take values out of JSON that nobody promised the shape of: the wrong type reads as absent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

_TOO_LARGE = 1 << 63
_LONGEST_SECONDS = 1e9
_OPENS = frozenset({"{", " ", "\t", "\r", "\n", b"{", b" ", b"\t", b"\r", b"\n"})
"""How an object may begin."""


def milliseconds(seconds: object) -> float | None:
    """A number of seconds, or the text of one, as milliseconds; None where it is none anything could have taken."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return None
    try:
        value = float(seconds)
    except (ValueError, OverflowError):
        return None
    return value * 1000.0 if 0 <= value < _LONGEST_SECONDS else None


def parse_object(raw: bytes | str) -> dict[str, object] | None:
    """The JSON object in `raw`, or None when it is not one. Bytes that are no UTF-8 are replaced, not refused."""
    if raw[:1] not in _OPENS:
        return None
    try:
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        value = _parse_leniently(raw)
    return value if isinstance(value, dict) else None


def _parse_leniently(raw: bytes | str) -> object:
    """What the strict parser will not have: other bytes than UTF-8, half a surrogate pair, infinite numbers."""
    import json

    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    try:
        return _sendable(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _sendable(value: object) -> object:
    """The value, and nothing in it that no UTF-8 can say."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_sendable(item) for item in value]
        case dict():
            return {str(_sendable(key)): _sendable(item) for key, item in value.items()}
    return value


def text(record: Mapping[str, object], key: str) -> str | None:
    """The string under `key`; an empty one counts as absent."""
    value = record.get(key)
    return value if isinstance(value, str) and value else None


def integer(record: Mapping[str, object], key: str) -> int | None:
    """The whole number under `key`; one that needs more than 64 bits is none of anybody's measures."""
    value = record.get(key)
    return value if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE else None


def texts(record: Mapping[str, object], key: str) -> list[str]:
    """The strings in the list under `key`."""
    value = record.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def content(items: object) -> str:
    """The text of a message's content items."""
    if not isinstance(items, list):
        return ""
    return "".join(found for item in items if isinstance(item, dict) and (found := text(item, "text")))


def mapping(record: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The object under `key`, empty when there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def epoch_ms(value: object) -> int | None:
    """An ISO 8601 time as UTC epoch milliseconds."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 24 and value[19] == "." and value[23] == "Z":  # as Codex writes it
            return _epoch_s(value[:19]) * 1000 + int(value[20:23])
        return round(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=8)
def _epoch_s(second: str) -> int:
    return int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp())
