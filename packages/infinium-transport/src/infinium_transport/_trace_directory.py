"""A directory of trace files: lists them in order, reads one, moves damaged ones aside."""

import os
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path
from typing import Final

from infinium_transport import _files
from infinium_transport.errors import CorruptTraceError, MissingTraceError
from infinium_transport.model import Dropped, Envelope, OutboxLimits, Queued
from infinium_transport.trace_file import DamagedError, decode, decode_header, is_key

SUFFIX: Final = ".trace"
MAX_HEADER_BYTES: Final = 16 * 1024
_FEW: Final = 8
"""Up to so many files are looked up one by one, which is faster than a list of all."""
DELAY: Final = ".delay"
"""Suffix of the file beside a trace that records its failed attempts."""


def read_header(path: Path | str, key: str) -> Envelope | None:
    """Read a trace's file without its body; None where it is damaged or does not exist."""
    try:
        descriptor = _files.open_guarded(path, os.O_RDONLY)  # a Path's `open` takes three times as long
        try:
            return decode_header(os.read(descriptor, MAX_HEADER_BYTES), key=key)
        finally:
            os.close(descriptor)
    except OSError:
        return None


class TraceDirectory:
    """Trace files in `directory`. A damaged file, or one that is no trace, is moved to `corrupt`, never deleted."""

    def __init__(self, directory: Path, *, corrupt: Path) -> None:
        self.directory = directory
        self._corrupt = corrupt

    def file(self, key: str) -> Path:
        """The path of the trace with a (checked) key."""
        return self.directory / (key + SUFFIX)

    def present(self, keys: Set[str]) -> set[str]:
        """Those of the (checked) keys whose trace is here."""
        if len(keys) <= _FEW:
            return {key for key in keys if self.file(key).exists()}
        names = {entry.name for entry in _files.entries(self.directory)}
        return {key for key in keys if key + SUFFIX in names}

    def scan(self) -> Iterator[Queued]:
        """The traces, oldest first."""
        found, names = [], set()
        with _files.storing("list", self.directory):
            for entry in _files.entries(self.directory):
                names.add(entry.name)
                if not entry.name.endswith(SUFFIX):
                    continue
                key = entry.name.removesuffix(SUFFIX)
                with suppress(FileNotFoundError):  # sent by another process since the listing
                    status = entry.stat(follow_symlinks=False)
                    if is_key(key) and entry.is_file(follow_symlinks=False):
                        found.append((status.st_mtime_ns, key, entry.path, status.st_size))
                    else:
                        self._set_aside(Path(entry.path))
        for when, key, path, size in sorted(found):
            yield Queued(key=key, file=path, created=when / 1e9, size=size, tried=key + DELAY in names)

    def read(self, queued: Queued) -> Envelope:
        """Read a trace. Raises CorruptTraceError, after moving the file aside, or MissingTraceError."""
        with _files.storing("read a trace from", queued.file):
            try:
                return decode(_files.read_file(queued.file), key=queued.key)
            except FileNotFoundError:
                raise MissingTraceError(f"Trace {queued.key} no longer exists") from None
            except (DamagedError, _files.NotAFileError) as error:
                moved = self._set_aside(queued.path)
                raise CorruptTraceError(
                    f"Trace {queued.key} is damaged ({error}). The file was moved to {moved}"
                ) from error

    def excess(self, limits: OutboxLimits, *, now: float) -> Iterator[Dropped]:
        """The traces beyond the limits, oldest first."""
        waiting = list(self.scan())
        count, size = len(waiting), sum(queued.size for queued in waiting)
        for queued in waiting:
            if now - queued.created > limits.age:
                reason = f"older than {limits.age / 86_400:g} days"
            elif count > limits.count:
                reason = f"more than {limits.count:,} traces were queued"
            elif size > limits.size:
                reason = f"more than {limits.size:,} bytes were queued"
            else:
                continue
            count, size = count - 1, size - queued.size
            yield Dropped(key=queued.key, path=queued.path, reason=reason, size=queued.size)

    def _set_aside(self, path: Path) -> Path:
        _files.make_private_directory(self._corrupt)
        target = self._corrupt / path.name
        number = 1
        while target.exists() or target.is_symlink():
            number += 1
            target = self._corrupt / f"{path.name}.{number}"
        _files.move(path, target)
        return target
