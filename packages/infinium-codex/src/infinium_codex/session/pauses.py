"""Keeps out of traces what happened while recording was paused: the transcript goes on meanwhile.

While a project is paused, the hook writes only the time of each event, to a file beside the spool. `pause` and `resume`
write theirs. From the last event before such a mark to the first event behind it, nothing of the transcripts is used:
when exactly the user paused is not known if the project file was edited by hand.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from infinium_codex.capture.frame import PROJECT
from infinium_codex.capture.inbox import collect_events
from infinium_codex.capture.records import Record, read_records

PAUSES_SUFFIX = ".paused"


class HookTime(Struct, frozen=True):
    """When a hook recorded an event, in epoch milliseconds, and the turn that the event began."""

    at_ms: int
    begun_turn: str | None = None


class Pause(Struct, frozen=True, kw_only=True):
    """Times, in epoch milliseconds, between which recording was paused."""

    start_ms: int
    end_ms: int
    next_turn: str | None = None
    """The turn whose prompt ended the pause. The transcript may have its first records before its hook has run."""

    def covers(self, at_ms: int, turn_id: str | None) -> bool:
        """Whether an event of the transcript at this time is left out."""
        return self.start_ms < at_ms < self.end_ms and (turn_id is None or turn_id != self.next_turn)


NEVER = 1 << 62


def read_marks(spool: Path) -> list[int]:
    """The times of events during pauses of the session with this spool, in epoch milliseconds."""
    try:
        lines = spool.with_suffix(PAUSES_SUFFIX).read_bytes().splitlines()
    except OSError:
        return []
    return sorted(int(line) // 1_000_000 for line in lines if line.isdigit())


def find_pauses(marks: Sequence[int], recorded: Sequence[HookTime]) -> tuple[Pause, ...]:
    """The pauses of a session from the times of its marks and of the events that were recorded."""
    times = sorted(recorded, key=lambda found: found.at_ms)
    pauses: dict[int, Pause] = {}
    for mark in marks:
        before = [found.at_ms for found in times if found.at_ms <= mark]
        after = next((found for found in times if found.at_ms > mark), None)
        start = before[-1] if before else 0
        end, turn = (NEVER, None) if after is None else (after.at_ms, after.begun_turn)
        pauses[start] = Pause(start_ms=start, end_ms=end, next_turn=turn)
    return tuple(pauses.values())


def mark_sessions(directory: Path, config_path: Path) -> None:
    """Mark now as a time of a pause in every open session of a project."""
    mark = b"%d\n" % time.time_ns()
    collect_events(str(directory))
    for spool in directory.glob("*.spool"):
        if _project_of(spool) == os.fsencode(config_path):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(spool.with_suffix(PAUSES_SUFFIX), flags, 0o600), "ab") as file:
                file.write(mark)


def _project_of(spool: Path) -> bytes | None:
    """The project file of the session's last prompt."""
    found = None
    with spool.open("rb") as file:
        for record in read_records(file):
            if isinstance(record, Record) and record.event == PROJECT:
                found = record.payload.partition(b"\0")[0]
    return found
