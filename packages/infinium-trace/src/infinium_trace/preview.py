"""Cleans texts, and truncates them with a mark that counts the missing characters."""

import re
import unicodedata

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles, links; an unterminated one ends with its line
    r"|[PX^_](?:[^\x1b]*\x1b\\)?"  # images; only the start of an unterminated one is removed
    r"|[ -/]+[0-~]|[0-Z\\-~])"  # character sets, modes
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_JOINER = "\u200d"


def clean(text: str) -> str:
    """Return the text without terminal escapes and control characters.

    A carriage return becomes a line break, a lone surrogate becomes U+FFFD.
    """
    text = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def preview(text: str, limit: int, *, length: int | None = None) -> str:
    """Return at most `limit` characters of the cleaned text, with a mark if it was truncated.

    `length` is the length of the whole text if `text` is only its beginning, of at least `limit` + 1 characters.
    """
    text = clean(text)
    length = len(text) if length is None else length
    if length <= limit:
        return text
    end = max(limit, 0)
    while end > 0 and (
        unicodedata.category(text[end]).startswith("M") or text[end] == _JOINER or text[end - 1] == _JOINER
    ):
        end -= 1  # do not split a letter from its accents, or a joined emoji
    return f"{text[:end]}… [+{length - end:,} characters]"
