"""The locks of sending processes: one for each recipient, with a note about the process that holds it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport._locks import try_lock
from infinium_transport.model import ActiveSender, Recipient
from infinium_transport.parking import file_name

_LOCK = ".lock"
_NOTE = ".json"


class Senders:
    """`<recipient>.lock`, held while a process sends to that recipient, and `<recipient>.json` about that process.

    Neither file is removed: the note of a process that ended is stale, and the free lock says so.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def lock(self, recipient: Recipient, *, since: float) -> Iterator[bool]:
        """Take the lock of a recipient for the block; yields False at once when another process has it."""
        path = self._directory / file_name(recipient)
        with _files.storing("lock", self._directory):
            _files.make_private_directory(self._directory)
        with try_lock(path.with_suffix(_LOCK)) as held:
            if held:
                note = ActiveSender(recipient=recipient, pid=os.getpid(), since=since)
                with _files.storing("write to", self._directory):
                    _files.write_file(path.with_suffix(_NOTE), encode_json(note))
            yield held

    def active(self) -> list[ActiveSender]:
        """The processes that hold a lock now, oldest first."""
        with _files.storing("list", self._directory):
            locks = [Path(entry.path) for entry in _files.entries(self._directory) if entry.name.endswith(_LOCK)]
        notes = [read_json(lock.with_suffix(_NOTE), ActiveSender) for lock in locks if _is_held(lock)]
        return sorted((note for note in notes if note is not None), key=lambda note: note.since)


def _is_held(lock: Path) -> bool:
    with try_lock(lock) as free:
        return not free
