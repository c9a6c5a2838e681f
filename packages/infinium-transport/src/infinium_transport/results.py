"""The server's interpretation of a trace: what an answer means, and a store of the results that were fetched.

The shape of a result is the server's own. It is kept as it came.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct, json

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport.model import OutboxLimits, Rejected, Retry, Unauthorized
from infinium_transport.trace_file import check_key, is_key

MAX_RESULT_BYTES: Final = 1024 * 1024
"""A larger answer is refused."""
MAX_DEPTH: Final = 100
"""An answer with more levels of lists and objects is refused: programs that print it may fail."""
KEPT_RESULTS: Final = OutboxLimits(count=5_000, size=64 * 1024**2, age=365 * 86_400.0)
"""Limits of the results that are kept."""
_SUFFIX: Final = ".json"
_PRUNE_EVERY: Final = 64


class Fetched(Struct, frozen=True, kw_only=True):
    """The server has interpreted the trace."""

    result: object
    """Parsed JSON."""


class NotReady(Struct, frozen=True, kw_only=True):
    """The server has no result yet, or never will."""

    reason: str


ResultOutcome = Fetched | NotReady | Retry | Rejected | Unauthorized


def parse_result(status: int, body: bytes, message: str) -> Fetched | NotReady | Rejected:
    """Read the answer to a request for a result. `message` is the answer's text as one printable line."""
    if status == 404:
        return NotReady(reason=f"HTTP 404{': ' if message else ''}{message}")
    if len(body) > MAX_RESULT_BYTES:
        return Rejected(status=status, message=f"the answer is larger than {MAX_RESULT_BYTES:,} bytes")
    if not body.strip():
        return NotReady(reason="no result yet")
    try:
        answer = json.decode(body)
        is_deep = _is_deeper(answer, MAX_DEPTH)
    except RecursionError:
        is_deep = True
    except ValueError:
        return Rejected(status=status, message=f"the answer is no JSON: {message}")
    if is_deep:
        return Rejected(status=status, message=f"the answer is nested more than {MAX_DEPTH} levels deep")
    data = answer.get("data") if isinstance(answer, dict) else None
    result = data.get("interpretedTraceResult") if isinstance(data, dict) else None
    return NotReady(reason="no result yet") if result is None else Fetched(result=result)


class StoredResult(Struct, frozen=True, kw_only=True):
    """A result that was fetched."""

    key: str
    """The trace's key."""
    trace_id: str
    """The server's id of the trace."""
    fetched: float
    """Seconds since the epoch."""
    result: object
    """Parsed JSON, as the server sent it."""


class ResultStore:
    """One file a trace, `<key>.json`. Methods that write raise StorageError when that fails."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def store(self, result: StoredResult) -> None:
        """Store a result, in place of an earlier one of the same trace."""
        with _files.storing("store a result in", self.directory):
            _files.make_private_directory(self.directory)
            _files.write_file(self.directory / (check_key(result.key) + _SUFFIX), encode_json(result))
        if len(_files.entries(self.directory)) % _PRUNE_EVERY == 0:
            self.prune(now=result.fetched)

    def read(self, key: str) -> StoredResult | None:
        """The result of a trace; None where none was fetched, or the file is damaged."""
        return read_json(self.directory / (check_key(key) + _SUFFIX), StoredResult)

    def remove(self, keys: Iterable[str]) -> None:
        """Delete the results of these traces."""
        with _files.storing("delete results in", self.directory):
            for key in keys:
                _files.remove_file(self.directory / (check_key(key) + _SUFFIX))

    def prune(self, *, now: float, limits: OutboxLimits = KEPT_RESULTS) -> None:
        """Delete the oldest results beyond the limits."""
        with _files.storing("prune the results in", self.directory):
            found = []
            for entry in _files.entries(self.directory):
                if is_key(entry.name.removesuffix(_SUFFIX)) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime, status.st_size, Path(entry.path)))
            count, size = len(found), sum(size for _, size, _ in found)
            for modified, bytes_, path in sorted(found):
                if count <= limits.count and size <= limits.size and now - modified <= limits.age:
                    break
                _files.remove_file(path)
                count, size = count - 1, size - bytes_


def _is_deeper(value: object, depth: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(depth):
        inner = [item for part in level for item in (part.values() if isinstance(part, dict) else part)]
        level = [item for item in inner if isinstance(item, dict | list)]
    return bool(level)
