"""The ledger: what was sent, what was given up or dropped, and what went wrong; it answers offline."""

from collections.abc import Iterator, Mapping
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
        """Note that a destination has the trace. On disk when this returns: the trace is then removed."""
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
                labels=envelope.labels,
            ),
            durable=True,
        )

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
                labels=envelope.labels,
            )
        )

    def record_drop(self, key: str, reason: str, *, size: int, when: float) -> None:
        """Note that a trace was dropped for the outbox's limits."""
        self._write(Entry(kind=EntryKind.dropped, when=when, key=key, message=reason, size=size), durable=True)

    def record_error(self, where: str, message: str, *, when: float, labels: Mapping[str, str] | None = None) -> None:
        """Note that something went wrong in a part of the program."""
        self._write(Entry(kind=EntryKind.error, when=when, where=where, message=message, labels=labels or {}))

    def was_sent(self, key: str) -> bool:
        """Whether the trace of this key was delivered, as far back as the ledger goes."""
        if (self.sent / f"{check_key(key)}.trace").exists():
            return True
        return any(entry.kind is EntryKind.sent and entry.key == key for entry in self._entries(containing=key))

    def entries(self, *kinds: EntryKind, newest: int | None = None) -> list[Entry]:
        """The entries of these kinds (all of them when none is named), newest first."""
        found = [entry for entry in self._entries() if not kinds or entry.kind in kinds]
        found.reverse()
        return found if newest is None else found[:newest]

    def payload(self, key: str) -> bytes | None:
        """The body of a sent trace, while it is kept."""
        path = self._payloads.file(check_key(key))
        try:
            return self._payloads.read(Queued(key=key, path=path, created=0.0, size=0)).body
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

    def _write(self, entry: Entry, *, durable: bool = False) -> None:
        data = encode_json(entry)
        with _files.storing("write to the ledger in", self.directory):
            _files.make_private_directory(self.directory)
            _files.append_line(self._log, data)
            if durable:
                _files.sync(self._log)

    def _entries(self, *, containing: str = "") -> Iterator[Entry]:
        needle = containing.encode()
        for path in (self._old, self._log):
            try:
                data = _files.read_regular(path)
            except OSError:
                continue
            if needle not in data:
                continue
            for line in data.split(b"\n"):
                if needle in line and (entry := _entry(line)) is not None:
                    yield entry


def _entry(line: bytes) -> Entry | None:
    try:
        return decode_json(line, type=Entry)
    except (ValueError, RecursionError):
        return None  # torn by a crash, or of another version: it costs itself
