"""Where a transcript is today: Codex compresses idle ones in place, and moves archived ones elsewhere."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import tempfile

_ZST = ".zst"
_MAX_BYTES = 4 << 30
"""What a compressed transcript may unpack to: a bomb in its place fills no disk."""
_CHUNK = 1 << 20


@contextmanager
def readable(path: Path, offset: int, scratch: Path) -> Iterator[Path | None]:
    """A plain file with what the transcript once at `path` holds from `offset` on, at the same offsets.

    That is the transcript itself unless it was compressed; then it is unpacked into `scratch` for the block, with a
    hole where nothing is to be read. None when there is no transcript.
    """
    found = _find(path)
    if found is None or found.suffix != _ZST:
        yield found
        return
    import tempfile

    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".transcript.") as file:
        unpacked = _unpack(found, offset, file)
        file.flush()
        yield Path(file.name) if unpacked else None


def _find(path: Path) -> Path | None:
    sessions = next((parent for parent in path.parents if parent.name == "sessions"), None)
    places = [path] if sessions is None else [path, sessions.parent / "archived_sessions" / path.name]
    candidates = [place.with_name(place.name + suffix) for place in places for suffix in ("", _ZST)]
    return next((candidate for candidate in candidates if candidate.exists()), None)


def _unpack(path: Path, offset: int, into: "tempfile._TemporaryFileWrapper[bytes]") -> bool:
    """Unpack, leaving a hole for what was read before; False when it is not the user's own file or is damaged."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    source = _open_own(path)
    if source is None:
        return False
    done = 0
    with source, zstd.open(source, "rb") as reader:
        try:
            while done < _MAX_BYTES and (chunk := reader.read(_CHUNK)):
                if done + len(chunk) > offset or not done:  # the beginning tells one transcript from another
                    into.seek(done)
                    into.write(chunk)
                done += len(chunk)
        except (EOFError, zstd.ZstdError):
            pass  # cut short: what could be unpacked is told
    return done > 0


def _open_own(path: Path) -> BinaryIO | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
        os.close(fd)
        return None
    return os.fdopen(fd, "rb")
