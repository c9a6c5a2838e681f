"""Draws traces as they would be sent, with each redaction marked, or what redaction changed in them."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Protocol

from msgspec import Struct

from infinium_codex.console.formatting import plural
from infinium_codex.console.safe_text import safe

_MARKER = re.compile(r"\[redacted:[a-z0-9-]+\]")
_REVERSE, _RED, _GREEN, _PLAIN = "\x1b[7m", "\x1b[31m", "\x1b[32m", "\x1b[0m"
_CONTEXT_LINES = 1


class Previewed(Protocol):
    """A trace to draw."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def original(self) -> bytes | None: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def base_url(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def redactions(self) -> Mapping[str, int]: ...


class PreviewDrawing(Struct, frozen=True, kw_only=True):
    """Draws previews; with `diff`, each as the difference to its original."""

    previews: tuple[Previewed, ...]
    diff: bool = False

    def draw(self, width: int, *, colour: bool) -> list[str]:
        """Return the lines. They are as long as their texts: a value may be copied as a whole."""
        return [line for preview in self.previews for line in self._lines(preview, colour=colour)]

    def _lines(self, preview: Previewed, *, colour: bool) -> Iterator[str]:
        yield safe(f"Trace     {preview.name}")
        yield safe(f"          {preview.key}, {len(preview.body):,} bytes, built from {preview.origin}")
        yield safe(f"To        agent {preview.agent_id} at {preview.base_url}; nothing was sent")
        yield f"Redacted  {_counts(preview.redactions)}"
        yield ""
        lines = _indented(preview.body)
        if self.diff and preview.original is not None:
            yield from _changes(_indented(preview.original), lines, colour=colour)
        else:
            yield from (_MARKER.sub(rf"{_REVERSE}\g<0>{_PLAIN}", line) if colour else line for line in lines)
        yield ""


def _counts(redactions: Mapping[str, int]) -> str:
    found = (f"{kind} in {plural(count, 'place')}" for kind, count in redactions.items())
    return ", ".join(found) or "nothing"


def _indented(body: bytes) -> list[str]:
    """The JSON on several lines, safe to print."""
    return safe(json.dumps(json.loads(body), indent=2, ensure_ascii=False)).split("\n")


def _changes(before: list[str], after: list[str], *, colour: bool) -> Iterator[str]:
    changes = [*difflib.unified_diff(before, after, "original", "sent", lineterm="", n=_CONTEXT_LINES)]
    if not changes:
        yield "Redaction changes nothing."
    for line in changes:
        style = {"-": _RED, "+": _GREEN}.get(line[:1], "")
        yield f"{style}{line}{_PLAIN}" if colour and style else line
