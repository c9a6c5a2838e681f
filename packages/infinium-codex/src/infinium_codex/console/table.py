"""Draws the rows of `status` and `doctor` on a terminal, in columns and colours."""

import sys
from collections.abc import Sequence

from infinium_codex.console.layout import column_widths
from infinium_codex.console.safe_text import safe
from infinium_codex.support.result import Mark, Row

_STYLES = {Mark.OK: "green", Mark.WARNING: "yellow", Mark.PROBLEM: "bold red", Mark.UNKNOWN: "cyan", Mark.TITLE: "bold"}


def draw(rows: Sequence[Row], width: int, *, colour: bool) -> list[str]:
    """The lines of the rows, at most `width` columns wide, with escape sequences where `colour` is true."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(
        width=width, force_terminal=colour, no_color=not colour, highlight=False, emoji=False, file=sys.stdout
    )
    widths = column_widths(rows)
    with console.capture() as capture:
        for block in _blocks(rows):
            if len(block[0].cells) == 1:
                for row in block:
                    console.print(Text(safe(row.cells[0]), style=_style(row) if colour else ""))
                continue
            table = Table.grid(padding=(0, 2, 0, 0))
            for column in widths[: len(block[0].cells) - 1]:
                table.add_column(no_wrap=True, min_width=column)
            table.add_column(overflow="fold")
            for row in block:
                style = _style(row) if colour else ""
                table.add_row(Text(safe(row.cells[0]), style=style), *(Text(safe(cell)) for cell in row.cells[1:]))
            console.print(table)
    return [line.rstrip() for line in capture.get().splitlines()]


def _style(row: Row) -> str:
    return _STYLES.get(row.mark, "") if row.mark is not None else ""


def _blocks(rows: Sequence[Row]) -> list[list[Row]]:
    """The rows in groups with the same number of cells: each group is one table."""
    blocks: list[list[Row]] = []
    for row in rows:
        if blocks and len(blocks[-1][0].cells) == len(row.cells):
            blocks[-1].append(row)
        else:
            blocks.append([row])
    return blocks
