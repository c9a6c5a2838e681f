"""The files of one session, side by side in the spool directory, and the steps that must survive a kill."""

import os
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from infinium_config.files import remove_file, replace_file, write_atomically
from infinium_config.locks import HeldLock, try_lock
from msgspec import Struct

from infinium_codex.capture.records import Damage, Record, read_records
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.session.pauses import PAUSES_SUFFIX

SPOOL_SUFFIX = ".spool"
_REMOVING_SUFFIX = ".closed"
_REST_SUFFIX = ".rest"
_CHECKPOINT_SUFFIX = ".state"
_LOCK_SUFFIX = ".lock"


class SessionFiles(Struct, frozen=True):
    """The files of the session whose spool is `spool`. Any of them may be missing.

    Hooks append to the spool without a lock. Everything else happens while the session's lock is held.
    """

    spool: Path

    @property
    def session_id(self) -> str:
        """The session's id, by the name of its spool."""
        return self.spool.name.removesuffix(SPOOL_SUFFIX)

    @property
    def directory(self) -> Path:
        """The directory of all sessions' files."""
        return self.spool.parent

    @property
    def removing(self) -> Path:
        """The spool's name while it is being removed."""
        return self.spool.with_suffix(_REMOVING_SUFFIX)

    @property
    def rest(self) -> Path:
        """The part of the spool that stays, while the part before it is being removed."""
        return self.spool.with_suffix(_REST_SUFFIX)

    @property
    def checkpoint(self) -> Path:
        """How far the session is traced."""
        return self.spool.with_suffix(_CHECKPOINT_SUFFIX)

    @property
    def lock(self) -> Path:
        """Locked while a process works on the session."""
        return self.spool.with_suffix(_LOCK_SUFFIX)

    @property
    def pauses(self) -> Path:
        """When recording was paused."""
        return self.spool.with_suffix(PAUSES_SUFFIX)

    @property
    def existing(self) -> list[Path]:
        """Those of the files that exist; the lock only if there is nothing else."""
        found = [path for path in (self.spool, self.removing, self.checkpoint, self.pauses) if path.exists()]
        return found or [path for path in (self.lock,) if path.exists()]

    @property
    def spool_size(self) -> int:
        """Bytes in the spool; 0 if there is none."""
        try:
            return self.spool.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def last_write(self) -> float:
        """When an event or the checkpoint was last written, seconds since the epoch; 0 if there is no file."""
        return max(map(_modified, (self.spool, self.removing, self.checkpoint, self.pauses)))

    @property
    def has_work(self) -> bool:
        """Whether there are events, or turns whose summary was not sent."""
        return self.has_events or bool(self.load_checkpoint().unsummarized)

    @property
    def has_events(self) -> bool:
        """Whether there are events: in the spool, or in one whose removal is not finished."""
        return self.spool_size > 0 or self.removing.exists()

    def try_lock(self) -> HeldLock | None:
        """Lock the session; None if another process works on it.

        Its holder may have removed the lock file before this process got the lock: then another one is taken.
        """
        while (lock := try_lock(self.lock)) is not None and not lock.is_at(self.lock):
            lock.release()
        return lock

    def load_checkpoint(self) -> Checkpoint:
        """The session's checkpoint; a new one if there is none or it cannot be read."""
        return Checkpoint.load(self.checkpoint)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Replace the session's checkpoint."""
        checkpoint.save(self.checkpoint)

    def remove_spool(self, traced: int, size: int) -> bool:
        """Remove a spool that is traced up to `traced`; False if it has grown beyond `size` or does not exist.

        The spool loses its name first. A hook that appended to it in this moment notices that the name is gone, and
        writes its event again to the next spool; such duplicates are one record.
        """
        try:
            if self.spool.stat().st_size > size:
                return False
            replace_file(self.spool, self.removing)
        except FileNotFoundError:
            return False
        self.finish_removal(traced)
        return True

    def trim_spool(self, traced: int) -> None:
        """Remove the records before `traced` from the spool.

        The rest becomes the next spool before any other record, so that the order stays. `remove_spool` tells what
        happens to a record that is appended in this moment.
        """
        with self.spool.open("rb") as file:
            file.seek(traced)
            rest = file.read()
        write_atomically(self.rest, rest, durable=False)
        replace_file(self.spool, self.removing)
        try:
            os.link(self.rest, self.spool)
            traced += len(rest)
        except OSError:  # a hook has begun the next spool, or the file system has no hard links
            pass
        self.finish_removal(traced)

    def finish_removal(self, traced: int) -> None:
        """Finish the removal of a spool, or of its traced part, also one that a kill interrupted.

        Records behind `traced` came in during the removal: they become the beginning of the next spool.
        """
        remove_file(self.rest, missing_ok=True)
        try:
            with self.removing.open("rb") as file:
                if any(isinstance(found, Record) for found in read_records(file, traced)):
                    file.seek(traced)
                    late = file.read()
                    fd = os.open(self.spool, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
                    with os.fdopen(fd, "wb") as next_spool:
                        next_spool.write(late)
        except FileNotFoundError:
            return
        remove_file(self.removing)

    def keep_unreadable(self, damage: Damage) -> Path | None:
        """Copy a part of the spool to a file beside it that ends in `.unread`; None if that was done before."""
        with self.spool.open("rb") as file:
            file.seek(damage.start)
            content = file.read(damage.end - damage.start)
        path = self.spool.with_name(f"{self.spool.stem}.{damage.start}-{crc32(content):08x}.unread")
        if path.exists():
            return None
        write_atomically(path, content, durable=False)
        return path

    def remove_all(self) -> list[Path]:
        """Remove the session's files, and return what `existing` was. Call with the lock held.

        The lock file goes last. A process that waits for its lock notices that (`try_lock`).
        """
        removed = [path for path in self.existing if path != self.lock]
        for path in (*removed, self.lock):
            remove_file(path, missing_ok=True)
        return removed


def find_sessions(directory: Path) -> Iterator[SessionFiles]:
    """The sessions that have files in `directory`, by name."""
    suffixes = (SPOOL_SUFFIX, _REMOVING_SUFFIX, _CHECKPOINT_SUFFIX, _LOCK_SUFFIX, PAUSES_SUFFIX)
    paths = directory.glob("*") if directory.is_dir() else ()
    spools = {path.with_suffix(SPOOL_SUFFIX) for path in paths if path.suffix in suffixes and not path.is_symlink()}
    return (SessionFiles(spool) for spool in sorted(spools))


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
