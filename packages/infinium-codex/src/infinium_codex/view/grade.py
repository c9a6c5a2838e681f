"""Renders a grade. Its shape is the server's own: what is there is shown as text, number, list or table."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence

_SCORE_NAMES = ("score", "overallscore", "totalscore", "finalscore", "grade", "overallgrade", "rating", "overallrating")
"""Names of the field that holds the score, best first, without case and separators."""
_NUMBER = re.compile(r"\s*([+-]?\d{1,15}(?:\.\d{1,15})?)\s*(?:%|/\s*\d{1,15}(?:\.\d{1,15})?)?\s*")
_MAX_DEPTH = 8
_MAX_LINES = 400
_MAX_CHARACTERS = 2_000
_MAX_NAME = 60
_MAX_CELL = 40
_MOST_COLUMNS = 6


def grade_score(grade: object, field: str | None = None) -> float | None:
    """Return the score of a grade; None if no number can be told to be one.

    `field` names it by its path, such as `evaluation.score`. Otherwise it is the number itself, or the field with a
    name such as `score` that is nearest to the top.
    """
    if field is not None:
        return _number(_at(grade, field))
    level: list[object] = [grade]
    for _ in range(_MAX_DEPTH):
        if len(level) == 1 and (own := _number(level[0])) is not None:
            return own
        for name in _SCORE_NAMES:
            for value in level:
                for key, found in value.items() if isinstance(value, dict) else ():
                    if _plain(key) == name and (number := _number(found)) is not None:
                        return number
        level = [found for value in level if isinstance(value, dict) for found in value.values()]
    return None


def grade_text(grade: object) -> str:
    """Return a grade in a few characters, for a list; empty without one."""
    score = grade_score(grade)
    if score is not None:
        return f"{score:g}"
    if grade is None:
        return ""
    return grade[:12] if isinstance(grade, str) and grade.isprintable() else "graded"


def grade_lines(grade: object) -> tuple[str, ...]:
    """Return a grade as lines for a terminal. Depth, number and length of the lines are limited."""
    lines: list[str] = []
    for line in _lines(grade, 0):
        if len(lines) == _MAX_LINES:
            lines.append("… more in --json")
            break
        lines.append(line)
    return tuple(lines)


def _lines(value: object, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if depth >= _MAX_DEPTH:
        yield f"{indent}…"
    elif isinstance(value, dict):
        yield from _fields(value, depth)
    elif isinstance(value, list):
        columns = _columns(value)
        if columns:
            yield from _table(value, columns, indent)
            return
        for item in value:
            first, *rest = [*_lines(item, depth + 1)] or [""]
            yield f"{indent}- {first.lstrip()}"
            yield from rest
    else:
        yield from (f"{indent}{line}" for line in _text(value).split("\n"))


def _fields(value: Mapping[str, object], depth: int) -> Iterator[str]:
    indent = "  " * depth
    simple = [_name(key) for key, item in value.items() if _is_scalar(item)]
    width = max((len(name) for name in simple), default=0)
    for key, item in value.items():
        if _is_scalar(item):
            first, *rest = _text(item).split("\n")
            yield f"{indent}{_name(key):<{width}}  {first}".rstrip()
            yield from (f"{indent}{'':<{width}}  {line}" for line in rest)
        else:
            yield f"{indent}{_name(key)}"
            yield from _lines(item, depth + 1)


def _columns(rows: Sequence[object]) -> list[str]:
    """The columns of a list of objects that fits into a table; none if it is no such list."""
    if len(rows) < 2 or not all(isinstance(row, dict) for row in rows):
        return []
    objects = [row for row in rows if isinstance(row, dict)]
    columns = list(dict.fromkeys(key for row in objects for key in row))
    cells = (value for row in objects for value in row.values())
    fits = all(_is_scalar(cell) and len(_text(cell)) <= _MAX_CELL and "\n" not in _text(cell) for cell in cells)
    return columns if fits and 0 < len(columns) <= _MOST_COLUMNS else []


def _table(rows: Sequence[object], columns: Sequence[str], indent: str) -> Iterator[str]:
    texts = [[_text(row.get(name, "")) for name in columns] for row in rows if isinstance(row, dict)]
    table = [[_name(name) for name in columns], *texts]
    widths = [max(len(row[number]) for row in table) for number in range(len(columns))]
    for row in table:
        yield indent + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _at(value: object, path: str) -> object:
    for name in path.split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _number(value: object) -> float | None:
    if isinstance(value, str):
        found = _NUMBER.fullmatch(value)
        return float(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _is_scalar(value: object) -> bool:
    return not isinstance(value, dict | list) or not value


def _text(value: object) -> str:
    if value is None or value == [] or value == {}:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    more = len(text) - _MAX_CHARACTERS
    return text if more <= 0 else f"{text[:_MAX_CHARACTERS]}… [+{more:,} characters]"


def _name(key: str) -> str:
    line = " ".join(key.split())
    return line if len(line) <= _MAX_NAME else f"{line[: _MAX_NAME - 1]}…"


def _plain(key: str) -> str:
    return key.replace("_", "").replace("-", "").replace(" ", "").lower()
