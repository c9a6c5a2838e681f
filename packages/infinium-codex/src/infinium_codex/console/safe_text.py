"""Makes text safe to print: names and messages come from tools, files and servers, and may contain escape sequences."""

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line break, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that change the direction of the text around them
    "\u2028\u2029\ud800-\udfff]"  # line separators, and surrogates, which no encoding has
)
_ASCII = str.maketrans({"…": "...", "–": "-", "×": "x", "→": "->", "█": "#", "·": ".", "│": "|", "─": "-"})


def safe(text: str) -> str:
    """Replace every character that could control a terminal or reorder text by its escape sequence in Python."""
    return _UNSAFE.sub(_escape, text)


def safe_json(text: str) -> str:
    """Replace the same characters in a JSON document by JSON escapes. The document keeps its meaning."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def encodable(text: str, encoding: str) -> str:
    """Replace what the encoding does not have: common signs by ASCII, all else by its escape."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
