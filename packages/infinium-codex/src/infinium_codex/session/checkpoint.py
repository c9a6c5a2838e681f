"""How far the worker got with a session: kept beside its spool, written once its traces are safe in the outbox."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from infinium_codex.agent import Offset, TranscriptPosition

SUFFIX = ".state"
_REMEMBERED = 64


class Mark(Struct, frozen=True, kw_only=True):
    """A place from which spool and transcript can be read on."""

    spool: Offset = 0
    """Offset in the spool file."""
    head: int = 0
    """Checksum of that file's first line: the offset means nothing in a spool started anew since."""
    transcript: TranscriptPosition = TranscriptPosition()


class Checkpoint(Struct, frozen=True, kw_only=True):
    """The worker's memory of one session. Losing it costs time, not traces: they are told apart by their keys."""

    schema: Literal[1] = 1
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
    """Subagents of those turns, and the turns of their own in which they worked for them, for the same reason."""
    told: tuple[str, ...] = ()
    """What was done when the last summary was made: no turn of it is in the next."""
    untold: tuple[str, ...] = ()
    """Turns that are done and in no summary, and whose spool somebody else removed: the transcript alone has them."""

    @property
    def owed(self) -> tuple[str, ...]:
        """Turns the next summary is to tell of."""
        return tuple(turn for turn in self.done if turn not in self.told)

    def without_spool(self, head: int) -> Self:
        """The same where its spool was removed, and one that begins with `head`, or none at all, is in its place."""
        end = self.summary_end and replace(self.summary_end, spool=0, head=head)
        return replace(self, summary=replace(self.summary, spool=0, head=head), summary_end=end, untold=self.owed)

    def save(self, path: Path) -> None:
        """Write it in place of the last one, whole or not at all."""
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(self))
        aside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The checkpoint at `path`; the beginning when there is none or anything in it does not fit."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, ValueError, RecursionError):
            return cls()


def remember(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    """What is known, with more added; only as many as can still have a late event."""
    return (*known, *(one for one in more if one not in known))[-_REMEMBERED:]
