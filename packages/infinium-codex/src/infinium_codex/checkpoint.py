"""How far the worker got with a session: kept beside its spool, written once its traces are safe in the outbox."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from infinium_codex.fields import integer, mapping, parse_object, text
from infinium_codex.transcript import Position

SUFFIX = ".state"
_REMEMBERED = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A place from which spool and transcript can be read on."""

    spool: int = 0
    """Offset in the spool file."""
    head: int = 0
    """Checksum of that file's first line: the offset means nothing in a spool started anew since."""
    transcript: Position = field(default_factory=Position)
    transcript_head: int = 0
    """The same for the transcript: another one may have taken its place."""

    def to_dict(self) -> dict[str, object]:
        return {
            "spool": self.spool,
            "head": self.head,
            "transcript": self.transcript.to_dict(),
            "transcript_head": self.transcript_head,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, object]) -> Self:
        return cls(
            spool=max(integer(record, "spool") or 0, 0),
            head=integer(record, "head") or 0,
            transcript=Position.from_dict(mapping(record, "transcript")),
            transcript_head=integer(record, "transcript_head") or 0,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """The worker's memory of one session. Losing it costs time, not traces: they are told apart by their keys."""

    cwd: str | None = None
    transcript_path: str | None = None
    next: Mark = field(default_factory=Mark)
    """Where the next turn's reading begins."""
    summary: Mark = field(default_factory=Mark)
    """Where the session's next summary begins."""
    summary_end: Mark | None = None
    """Where the summary ends that is being queued: a worker killed then queues the very same turns again."""
    part: int = 1
    """Number of that summary: the session's first, or a further one after the user came back."""
    done: tuple[str, ...] = ()
    """Turns already traced, newest last: a late event of theirs (an async hook) opens nothing."""
    done_agents: tuple[str, ...] = ()
    """Subagents of those turns, for the same reason."""
    told: tuple[str, ...] = ()
    """What was done when the last summary was made: no turn of it is in the next."""

    def save(self, path: Path) -> None:
        """Write it in place of the last one, whole or not at all."""
        record = {
            "schema": 1,
            "cwd": self.cwd,
            "transcript_path": self.transcript_path,
            "next": self.next.to_dict(),
            "summary": self.summary.to_dict(),
            "summary_end": None if self.summary_end is None else self.summary_end.to_dict(),
            "part": self.part,
            "done": list(self.done),
            "done_agents": list(self.done_agents),
            "told": list(self.told),
        }
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(json.dumps(record).encode())
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The checkpoint at `path`; the beginning when there is none or it cannot be read."""
        try:
            record = parse_object(path.read_bytes())
        except OSError:
            record = None
        if record is None:
            return cls()
        end = mapping(record, "summary_end")
        return cls(
            cwd=text(record, "cwd"),
            transcript_path=text(record, "transcript_path"),
            next=Mark.from_dict(mapping(record, "next")),
            summary=Mark.from_dict(mapping(record, "summary")),
            summary_end=Mark.from_dict(end) if end else None,
            part=integer(record, "part") or 1,
            done=_texts(record, "done"),
            done_agents=_texts(record, "done_agents"),
            told=_texts(record, "told"),
        )


def remember(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """What is known, with more added; only as many as can still have a late event."""
    return (*known, *(one for one in more if one not in known))[-_REMEMBERED:]


def _texts(record: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = record.get(key)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
