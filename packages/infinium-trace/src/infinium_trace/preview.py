"""Cleans texts, and truncates them to their head and tail with a mark that counts the missing characters."""

import unicodedata

from infinium_trace.lazy_pattern import lazy_pattern

_ESCAPE = lazy_pattern(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles, links; an unterminated one ends with its line
    r"|[PX^_](?:[^\x1b]*\x1b\\)?"  # images; only the start of an unterminated one is removed
    r"|[ -/]+[0-~]|[0-Z\\-~])"  # character sets, modes
)
_CONTROL = lazy_pattern(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = lazy_pattern(r"[\ud800-\udfff]")
_JOINER = "\u200d"
_FEWEST = 8
"""Fewest characters that are kept beside a mark. A shorter preview has no count."""


def clean(text: str) -> str:
    """Return the text without terminal escapes and control characters.

    A carriage return becomes a line break, a lone surrogate becomes U+FFFD.
    """
    text = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def preview(text: str, limit: int, *, tail: float = 0.0) -> str:
    """Return at most `limit` characters of the cleaned text, with a mark in place of what is missing.

    `tail` is the share of the kept characters that is taken from the end of the text, from 0 to 1.
    """
    text = clean(text)
    return text if len(text) <= limit else preview_of_ends(text, text, len(text), limit, tail=tail)


def preview_of_ends(beginning: str, end: str, length: int, limit: int, *, tail: float = 0.0) -> str:
    """Return a preview of a text of `length` characters, more than `limit`, of which both ends are known.

    `beginning` and `end` are cleaned and have more than `limit` characters each, or are the whole text.
    """
    if limit <= 0:
        return ""
    mark = _mark(length, has_tail=tail > 0)
    room = limit - len(mark)
    if room < _FEWEST:
        return clip(beginning, limit)
    kept_of_end = int(room * tail)
    head = beginning[: _head_end(beginning, room - kept_of_end)]
    rest = end[_tail_start(end, len(end) - kept_of_end) :]
    return f"{head}{_mark(length - len(head) - len(rest), has_tail=bool(rest))}{rest}"


def clip(line: str, limit: int) -> str:
    """Return at most `limit` characters of a cleaned line, for a title: with an ellipsis, without a count."""
    return line if len(line) <= limit else f"{line[: _head_end(line, limit - 1)]}…" if limit > 0 else ""


def _mark(missing: int, *, has_tail: bool) -> str:
    return f"… [+{missing:,} characters]" + (" …" if has_tail else "")


def _head_end(text: str, end: int) -> int:
    """Return `end` or an index before it, so that no letter loses its accents and no joined emoji is split."""
    while end > 0 and (_is_joined(text, end)):
        end -= 1
    return end


def _tail_start(text: str, start: int) -> int:
    """Return `start` or an index behind it, for the same reason."""
    while start < len(text) and _is_joined(text, start):
        start += 1
    return start


def _is_joined(text: str, index: int) -> bool:
    """Whether the character at the index belongs to the one before it."""
    if not 0 < index < len(text):
        return False
    return unicodedata.category(text[index]).startswith("M") or _JOINER in (text[index], text[index - 1])
