"""Prints the result of a command. No other module prints for a command."""

import json
import os
import shutil
import sys
from typing import TextIO

from infinium_codex.console.layout import plain_rows, wrap
from infinium_codex.console.safe_text import safe, safe_json
from infinium_codex.console.streams import write
from infinium_codex.support.result import Result

WIDTH_OF_FILES = 100
"""Columns of what is drawn for a file or a pipe."""
OUTPUT_LOST = 1
"""Exit code of a command that succeeded, and whose output could not be written."""


def print_result(result: Result, *, as_json: bool) -> int:
    """Print a result as text or JSON; returns the exit code."""
    if as_json:
        written = _write_json(result)
    else:
        written = _write_text(result, sys.stdout if result.ok or result.to_stdout else sys.stderr)
    return result.exit_code or (0 if written else OUTPUT_LOST)


def terminal_width(stream: TextIO) -> int | None:
    """The width to wrap lines at; None where the stream is not a terminal."""
    return max(shutil.get_terminal_size().columns, 20) if stream.isatty() else None


def _write_json(result: Result) -> bool:
    is_unicode = sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(result.to_json(), indent=2, ensure_ascii=not is_unicode, default=str)
    return write(sys.stdout, safe_json(text))


def _write_text(result: Result, stream: TextIO) -> bool:
    width = terminal_width(stream)
    if result.drawing is not None:
        from infinium_codex.console.pager import show_paged  # imports subprocess, which most commands do not need

        lines = result.drawing.draw(width or WIDTH_OF_FILES, colour=width is not None and _has_colour())
        if width is not None and show_paged(lines):
            return True
    else:
        lines = _rows(result, width) if result.rows else _lines(result, width)
    if lines and not write(stream, "\n".join(lines)):
        return False
    return all(write(stream, safe(line)) for line in result.follow)


def _rows(result: Result, width: int | None) -> list[str]:
    if width is None:
        return [safe(line) for line in plain_rows(result.rows)]
    from infinium_codex.console.table import draw  # imports rich

    return draw(result.rows, width, colour=_has_colour())


def _has_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _lines(result: Result, width: int | None) -> list[str]:
    lines = [line for text in result.lines for line in safe(text).split("\n")]
    if width is None or result.verbatim:
        return lines
    return [part for line in lines for part in wrap(line, width)]
