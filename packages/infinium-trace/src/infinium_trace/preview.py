"""Previews: the beginning of a text, fit to read, with a mark that counts what is missing."""

import re
import unicodedata

_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles, links; one never closed ends with its line
    r"|[PX^_](?:[^\x1b]*\x1b\\)?"  # pictures; of one never closed only the beginning goes
    r"|[ -/]+[0-~]|[0-Z\\-~])"  # character sets, modes
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_JOINER = "\u200d"


def clean(text: str) -> str:
    """The text without terminal escapes and control characters; a carriage return ends a line, half a pair shows."""
    text = _ESCAPE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def preview(text: str, limit: int, *, length: int | None = None) -> str:
    """At most `limit` characters of the cleaned text and, when something is missing, how many characters that is.

    `length` is how long a text is whose beginning alone is at hand, `limit` characters and one more at least.
    """
    text = clean(text)
    length = len(text) if length is None else length
    if length <= limit:
        return text
    end = max(limit, 0)
    while end > 0 and (
        unicodedata.category(text[end]).startswith("M") or text[end] == _JOINER or text[end - 1] == _JOINER
    ):
        end -= 1  # a letter stays with its accents, a joined sign whole
    return f"{text[:end]}… [+{length - end:,} characters]"
