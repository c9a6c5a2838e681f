"""Remembers when recording was paused, after the files of the sessions are gone.

`pause` and `resume` write their times for the project. The marks of a session (`session/pauses.py`) are copied here
before its files are removed. Turns of those times are never traced from a transcript later.
"""

import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from infinium_config.files import write_atomically
from msgspec import Struct

from infinium_codex.session.files import SPOOL_SUFFIX, SessionFiles
from infinium_codex.session.pauses import read_marks
from infinium_codex.support.paths import Places
from infinium_codex.support.spool_directories import find_spool_directories

_MAX_BYTES = 1 << 20
_BEFORE_MS = 1_000
"""The mark of a prompt may be this much earlier than the transcript's record of the turn's start."""
_NEVER = 1 << 62


class _Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log: a change of a project, or the marks of a session."""

    at_ms: int
    config: str = ""
    """The project file that was changed."""
    paused: bool = False
    session: str = ""
    marks: tuple[int, ...] = ()


class PauseLog:
    """The log of this user's pauses, in the state directory."""

    def __init__(self, places: Places) -> None:
        self._file = places.state / "pauses.jsonl"
        self._places = places

    def note_project(self, config_path: Path, *, paused: bool) -> None:
        """Note that recording in a project was paused or resumed now. Raises OSError."""
        self._append(_Line(at_ms=_now_ms(), config=str(config_path), paused=paused))

    def note_session(self, files: SessionFiles) -> None:
        """Note the marks of a session whose files are about to be removed. Raises OSError."""
        marks = read_marks(files.spool)
        if marks:
            self._append(_Line(at_ms=_now_ms(), session=files.session_id, marks=tuple(marks[-1_000:])))

    def read(self) -> "Pauses":
        """Return all pauses that are known."""
        return Pauses(self._lines(), find_spool_directories(self._places))

    def _lines(self) -> list[_Line]:
        try:
            content = self._file.read_bytes()
        except OSError:
            return []
        found = []
        for line in content.splitlines():
            try:
                found.append(msgspec.json.decode(line, type=_Line))
            except ValueError:
                continue  # torn by a crash
        return found

    def _append(self, line: _Line) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self._file, flags, 0o600), "ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
            size = file.tell()
        if size > _MAX_BYTES:
            lines = self._file.read_bytes().splitlines(keepends=True)
            write_atomically(self._file, b"".join(lines[len(lines) // 2 :]))


class Pauses:
    """The times at which recording was paused."""

    def __init__(self, lines: Iterable[_Line], spools: Sequence[Path]) -> None:
        """`spools` are the directories in which sessions may have marks."""
        self._spools = spools
        self._sessions: dict[str, list[int]] = {}
        self._projects: dict[str, list[tuple[int, int]]] = {}
        for line in lines:
            if line.session:
                self._sessions.setdefault(line.session, []).extend(line.marks)
                continue
            times = self._projects.setdefault(line.config, [])
            if line.paused:
                times.append((line.at_ms, _NEVER))
            elif times and times[-1][1] == _NEVER:
                times[-1] = (times[-1][0], line.at_ms)
            elif not times:
                times.append((0, line.at_ms))  # the start of the pause is not in the log any more

    def covers(self, session: str, config_path: Path | None, started_ms: int, ended_ms: int) -> bool:
        """Return whether recording was paused at any time between two, in the session or its project."""
        marks = [*self._sessions.get(session, ())]
        for directory in self._spools:
            marks += read_marks(directory / f"{session}{SPOOL_SUFFIX}")
        if any(started_ms - _BEFORE_MS <= mark <= ended_ms for mark in marks):
            return True
        times = self._projects.get(str(config_path), ()) if config_path is not None else ()
        return any(start < ended_ms and started_ms < end for start, end in times)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
