"""The ledger: what was sent, what was given up or dropped, and what went wrong; it answers offline."""

from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.json import decode as decode_json

from infinium_transport import _files
from infinium_transport._json import encode_json
from infinium_transport._trace_directory import TraceDirectory
from infinium_transport.errors import UnreadableTraceError
from infinium_transport.model import Entry, EntryKind, Envelope, OutboxLimits, Queued
from infinium_transport.trace_file import check_key

MAX_LOG_BYTES: Final = 8 * 1024 * 1024
"""A log that has grown to this becomes the old one, and the old one before it goes."""
_FEW: Final = 8
KEPT_PAYLOADS: Final = OutboxLimits(count=2_000, size=128 * 1024 * 1024, age=30 * 86_400.0)
"""How many sent traces are kept for `show`."""


class Ledger:
    """A log of JSON lines, the newest last, and copies of the traces that were sent.

    Writing raises StorageError when the disk will not have it. A line torn by a crash costs itself.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.sent = directory / "sent"
        """Where the outbox leaves a trace's file once it was sent."""
        self._log = directory / "ledger.jsonl"
        self._old = directory / "ledger.old.jsonl"
        self._payloads = TraceDirectory(self.sent, corrupt=directory / "corrupt")

    def record_sent(self, envelope: Envelope, trace_id: str | None, *, when: float) -> None:
        """Note that a destination has the trace. A power cut can take the note back until `sync` was called."""
        self._write(
            Entry(
                kind=EntryKind.sent,
                when=when,
                key=envelope.key,
                agent_id=envelope.agent_id,
                trace_id=trace_id,
                where=envelope.base_url,
                message=envelope.name,
                size=len(envelope.body),
                labels=dict(envelope.labels),
            )
        )

    def sync(self) -> None:
        """Have every entry on disk."""
        with _files.storing("write to the ledger in", self.directory):
            _files.sync(self._log)

    def take_over(self, queued: Queued) -> None:
        """Know a trace as sent by its file alone: on a full disk no line can be written, and a move needs no room."""
        with _files.storing("move a delivered trace to", self.sent):
            queued.path.rename(self.sent / queued.path.name)

    def record_dead(self, envelope: Envelope, reason: str, status: int | None, *, when: float) -> None:
        """Note that a trace became a dead letter."""
        self._write(
            Entry(
                kind=EntryKind.dead,
                when=when,
                key=envelope.key,
                agent_id=envelope.agent_id,
                where=envelope.base_url,
                message=reason,
                status=status,
                size=len(envelope.body),
                labels=dict(envelope.labels),
            )
        )

    def record_drop(self, key: str, reason: str, *, size: int, when: float) -> None:
        """Note that a trace was dropped for the outbox's limits."""
        self._write(Entry(kind=EntryKind.dropped, when=when, key=key, message=reason, size=size))
        self.sync()

    def record_error(self, where: str, message: str, *, when: float, labels: Mapping[str, str] | None = None) -> None:
        """Note that something went wrong in a part of the program."""
        self._write(Entry(kind=EntryKind.error, when=when, where=where, message=message, labels=dict(labels or {})))

    def was_sent(self, key: str) -> bool:
        """Whether the trace of this key was delivered, as far back as the ledger goes."""
        return bool(self.sent_among({check_key(key)}))

    def sent_among(self, keys: Set[str]) -> set[str]:
        """Those of the keys whose trace was delivered. The log is read once for all of them."""
        found = {key for key in keys if self._payloads.file(key).exists()}
        for log in self._logs() if found != keys else ():
            # The usual few are not in it at all, which shows without a look at its lines.
            if len(keys) > _FEW or any(key.encode() in log for key in keys):
                found |= {entry.key for entry in _entries(log) if entry.kind is EntryKind.sent and entry.key in keys}
        return found

    def entries(self, *kinds: EntryKind, newest: int | None = None) -> list[Entry]:
        """The entries of these kinds (all of them when none is named), newest first."""
        found = [entry for log in self._logs() for entry in _entries(log) if not kinds or entry.kind in kinds]
        found.reverse()
        return found if newest is None else found[:newest]

    def payload(self, key: str) -> bytes | None:
        """The body of a sent trace, while it is kept."""
        path = self._payloads.file(check_key(key))
        try:
            return self._payloads.read(Queued(key=key, file=str(path), created=0.0, size=0)).body
        except UnreadableTraceError:
            return None

    def prepare(self) -> None:
        """Make the directories, so that a sent trace can be moved here."""
        with _files.storing("prepare the ledger in", self.directory):
            _files.make_private_directory(self.sent)

    def prune(self, *, now: float) -> None:
        """Drop copies of sent traces beyond what is kept, and turn the log over when it is full."""
        with _files.storing("prune the ledger in", self.directory):
            for dropped in self._payloads.excess(KEPT_PAYLOADS, now=now):
                dropped.path.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                if self._log.stat().st_size > MAX_LOG_BYTES:
                    self._log.replace(self._old)

    def clear(self) -> int:
        """Forget everything; return how many entries there were.

        Sending twice is prevented by the ledger, so this is for a user who asks for it and nobody else.
        """
        count = len(self.entries())
        with _files.storing("clear the ledger in", self.directory):
            for path in (self._log, self._old, *(queued.path for queued in self._payloads.scan())):
                path.unlink(missing_ok=True)
        return count

    def forget(self, before: float, *, dry_run: bool = False) -> list[Path]:
        """Remove what is older than `before`: copies of sent traces, and a log whose last entry is; give the files."""
        with _files.storing("tidy the ledger in", self.directory):
            traces = [queued.path for queued in self._payloads.scan() if queued.created < before]
            places = (self.directory, self.directory / "corrupt")
            kept = [Path(entry.path) for place in places for entry in _files.entries(place)]
            old = [path for path in kept if path.is_file() and path.lstat().st_mtime < before]
            return _files.remove([*traces, *sorted(old)], dry_run=dry_run)

    def _write(self, entry: Entry) -> None:
        line = encode_json(entry)
        with _files.storing("write to the ledger in", self.directory):
            try:
                _files.append_line(self._log, line)
            except FileNotFoundError:
                _files.make_private_directory(self.directory)
                _files.append_line(self._log, line)

    def _logs(self) -> Iterator[bytes]:
        for path in (self._old, self._log):
            with suppress(OSError):
                yield _files.read_regular(path)


def _entries(log: bytes) -> Iterator[Entry]:
    for line in log.split(b"\n"):
        # A line torn by a crash, or of another version, costs itself.
        with suppress(ValueError, RecursionError):
            yield decode_json(line, type=Entry)
