"""What a command gives back, and what it may ask of the world: commands return, one place prints."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TextIO

from msgspec import Struct, field

from infinium_codex.support.paths import Places

SCHEMA = 1
"""Version of the JSON that `--json` prints."""


class CommandContext(Struct, frozen=True, kw_only=True):
    """The world a command runs in."""

    environ: Mapping[str, str]
    cwd: Path
    places: Places
    stdin: TextIO
    interactive: bool
    """Whether a person can be asked."""
    ask: Callable[[str, bool], str]
    """Ask the person a question; the second argument hides what is typed."""


class Result(Struct, frozen=True, kw_only=True):
    """The outcome of a command: lines for a person, data for a program."""

    ok: bool
    exit_code: int
    lines: tuple[str, ...]
    data: Mapping[str, object] = field(default_factory=dict)
    asked_for: bool = False
    """Whether the lines are what was asked for, whatever came of it: they then go to standard output."""

    @classmethod
    def success(cls, lines: tuple[str, ...], data: Mapping[str, object] | None = None) -> Self:
        return cls(ok=True, exit_code=0, lines=lines, data=data or {})

    @classmethod
    def failure(
        cls, what: str, hint: str = "", *, exit_code: int = 1, data: Mapping[str, object] | None = None
    ) -> Self:
        """`what` happened, and what the person can do about it."""
        lines = (what, hint) if hint else (what,)
        return cls(ok=False, exit_code=exit_code, lines=lines, data={"error": what, "hint": hint, **(data or {})})

    def to_json(self) -> dict[str, object]:
        return {"schema": SCHEMA, "ok": self.ok, "exit_code": self.exit_code, **self.data}


class CommandError(Exception):
    """Ends a command with a failure: what happened, and what to do."""

    def __init__(self, what: str, hint: str = "", *, exit_code: int = 1) -> None:
        super().__init__(what)
        self.result = Result.failure(what, hint, exit_code=exit_code)


def describe(error: Exception) -> Result:
    """An error nobody planned for, told without a traceback."""
    from infinium_config import InfiniumConfigError
    from infinium_transport import InfiniumTransportError

    if isinstance(error, InfiniumConfigError | InfiniumTransportError):
        return Result.failure(str(error))
    hint = "INFINIUM_DEBUG=1 shows where it happened."
    if isinstance(error, OSError):
        return Result.failure(f"{error.filename or 'The system'}: {error.strerror or error}.", hint)
    return Result.failure(f"Something unexpected happened: {type(error).__name__}: {error}", hint)
