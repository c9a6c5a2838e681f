"""The destination `local`: traces are kept on this machine, as plain JSON files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct

from infinium_transport import _files
from infinium_transport.model import Accepted, Envelope, OutboxLimits
from infinium_transport.trace_file import check_key, is_key

_SUFFIX: Final = ".json"
KEPT_TRACES: Final = OutboxLimits(count=20_000, size=2 * 1024**3, age=365 * 86_400.0)
"""Limits of the local traces. They are larger than those of the copies of sent traces: these exist nowhere else."""


class StoredTrace(Struct, frozen=True, kw_only=True):
    """A trace in the local store."""

    key: str
    path: Path
    created: float
    """Seconds since the epoch."""
    size: int
    """Bytes of body."""


class LocalStore:
    """One file a trace, `<key>.json`, with exactly the body that would have been sent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def store(self, envelope: Envelope) -> Accepted:
        """Store a trace. Storing a key again changes nothing."""
        path = self.directory / (check_key(envelope.key) + _SUFFIX)
        with _files.storing("store a trace in", self.directory):
            if not path.exists():
                _files.make_private_directory(self.directory)
                _files.write_file(path, envelope.body, durable=True, modified=envelope.created)
        return Accepted(trace_id=envelope.key)

    def traces(self) -> list[StoredTrace]:
        """The stored traces, oldest first."""
        found = []
        with _files.storing("list", self.directory):
            for entry in _files.entries(self.directory):
                key = entry.name.removesuffix(_SUFFIX)
                if is_key(key) and key != entry.name and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append(
                        StoredTrace(
                            key=key, path=Path(entry.path), created=status.st_mtime_ns / 1e9, size=status.st_size
                        )
                    )
        return sorted(found, key=lambda trace: (trace.created, trace.key))

    def remove(self, keys: Iterable[str]) -> None:
        """Delete the traces of these keys, where they are stored."""
        with _files.storing("delete traces in", self.directory):
            for key in keys:
                _files.remove_file(self.directory / (check_key(key) + _SUFFIX))

    def prune(self, *, now: float, limits: OutboxLimits = KEPT_TRACES) -> None:
        """Delete the oldest traces beyond the limits."""
        traces = self.traces()
        count, size = len(traces), sum(trace.size for trace in traces)
        for trace in traces:
            if count <= limits.count and size <= limits.size and now - trace.created <= limits.age:
                break
            self.remove((trace.key,))
            count, size = count - 1, size - trace.size

    def read(self, key: str) -> bytes | None:
        """The body stored under a key; None when there is none."""
        path = self.directory / (check_key(key) + _SUFFIX)
        with _files.storing("read", path):
            try:
                return _files.read_file(path)
            except FileNotFoundError:
                return None
