"""Cuts long texts: their beginning and end are kept, and a count says what is missing between them."""

from msgspec import Struct

_HEAD = 0.6
"""Share of the kept characters that is taken from the beginning."""


class Excerpt(Struct, frozen=True, kw_only=True):
    """The kept parts of a text. Without `missing`, `head` is the whole text."""

    head: str
    tail: str = ""
    missing: str = ""
    """What is left out, in words."""


def excerpt(text: str, limit: int) -> Excerpt:
    """Return at most about `limit` characters of a text, cut at line breaks where that keeps most of them."""
    if len(text) <= limit:
        return Excerpt(head=text)
    head = _whole_lines_at_start(text[: round(limit * _HEAD)])
    tail = _whole_lines_at_end(text[len(text) - (limit - round(limit * _HEAD)) :])
    gone = text[len(head) : len(text) - len(tail)]
    lines = gone.count("\n")
    what = f"{lines:,} lines ({len(gone):,} characters)" if lines > 1 else f"{len(gone):,} characters"
    return Excerpt(head=head, tail=tail, missing=f"{what} not shown")


def one_line(text: str, limit: int) -> str:
    """Return the text on one line of at most `limit` characters."""
    line = " ".join(text[: 4 * limit].split())
    return line if len(line) <= limit and len(text) <= 4 * limit else f"{line[: max(limit - 1, 0)]}…"


def _whole_lines_at_start(part: str) -> str:
    at = part.rfind("\n") + 1
    return part[:at] if at > len(part) // 2 else part


def _whole_lines_at_end(part: str) -> str:
    at = part.find("\n") + 1
    return part[at:] if 0 < at < len(part) // 2 else part
