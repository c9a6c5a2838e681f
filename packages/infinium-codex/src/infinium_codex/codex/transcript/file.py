"""Finds and opens transcripts that Codex has compressed (`.jsonl.zst`) or moved to its archive meanwhile."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from infinium_config.files import open_regular

from infinium_codex.agent import TranscriptPosition
from infinium_codex.support.files import first_line_checksum

if TYPE_CHECKING:
    import tempfile

ZST = ".zst"
"""The end of the name of a compressed transcript."""
_MAX_BYTES = 4 << 30
"""Limit for a decompressed transcript, so that a crafted file cannot fill the disk."""
_CHUNK = 1 << 20


@contextmanager
def readable(path: Path, start: TranscriptPosition, scratch: Path) -> Iterator[Path | None]:
    """Provide a plain file with the content, from `start` on, of the transcript that was written to `path`.

    It is the transcript itself, unless that was compressed. Then it is decompressed into the directory `scratch` for
    the length of the block; offsets are the same, and the part before `start` is a hole. A transcript that is not the
    one `start` is a position of is decompressed as a whole. None if there is no transcript, or no regular file.
    """
    found = _find(path)
    if found is None or found.suffix != ZST:
        yield found
        return
    import tempfile

    with tempfile.NamedTemporaryFile(dir=scratch, prefix=".transcript.") as file:
        copy = Path(file.name)
        size = _decompress(found, start.offset, file)
        if start.offset and (size < start.offset or first_line_checksum(copy) != start.head):
            file.truncate(0)
            size = _decompress(found, 0, file)
        yield copy if size else None


def _find(path: Path) -> Path | None:
    sessions = next((parent for parent in path.parents if parent.name == "sessions"), None)
    places = [path] if sessions is None else [path, sessions.parent / "archived_sessions" / path.name]
    candidates = [place.with_name(place.name + suffix) for place in places for suffix in ("", ZST)]
    return next((candidate for candidate in candidates if _is_file(candidate)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # the path is too long, or contains a zero byte
        return False


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO | None]:
    """Open a transcript to read it once from the start; a compressed one is decompressed on the way.

    None if it is no regular file of this user. Reading a damaged compressed transcript raises OSError.
    """
    source = open_regular(path, follow_links=True, only_own=True)
    if source is None:
        yield None
        return
    with source:
        if path.suffix != ZST:
            yield source
            return
        zstd = _zstd()
        with zstd.open(source, "rb") as reader:
            try:
                yield reader
            except (EOFError, zstd.ZstdError) as error:
                raise OSError(f"{path} is damaged: {error}") from error


def _decompress(path: Path, offset: int, into: "tempfile._TemporaryFileWrapper[bytes]") -> int:
    """Decompress with a hole for what was read before. Return the size; 0 if it is not this user's or is damaged."""
    source = open_regular(path, follow_links=True, only_own=True)
    if source is None:
        return 0
    zstd, done = _zstd(), 0
    with source, zstd.open(source, "rb") as reader:
        try:
            while done < _MAX_BYTES and (chunk := reader.read(_CHUNK)):
                if done + len(chunk) > offset or not done:  # the reader compares the beginning
                    into.seek(done)
                    into.write(chunk)
                done += len(chunk)
        except (EOFError, zstd.ZstdError):
            pass  # the file is incomplete: use what was decompressed
    into.flush()
    return done


def _zstd() -> ModuleType:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
