"""JSON files whose content has a declared type."""

from pathlib import Path
from typing import TypeVar

from msgspec import Struct, json

from infinium_transport import _files

T = TypeVar("T")


def encode_json(value: Struct | str) -> bytes:
    """Encode a value as one line of UTF-8.

    Half a surrogate pair, which the name of a file that is not UTF-8 can contain, becomes a question mark.
    """
    try:
        return json.encode(value)
    except UnicodeEncodeError:
        from json import dumps

        from msgspec import to_builtins

        return dumps(to_builtins(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_json(path: Path, kind: type[T]) -> T | None:
    """Read a small file; None when it is missing or damaged."""
    try:
        return json.decode(_files.read_file(path), type=kind)
    except (OSError, ValueError, RecursionError):
        return None
