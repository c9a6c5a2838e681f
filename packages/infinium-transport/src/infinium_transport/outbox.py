"""The queue on disk: one file a trace, and the directory is the index."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport._trace_directory import DELAY, SUFFIX, TraceDirectory
from infinium_transport.dead_letters import WHY, DeadLetters
from infinium_transport.model import (
    DeadLetter,
    Delay,
    Dropped,
    Envelope,
    OutboxLimits,
    Parked,
    ParkReason,
    Put,
    Queued,
)
from infinium_transport.parking import Parking
from infinium_transport.trace_file import check_key, encode

_STALE: Final = 3600.0
"""Seconds after which a file written aside belongs to nobody any more."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


class Outbox:
    """Traces on their way, kept in `directory`.

    Any number of processes may `put`; one at a time sends (see `sender_lock`). A trace is in exactly one of queue,
    dead letters and `corrupt/`, and moves between them by a single rename.

    `sent` says whether a key was delivered before (pass `ledger.was_sent`).
    Every method that touches the disk raises StorageError when the disk will not have it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        limits: OutboxLimits | None = None,
        sent: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.directory = directory
        self.limits = limits or OutboxLimits()
        self._sent = sent
        self._clock = clock
        self._queue = TraceDirectory(directory, corrupt=directory / "corrupt")
        self._dead = DeadLetters(TraceDirectory(directory / "dead", corrupt=directory / "corrupt"))
        self._parking = Parking(directory / "parked")

    # The way in

    def put(self, envelope: Envelope) -> Put:
        """Queue a trace; when this returns, it survives a power cut.

        The first body put under a key stays: another one under the same key is not taken.
        """
        path = self._queue.file(check_key(envelope.key))
        with _files.storing("queue a trace in", self.directory):
            if path.exists():
                return Put.already_queued
            if self._dead.has(envelope.key):
                return Put.already_dead
            if self._sent is not None and self._sent(envelope.key):
                return Put.already_sent
            _files.make_private_directory(self.directory)
            aside = _files.write_aside(path, encode(envelope), durable=True)
            try:
                _files.set_time(aside, envelope.created)
                # A link, not a rename: it fails when another process put the same key in the meantime, so bytes
                # that a sender may have read already are never exchanged for others.
                os.link(aside, path)
            except FileExistsError:
                return Put.already_queued
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                aside.rename(path)
            finally:
                aside.unlink(missing_ok=True)
            _files.sync_directory(self.directory)
        return Put.queued

    # The way through

    def pending(self) -> Iterator[Queued]:
        """Waiting traces, oldest first. What can not be a trace is moved to `corrupt/` on the way."""
        return self._queue.scan()

    def read(self, queued: Queued) -> Envelope:
        """Open a trace.

        A damaged one is moved to `corrupt/` and raises CorruptTraceError; one that is gone raises MissingTraceError.
        """
        return self._queue.read(queued)

    def remove(self, queued: Queued, *, into: Path | None = None) -> None:
        """Take a delivered trace out of the queue; with `into`, keep its file in that (existing) directory."""
        with _files.storing("take a delivered trace out of", self.directory):
            if into is None or not _moved(queued.file, into):
                queued.path.unlink(missing_ok=True)
            if queued.tried:
                self._delay_file(queued.key).unlink(missing_ok=True)

    def bury(self, queued: Queued, reason: str, status: int | None, words: str) -> None:
        """Make a trace a dead letter."""
        with _files.storing("move a dead letter out of", self.directory):
            self._dead.add(queued, reason=reason, status=status, words=words, now=self._clock())
            self._delay_file(queued.key).unlink(missing_ok=True)

    def postpone(self, key: str, delay: Delay) -> None:
        """Note that a trace rests. Losing the note costs an early attempt, nothing else."""
        with _files.storing("note a delay in", self.directory):
            _files.replace(self._delay_file(check_key(key)), encode_json(delay))

    def delay(self, key: str) -> Delay | None:
        """How a trace has fared and when it is due again; None for one that has not been tried."""
        return read_json(self._delay_file(check_key(key)), Delay)

    def clear_delays(self) -> int:
        """Make every waiting trace due now; return how many rested."""
        with _files.storing("clear delays in", self.directory):
            resting = [entry.path for entry in _files.entries(self.directory) if entry.name.endswith(DELAY)]
            for path in resting:
                Path(path).unlink(missing_ok=True)
        return len(resting)

    # Dead letters

    def dead_letters(self) -> list[DeadLetter]:
        """What the server would not have, oldest trace first."""
        return self._dead.all()

    def read_dead(self, letter: DeadLetter) -> Envelope:
        """Open a dead letter; raises as `read` does."""
        return self._dead.traces.read(Queued(key=letter.key, file=str(letter.path), created=letter.since, size=0))

    def revive(self, key: str | None = None) -> int:
        """Put one dead letter, or all of them, back into the queue (last in line); return how many."""
        with _files.storing("revive dead letters in", self.directory):
            return self._dead.revive(key, into=self._queue, now=self._clock())

    # Agents that wait for their user

    def park(self, agent_id: str, reason: str, credentials_mark: str, *, base_url: str = "") -> None:
        """Hold an agent's traces for a base URL back until its credentials change."""
        self._note(agent_id, base_url, ParkReason.unauthorized, reason, credentials_mark)

    def note_refusal(self, agent_id: str, reason: str, *, base_url: str = "") -> bool:
        """Remember why there is no secret for an agent; return whether that is news."""
        known = self._parking.get(agent_id, base_url)
        if known is not None and known.reason == reason:
            return False
        self._note(agent_id, base_url, ParkReason.refused, reason, "")
        return True

    def parked_at(self, agent_id: str, base_url: str) -> Parked | None:
        """Why an agent's traces for a base URL wait, if they do."""
        return self._parking.get(agent_id, base_url)

    def parked(self) -> list[Parked]:
        """Agents whose traces wait for their user, and why."""
        return self._parking.all()

    def unpark(self, agent_id: str, *, base_url: str | None = None) -> None:
        """Let an agent's traces go again (for one base URL, or for all)."""
        with _files.storing("unpark an agent in", self.directory):
            self._parking.remove(agent_id, base_url)

    # Housekeeping

    @contextmanager
    def sender_lock(self) -> Iterator[bool]:
        """One sender at a time a machine; yields False at once when another one is at work."""
        with _files.storing("lock", self.directory):
            _files.make_private_directory(self.directory)
            descriptor = _files.open_lock(self.directory / "sender.lock")
        try:
            yield _files.lock(descriptor)
        finally:
            os.close(descriptor)

    def excess(self, *, now: float) -> list[Dropped]:
        """Traces beyond the limits, oldest first, of the queue and of the dead letters. Still there: see `drop`."""
        return [*self._queue.excess(self.limits, now=now), *self._dead.traces.excess(self.limits, now=now)]

    def drop(self, dropped: Dropped) -> None:
        """Delete a trace that is beyond the limits, once that has been recorded."""
        with _files.storing("drop a trace from", dropped.path):
            dropped.path.unlink(missing_ok=True)
            self._dead.forget(dropped.key)
            self._delay_file(dropped.key).unlink(missing_ok=True)

    def sweep(self, *, now: float) -> None:
        """Remove what crashes left behind: files written aside, and notes about traces that are gone."""
        with _files.storing("tidy", self.directory):
            for directory in (self.directory, self._dead.traces.directory):
                for entry in _files.entries(directory):
                    path = Path(entry.path)
                    if path.suffix not in (DELAY, WHY, _files.TEMPORARY) or path.with_suffix(SUFFIX).exists():
                        continue
                    with suppress(FileNotFoundError):
                        # ctime, since no writer sets it: an old one means that nobody is behind it any more.
                        if now - path.lstat().st_ctime > _STALE:
                            path.unlink()

    def forget_damaged(self, before: float, *, dry_run: bool = False) -> list[Path]:
        """Remove what was set aside in `corrupt/` before a time, in seconds since the epoch; give the files."""
        with _files.storing("tidy", self.directory):
            found = [Path(entry.path) for entry in _files.entries(self.directory / "corrupt")]
            # ctime: a rename sets it, so it tells when the file was set aside.
            old = [path for path in found if path.is_file() and path.lstat().st_ctime < before]
            return _files.remove(sorted(old), dry_run=dry_run)

    def _note(self, agent_id: str, base_url: str, kind: ParkReason, reason: str, mark: str) -> None:
        with _files.storing("park an agent in", self.directory):
            self._parking.put(
                Parked(
                    agent_id=agent_id,
                    base_url=base_url,
                    kind=kind,
                    reason=reason,
                    credentials_mark=mark,
                    since=self._clock(),
                )
            )

    def _delay_file(self, key: str) -> Path:
        return self.directory / (key + DELAY)


def _moved(file: str, into: Path) -> bool:
    try:
        os.rename(file, f"{into}{os.sep}{os.path.basename(file)}")  # noqa: PTH104, PTH119
    except OSError:  # another file system, no such directory: the copy is a convenience
        return False
    return True
