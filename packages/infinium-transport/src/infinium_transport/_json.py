"""JSON in files, read and written as the type says."""

from pathlib import Path
from typing import TypeVar

from msgspec import Struct, json

from infinium_transport import _files

T = TypeVar("T")


def encode_json(value: Struct) -> bytes:
    """One line of UTF-8.

    Half a surrogate pair, as the name of a file that is no UTF-8 leaves it, becomes a question mark and stops nothing.
    """
    try:
        return json.encode(value)
    except UnicodeEncodeError:
        from json import dumps

        from msgspec import to_builtins

        return dumps(to_builtins(value), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_json(path: Path, kind: type[T]) -> T | None:
    """What a small file holds; None when there is none or it is damaged."""
    try:
        return json.decode(_files.read_regular(path), type=kind)
    except (OSError, ValueError, RecursionError):
        return None
