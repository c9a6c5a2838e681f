"""The tables that a run prints at its end."""

from collections.abc import Iterator, Mapping


class Tables:
    """Rows under a title; the rows of a title have the same columns."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Mapping[str, object]]] = {}

    def add(self, title: str, **row: object) -> None:
        """Add a row; each keyword is a column, `_` stands for a space in its title."""
        self._rows.setdefault(title, []).append(row)

    def lines(self) -> Iterator[tuple[str, list[str]]]:
        """Each title with its lines, the columns aligned."""
        for title, rows in self._rows.items():
            cells = [
                [name.replace("_", " ") for name in rows[0]],
                *([str(cell) for cell in row.values()] for row in rows),
            ]
            widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
            yield title, ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
