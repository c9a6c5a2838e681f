"""Read untrusted JSON defensively: a value of the wrong type counts as absent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

_decode = msgspec.json.Decoder().decode
"""One decoder for all values: `msgspec.json.decode` makes one for each."""
_TOO_LARGE = 1 << 63
_LONGEST_SECONDS = 1e9
_OBJECT_STARTS = frozenset({"{", " ", "\t", "\r", "\n", b"{", b" ", b"\t", b"\r", b"\n"})
"""First characters of a JSON object. Anything else is not worth parsing."""


def milliseconds(seconds: object) -> float | None:
    """Convert seconds, a number or its text, to milliseconds; None if negative, too large or not a number."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | str):
        return None
    try:
        value = float(seconds)
    except (ValueError, OverflowError):
        return None
    return value * 1000.0 if 0 <= value < _LONGEST_SECONDS else None


def parse_object(raw: bytes | str) -> dict[str, object] | None:
    """Parse a JSON object; None if `raw` is not one. Bytes that are not UTF-8 are replaced, not refused."""
    if raw[:1] not in _OBJECT_STARTS:
        return None
    try:
        value = _decode(raw)
    except (ValueError, RecursionError):
        value = _parse_leniently(raw)
    return value if isinstance(value, dict) else None


def _parse_leniently(raw: bytes | str) -> object:
    """Parse what the strict parser refuses: bytes that are not UTF-8, lone surrogates, infinite numbers."""
    import json

    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    try:
        return _encodable(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _encodable(value: object) -> object:
    """The value with every lone surrogate replaced, as UTF-8 cannot encode one."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_encodable(item) for item in value]
        case dict():
            return {str(_encodable(key)): _encodable(item) for key, item in value.items()}
    return value


def text(record: Mapping[str, object], key: str) -> str | None:
    """The string under `key`. An empty one counts as absent."""
    value = record.get(key)
    return value if isinstance(value, str) and value else None


def integer(record: Mapping[str, object], key: str) -> int | None:
    """The integer under `key`. One that needs more than 64 bits counts as absent."""
    value = record.get(key)
    return value if type(value) is int and -_TOO_LARGE < value < _TOO_LARGE else None


def texts(record: Mapping[str, object], key: str) -> list[str]:
    """The strings in the list under `key`."""
    value = record.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def texts_of(items: object) -> list[str]:
    """The texts of a message's content items."""
    if not isinstance(items, list):
        return []
    return [found for item in items if isinstance(item, dict) and (found := text(item, "text"))]


def content(items: object) -> str:
    """The joined texts of a message's content items."""
    return "".join(texts_of(items))


def mapping(record: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The object under `key`; empty if there is none."""
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def epoch_ms(value: object) -> int | None:
    """Convert an ISO 8601 time to UTC epoch milliseconds; None if it is not one."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 24 and value[19] == "." and value[23] == "Z":  # the part before "." is cached
            return _epoch_s(value[:19]) * 1000 + int(value[20:23])
        return round(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


@lru_cache(maxsize=8)
def _epoch_s(second: str) -> int:
    return int(datetime.fromisoformat(second).replace(tzinfo=UTC).timestamp())
