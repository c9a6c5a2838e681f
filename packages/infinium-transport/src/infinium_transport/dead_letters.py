"""Traces that the server will never accept as they are, each with the reason beside it."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct, field

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport._trace_directory import TraceDirectory
from infinium_transport.model import DeadLetter, Queued

REASON: Final = ".why"


class _Reason(Struct, frozen=True, kw_only=True):
    """The content of the file beside a dead letter."""

    reason: str
    status: int | None
    message: str = field(name="words")
    since: float


class DeadLetters:
    """`<key>.trace` as it was queued, and `<key>.why` with the reason, the HTTP status and the server's message."""

    def __init__(self, traces: TraceDirectory) -> None:
        self.traces = traces

    def has(self, key: str) -> bool:
        """Whether the trace of a (checked) key is a dead letter."""
        return self.traces.file(key).exists()

    def add(self, queued: Queued, *, reason: str, status: int | None, message: str, now: float) -> None:
        """Move a trace here from the queue."""
        directory = self.traces.directory
        _files.make_private_directory(directory)
        # The reason is written first. The trace itself moves in one step, and a reason without a trace has no effect.
        note = _Reason(reason=reason, status=status, message=message, since=now)
        _files.write_file(self._reason_file(queued.key), encode_json(note), durable=True)
        with suppress(FileNotFoundError):
            _files.move(queued.file, self.traces.file(queued.key))
        _files.sync(directory)
        _files.sync(queued.path.parent)

    def all(self) -> list[DeadLetter]:
        """The dead letters, oldest trace first."""
        return [self._letter(queued) for queued in self.traces.scan()]

    def requeue(self, key: str | None, *, into: TraceDirectory, now: float) -> int:
        """Move one dead letter, or all, to the end of the queue; return how many."""
        count = 0
        for queued in list(self.traces.scan()):
            if key is not None and queued.key != key:
                continue
            # A new time, so that the age limit does not drop at once what was just requeued.
            _files.set_time(queued.path, now)
            _files.move(queued.file, into.file(queued.key))
            self.remove_reason(queued.key)
            count += 1
        if count:
            _files.sync(into.directory)
            _files.sync(self.traces.directory)
        return count

    def remove_reason(self, key: str) -> None:
        """Remove the reason of a trace that is no dead letter any more."""
        _files.remove_file(self._reason_file(key))

    def _letter(self, queued: Queued) -> DeadLetter:
        note = read_json(self._reason_file(queued.key), _Reason) or _Reason(
            reason="unknown", status=None, message="", since=queued.created
        )
        return DeadLetter(
            key=queued.key,
            path=queued.path,
            reason=note.reason,
            status=note.status,
            message=note.message,
            since=note.since,
        )

    def _reason_file(self, key: str) -> Path:
        return self.traces.directory / (key + REASON)
