"""Edits JSON as text: adds an item to an object or a list, or removes one, and keeps every other byte.

The text must be valid JSON. Callers parse the result and compare it with what they wanted.
"""

import json
import re
from collections.abc import Sequence

from msgspec import Struct, field

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)

Path = Sequence[str | int]
"""Keys and list indexes that lead to a value."""


class _Value(Struct, kw_only=True):
    """Where a value is in the text."""

    item_start: int
    """Start of the value, or of its key in an object."""
    start: int
    end: int = 0
    key: str | None = None
    depth: int = 0
    """Number of containers around and including it."""
    items: list["_Value"] = field(default_factory=list)

    def item(self, step: str | int) -> "_Value | None":
        """Return the item with this key or index."""
        if isinstance(step, int):
            return self.items[step] if step < len(self.items) else None
        return next((item for item in self.items if item.key == step), None)


def append_item(text: str, path: Path, value: object, *, key: str | None = None) -> str | None:
    """Add a value at the end of the list at `path`, or of the object, under `key`. None if there is no such place."""
    container = _find(text, path)
    if container is None:
        return None
    indent, newline = indent_of(text), newline_of(text)
    item = json.dumps(value, indent=indent)
    if key is not None:
        item = f"{json.dumps(key)}: {item}"
    after = container.items[-1].end if container.items else container.start + 1
    if indent is None:
        return f"{text[:after]}{', ' if container.items else ''}{item}{text[after:]}"
    step = indent if isinstance(indent, str) else " " * indent
    line = newline + step * container.depth
    item = item.replace("\n", line)
    if container.items:
        return f"{text[:after]},{line}{item}{text[after:]}"
    closing = newline + step * (container.depth - 1)
    return f"{text[:after]}{line}{item}{closing}{text[container.end - 1 :]}"


def remove_item(text: str, path: Path) -> str | None:
    """Remove the item at `path`, with its key and its comma. None if there is no such item."""
    *parents, last = path
    container = _find(text, parents)
    item = container.item(last) if container is not None else None
    if container is None or item is None:
        return None
    index = container.items.index(item)
    if index > 0:  # with the comma before it
        return text[: container.items[index - 1].end] + text[item.end :]
    if len(container.items) > 1:
        return text[: item.item_start] + text[container.items[1].item_start :]
    return text[: container.start + 1] + text[container.end - 1 :]


def indent_of(text: str) -> int | str | None:
    """Return the indent of the first indented line, as `json.dumps` takes it. None if no line is indented."""
    found = _INDENTED.search(text)
    if found is None:
        return None
    return found[1] if found[1].startswith("\t") else len(found[1])


def newline_of(text: str) -> str:
    """Return the line ending that the text uses."""
    return "\r\n" if "\r\n" in text else "\n"


def _find(text: str, path: Path) -> _Value | None:
    found: _Value | None = _locate(text)
    for step in path:
        found = found.item(step) if found is not None else None
    return found


def _locate(text: str) -> _Value:
    """Return the text's value, with the place of every value in it."""
    root = _Value(item_start=0, start=0)
    containers = [root]
    key: re.Match[str] | None = None
    tokens = list(_TOKEN.finditer(text))
    for index, token in enumerate(tokens):
        word = token[0]
        if word in "]}":
            containers.pop().end = token.end()
        elif word not in ":,":
            if index + 1 < len(tokens) and tokens[index + 1][0] == ":":
                key = token
                continue
            value = _Value(
                item_start=(key or token).start(),
                start=token.start(),
                end=token.end(),
                key=json.loads(key[0]) if key else None,
                depth=len(containers),
            )
            key = None
            containers[-1].items.append(value)
            if word in "[{":
                containers.append(value)
    return root.items[0]
