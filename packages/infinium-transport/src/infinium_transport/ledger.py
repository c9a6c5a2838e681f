"""The ledger: a log of sent traces, dead letters, dropped traces and errors."""

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec.json import decode as decode_json

from infinium_transport import _files
from infinium_transport._json import encode_json
from infinium_transport._trace_directory import TraceDirectory
from infinium_transport.errors import UnreadableTraceError
from infinium_transport.model import Dropped, Entry, EntryKind, Envelope, OutboxLimits, Queued
from infinium_transport.trace_file import check_key

MAX_LOG_BYTES: Final = 8 * 1024 * 1024
"""A larger log is rotated: it replaces the previous old log."""
_FEW: Final = 8
"""Up to so many keys are searched for as text, which is faster than decoding every line."""
KEPT_PAYLOADS: Final = OutboxLimits(count=2_000, size=128 * 1024 * 1024, age=30 * 86_400.0)
"""Limits of the copies of sent traces."""


class Ledger:
    """A log of JSON lines, newest last, and copies of the traces that were sent.

    Methods that write raise StorageError when writing fails. A line torn by a crash affects only itself.
    """

    def __init__(self, directory: Path, *, on_entry: Callable[[Entry], None] | None = None) -> None:
        """`on_entry` is called with each entry that was written, in the thread that wrote it."""
        self.directory = directory
        self._on_entry = on_entry
        self.sent = directory / "sent"
        """Where the files of sent traces are kept."""
        self._log = directory / "ledger.jsonl"
        self._old = directory / "ledger.old.jsonl"
        self._payloads = TraceDirectory(self.sent, corrupt=directory / "corrupt")

    def record_sent(self, envelope: Envelope, trace_id: str | None, *, when: float) -> None:
        """Record that a destination accepted the trace. A power cut can undo the entry until `sync` is called."""
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
        """Wait until every entry is on disk."""
        with _files.storing("write to the ledger in", self.directory):
            _files.sync(self._log)

    def move_to_sent(self, queued: Queued) -> None:
        """Record a trace as sent by its file alone. On a full disk no entry can be written, but a file can be moved."""
        with _files.storing("move a delivered trace to", self.sent):
            _files.move(queued.file, self.sent / queued.path.name)

    def record_dead(self, envelope: Envelope, reason: str, status: int | None, *, when: float) -> None:
        """Record that a trace became a dead letter."""
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

    def record_drop(self, dropped: Dropped, header: Envelope | None, *, when: float) -> None:
        """Record that a trace was dropped. A damaged trace has no `header`. Call `sync` before deleting the trace."""
        self._write(
            Entry(
                kind=EntryKind.dropped,
                when=when,
                key=dropped.key,
                agent_id=header.agent_id if header else "",
                where=header.base_url if header else "",
                message=dropped.reason,
                size=dropped.size,
                labels=dict(header.labels) if header else {},
            )
        )

    def record_error(self, where: str, message: str, *, when: float, labels: Mapping[str, str] | None = None) -> None:
        """Record an error in a part of the program, `where`."""
        self._write(Entry(kind=EntryKind.error, when=when, where=where, message=message, labels=dict(labels or {})))

    def was_sent(self, key: str) -> bool:
        """Whether the trace of this key was sent, as far back as the ledger goes."""
        return bool(self.sent_among({check_key(key)}))

    def sent_among(self, keys: Set[str]) -> set[str]:
        """The keys whose traces were sent. The log is read once for all of them."""
        found = self._payloads.present(keys)
        for log in self._logs() if found != keys else ():
            # Usually none of a few keys is in the log, and a text search shows that without decoding lines.
            if len(keys) > _FEW or any(key.encode() in log for key in keys):
                found |= {entry.key for entry in _entries(log) if entry.kind is EntryKind.sent and entry.key in keys}
        return found

    def entries(self, *kinds: EntryKind, newest: int | None = None) -> list[Entry]:
        """The entries of these kinds (of all kinds when none is given), newest first."""
        found = [entry for log in self._logs() for entry in _entries(log) if not kinds or entry.kind in kinds]
        found.reverse()
        return found if newest is None else found[:newest]

    def payload(self, key: str) -> bytes | None:
        """The body of a sent trace; None when its copy is no longer kept."""
        path = self._payloads.file(check_key(key))
        try:
            return self._payloads.read(Queued(key=key, file=str(path), created=0.0, size=0)).body
        except UnreadableTraceError:
            return None

    def prepare(self) -> None:
        """Create the directories, so that sent traces can be moved here."""
        with _files.storing("prepare the ledger in", self.directory):
            _files.make_private_directory(self.sent)

    def prune(self, *, now: float) -> None:
        """Remove copies of sent traces beyond the limits, and rotate a full log. One process at a time may do this."""
        with _files.storing("prune the ledger in", self.directory):
            for dropped in self._payloads.excess(KEPT_PAYLOADS, now=now):
                _files.remove_file(dropped.path)
            with suppress(FileNotFoundError):
                if self._log.stat().st_size > MAX_LOG_BYTES:
                    _files.move(self._log, self._old)
                    _files.sync(self._old)  # entries that a process added just before and has not synced

    def forget(self, keys: Set[str]) -> None:
        """Remove the entries of these sent traces, and the copies of the traces. Other entries stay.

        Only for a user who asks for it: without its entry, a trace can be sent twice.
        """
        with _files.storing("remove entries from the ledger in", self.directory):
            for key in keys:
                _files.remove_file(self._payloads.file(check_key(key)))
            for path in (self._old, self._log):
                with suppress(FileNotFoundError):
                    self._rewrite(path, keys)

    def remove_older(self, before: float, *, dry_run: bool = False) -> list[Path]:
        """Remove copies of sent traces and logs last written before a time, in seconds since the epoch.

        Returns the files; with `dry_run` it removes none.
        """
        with _files.storing("remove old files of the ledger in", self.directory):
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
        if self._on_entry is not None:
            self._on_entry(entry)

    def _rewrite(self, path: Path, forgotten: Set[str]) -> None:
        """Write a log again without the entries of these sent traces."""
        data = _files.read_file(path)
        kept = [line for line in data.splitlines(keepends=True) if not _is_sent_among(line, forgotten)]
        temporary = _files.write_temporary(path, b"".join(kept), durable=True)
        for line in _files.read_file(path)[len(data) :].splitlines(keepends=True):
            _files.append_line(temporary, line.rstrip(b"\n"))  # written by another process meanwhile
        _files.move(temporary, path)

    def _logs(self) -> Iterator[bytes]:
        """The old log and the log. Another process may rotate them meanwhile, so the newer one is read first."""
        new, old = _read(self._log), _read(self._old)
        if new and old.startswith(new):
            new = b""  # rotated in between
        yield from (old, new)


def _read(log: Path) -> bytes:
    try:
        return _files.read_file(log)
    except OSError:
        return b""


def _is_sent_among(line: bytes, keys: Set[str]) -> bool:
    return any(entry.kind is EntryKind.sent and entry.key in keys for entry in _entries(line))


def _entries(log: bytes) -> Iterator[Entry]:
    for line in log.split(b"\n"):
        # A line that is torn by a crash or written by another version is skipped.
        with suppress(ValueError, RecursionError):
            yield decode_json(line, type=Entry)
