"""What a command receives and returns. A command prints nothing: `console.run` prints its result."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import Protocol, Self, TextIO

from msgspec import Struct, field

from infinium_codex.support.paths import Places

SCHEMA = 1
"""Version of the JSON that `--json` prints."""


class CommandContext(Struct, frozen=True, kw_only=True):
    """The surroundings of a command."""

    environ: Mapping[str, str]
    cwd: Path
    places: Places
    stdin: TextIO
    interactive: bool
    """Whether a person can answer questions."""
    width: int
    """Columns of the terminal; 100 where the output goes elsewhere."""
    to_terminal: bool
    """Whether standard output is a terminal."""
    ask: Callable[[str, bool], str]
    """Ask a question and return the answer. With True as second argument the typed text is hidden."""
    progress: Callable[[str], None]
    """Say on standard error what is being done. CONNECTOR_QUIET turns it off."""
    progress_bar: Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
    """Show how much of a long task is done: a label and the total; the returned function takes what is done so far."""


class Mark(StrEnum):
    """What a row says, which a terminal shows as a colour."""

    TITLE = "title"
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNKNOWN = "unknown"


class Row(Struct, frozen=True, kw_only=True):
    """A line in columns. The last cell may be long; a terminal wraps it in its column."""

    cells: tuple[str, ...]
    mark: Mark | None = None
    """Colour of the first cell."""


class Drawing(Protocol):
    """Something that draws itself at the width of the terminal."""

    def draw(self, width: int, *, colour: bool) -> list[str]:
        """Return the lines, with escape sequences if `colour` is true. All texts in it are safe to print."""


class Result(Struct, frozen=True, kw_only=True):
    """The result of a command: lines for a person, data for a program."""

    ok: bool
    exit_code: int
    lines: tuple[str, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    to_stdout: bool = False
    """Whether the lines of a failure go to standard output too: they are the report that was asked for."""
    rows: tuple[Row, ...] = ()
    """Lines in columns, printed instead of `lines`."""
    verbatim: bool = False
    """Whether the lines are a file or a script, which must not be wrapped."""
    follow: Iterable[str] = ()
    """Further lines, each printed as it comes."""
    drawing: Drawing | None = None
    """What is printed instead of `lines`."""

    @classmethod
    def success(cls, lines: tuple[str, ...], data: Mapping[str, object] | None = None) -> Self:
        return cls(ok=True, exit_code=0, lines=lines, data=data or {})

    @classmethod
    def drawn(cls, drawing: Drawing, data: Mapping[str, object]) -> Self:
        """A success that is drawn, page by page if it is long."""
        return cls(ok=True, exit_code=0, drawing=drawing, data=data)

    @classmethod
    def failure(
        cls, what: str, hint: str = "", *, exit_code: int = 1, data: Mapping[str, object] | None = None
    ) -> Self:
        """A failure: `what` failed, and a `hint` on what to do."""
        lines = (what, hint) if hint else (what,)
        return cls(ok=False, exit_code=exit_code, lines=lines, data={"error": what, "hint": hint, **(data or {})})

    def to_json(self) -> dict[str, object]:
        return {"schema": SCHEMA, "ok": self.ok, "exit_code": self.exit_code, **self.data}


class CommandError(Exception):
    """Ends a command with a failure: what failed, and what to do."""

    def __init__(self, what: str, hint: str = "", *, exit_code: int = 1) -> None:
        super().__init__(what)
        self.result = Result.failure(what, hint, exit_code=exit_code)


def failure_of(error: Exception) -> Result:
    """The result for an unexpected exception, without a traceback."""
    from infinium_config import InfiniumConfigError
    from infinium_transport import InfiniumTransportError

    if isinstance(error, InfiniumConfigError | InfiniumTransportError):
        return Result.failure(str(error))
    hint = "Set INFINIUM_DEBUG=1 to see the traceback."
    if isinstance(error, OSError):
        what = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "A system call failed"
        return Result.failure(f"{what}: {error.strerror or error}.", hint)
    return Result.failure(f"Unexpected error ({type(error).__name__}): {error}", hint)
