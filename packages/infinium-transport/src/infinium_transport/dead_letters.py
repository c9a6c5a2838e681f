"""Traces the server will not accept as they are, each with the reason beside it."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport._trace_directory import TraceDirectory
from infinium_transport.model import DeadLetter, Queued

WHY: Final = ".why"


class _Why(Struct, frozen=True, kw_only=True):
    """What lies beside a dead letter."""

    reason: str
    status: int | None
    words: str
    since: float


class DeadLetters:
    """`<key>.trace` as it was queued, and `<key>.why` with reason, status and the server's words."""

    def __init__(self, traces: TraceDirectory) -> None:
        self.traces = traces

    def has(self, key: str) -> bool:
        """Whether the trace of a (checked) key lies here."""
        return self.traces.file(key).exists()

    def add(self, queued: Queued, *, reason: str, status: int | None, words: str, now: float) -> None:
        """Take a trace over from the queue."""
        why = _Why(reason=reason, status=status, words=words, since=now)
        directory = self.traces.directory
        _files.make_private_directory(directory)
        # The reason first: the trace itself moves in one step, and a reason without a trace is nothing.
        _files.replace(self._why(queued.key), encode_json(why), durable=True)
        with suppress(FileNotFoundError):
            queued.path.rename(self.traces.file(queued.key))
        _files.sync_directory(directory)
        _files.sync_directory(queued.path.parent)

    def all(self) -> list[DeadLetter]:
        """The dead letters, oldest trace first."""
        letters = []
        for queued in self.traces.scan():
            why = read_json(self._why(queued.key), _Why) or _Why(
                reason="unknown", status=None, words="", since=queued.created
            )
            letters.append(
                DeadLetter(
                    key=queued.key,
                    path=queued.path,
                    reason=why.reason,
                    status=why.status,
                    words=why.words,
                    since=why.since,
                )
            )
        return letters

    def revive(self, key: str | None, *, into: TraceDirectory, now: float) -> int:
        """Move one dead letter, or all, back into the queue, last in line; return how many."""
        count = 0
        for queued in list(self.traces.scan()):
            if key is not None and queued.key != key:
                continue
            # A new time, or the limit on age could drop at once what was just brought back.
            _files.set_time(queued.path, now)
            queued.path.rename(into.file(queued.key))
            self.forget(queued.key)
            count += 1
        if count:
            _files.sync_directory(into.directory)
            _files.sync_directory(self.traces.directory)
        return count

    def forget(self, key: str) -> None:
        """Remove the reason of a trace that is not here any more."""
        self._why(key).unlink(missing_ok=True)

    def _why(self, key: str) -> Path:
        return self.traces.directory / (key + WHY)
