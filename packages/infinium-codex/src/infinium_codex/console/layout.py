"""Lays out a command's lines: plain for pipes and files, wrapped between words on a terminal."""

import re
import textwrap
from collections.abc import Sequence

from infinium_codex.support.result import Row

COLUMN_GAP = "  "
_FIRST_COLUMN = re.compile(r"\s*\S+(?: \S+)*\s{2,}|\s+")
"""The indentation of a line, or its first column: text that two spaces separate from the rest."""


def plain_rows(rows: Sequence[Row]) -> list[str]:
    """Align the rows in columns. The last column is as long as its text; a row of one cell is a line of its own."""
    widths = column_widths(rows)
    return [
        COLUMN_GAP.join([*(f"{cell:<{widths[i]}}" for i, cell in enumerate(row.cells[:-1])), row.cells[-1]]).rstrip()
        for row in rows
    ]


def wrap(line: str, width: int) -> list[str]:
    """Wrap a line between words. Further lines are indented as the text behind the first column is."""
    found = _FIRST_COLUMN.match(line)
    indent = len(found[0]) if found and len(found[0]) <= width // 2 else 0
    wrapped = textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,  # a path or an address is copied as a whole
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return wrapped or [""]


def column_widths(rows: Sequence[Row]) -> list[int]:
    """The widths of all columns but the last."""
    columns = max((len(row.cells) for row in rows), default=1) - 1
    return [max((len(row.cells[i]) for row in rows if len(row.cells) > i + 1), default=0) for i in range(columns)]
