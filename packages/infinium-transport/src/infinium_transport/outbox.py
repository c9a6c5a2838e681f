"""The queue on disk: one file a trace, the directory is the index."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from infinium_transport import _files
from infinium_transport.errors import CorruptTraceError, MissingTraceError, StorageError
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
from infinium_transport.trace_file import DamagedError, check_key, decode, encode, is_key

SUFFIX: Final = ".trace"
_DELAY: Final = ".delay"
_WHY: Final = ".why"
_STALE: Final = 3600.0
"""Seconds after which a file written aside belongs to nobody any more."""


class Outbox:
    """Traces on their way, kept in `directory`.

    Any number of processes may `put`; one at a time sends (see `sender_lock`). A trace is in exactly one of queue,
    dead letters and `corrupt/`, and moves between them by a single rename.

    `sent` says whether a key was delivered before (pass `ledger.was_sent`).
    Methods that touch the disk raise StorageError when the disk will not have it.
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
        self._dead = directory / "dead"
        self._corrupt = directory / "corrupt"
        self._parking = Parking(directory / "parked")

    # -- the way in

    def put(self, envelope: Envelope) -> Put:
        """Queue a trace; when this returns, it survives a power cut.

        The first body put under a key stays: another one under the same key is not taken.
        """
        name = check_key(envelope.key) + SUFFIX
        path = self.directory / name
        with StorageError_on("queue a trace in", self.directory):
            if path.exists():
                return Put.already_queued
            if (self._dead / name).exists():
                return Put.already_dead
            if self._sent is not None and self._sent(envelope.key):
                return Put.already_sent
            _files.make_private_directory(self.directory)
            aside = _files.write_aside(path, encode(envelope), durable=True)
            try:
                # A link, not a rename: it fails when another process put the same key in the meantime, so bytes
                # that a sender may have read already are never exchanged for others.
                os.link(aside, path)
            except FileExistsError:
                return Put.already_queued
            finally:
                aside.unlink(missing_ok=True)
            _set_time(path, envelope.created)
            _files.sync_directory(self.directory)
        return Put.queued

    # -- the way through

    def pending(self) -> Iterator[Queued]:
        """Waiting traces, oldest first. What can not be a trace is moved to `corrupt/` on the way."""
        yield from self._scan(self.directory)

    def read(self, queued: Queued) -> Envelope:
        """Open a trace. A damaged one is moved to `corrupt/` and raises CorruptTraceError."""
        try:
            return decode(_files.read_regular(queued.path), key=queued.key)
        except FileNotFoundError:
            raise MissingTraceError(f"trace {queued.key} is not in the outbox any more") from None
        except (DamagedError, _files.NotAFileError) as error:
            kept = self._move_to_corrupt(queued.path)
            raise CorruptTraceError(
                f"trace {queued.key} can not be read ({error}); the file is kept as {kept}"
            ) from error
        except OSError as error:
            raise _storage_error("read a trace from", queued.path, error) from error

    def remove(self, queued: Queued, *, into: Path | None = None) -> None:
        """Take a delivered trace out of the queue; with `into`, keep its file in that directory."""
        with StorageError_on("take a delivered trace out of", self.directory):
            with suppress(FileNotFoundError):
                if into is None:
                    queued.path.unlink()
                else:
                    _move(queued.path, into / queued.path.name)
            self._forget_delay(queued.key)

    def bury(self, queued: Queued, reason: str, status: int | None, words: str) -> None:
        """Make a trace a dead letter."""
        why = {"reason": reason, "status": status, "words": words, "since": self._clock()}
        with StorageError_on("move a dead letter to", self._dead):
            _files.make_private_directory(self._dead)
            # The reason first: the trace itself moves in one step, and a reason without a trace is nothing.
            _files.replace(self._dead / (queued.key + _WHY), json.dumps(why).encode(), durable=True)
            with suppress(FileNotFoundError):
                queued.path.rename(self._dead / queued.path.name)
            _files.sync_directory(self._dead)
            _files.sync_directory(self.directory)
            self._forget_delay(queued.key)

    def postpone(self, key: str, delay: Delay) -> None:
        """Note that a trace rests. Losing the note costs an early attempt, nothing else."""
        note = {field: getattr(delay, field) for field in Delay.__slots__}
        with StorageError_on("note a delay in", self.directory):
            _files.replace(self.directory / (check_key(key) + _DELAY), json.dumps(note).encode())

    def delay(self, key: str) -> Delay | None:
        """How a trace rests, if it does."""
        note = _read_json(self.directory / (check_key(key) + _DELAY))
        try:
            return Delay(
                attempts=int(note["attempts"]),
                conflicts=int(note["conflicts"]),
                since=float(note["since"]),
                due=float(note["due"]),
                reason=str(note["reason"]),
            )
        except (KeyError, ValueError, TypeError, OverflowError):
            return None

    def clear_delays(self) -> int:
        """Make every waiting trace due now; return how many rested."""
        count = 0
        with StorageError_on("clear delays in", self.directory):
            for path in self.directory.glob(f"*{_DELAY}"):
                path.unlink(missing_ok=True)
                count += 1
        return count

    # -- dead letters

    def dead_letters(self) -> list[DeadLetter]:
        """What the server would not have, oldest first."""
        letters = []
        for queued in self._scan(self._dead):
            why = _read_json(self._dead / (queued.key + _WHY))
            status, since = why.get("status"), why.get("since")
            letters.append(
                DeadLetter(
                    key=queued.key,
                    path=queued.path,
                    reason=str(why.get("reason", "unknown")),
                    status=status if isinstance(status, int) else None,
                    words=str(why.get("words", "")),
                    since=float(since) if isinstance(since, int | float) else queued.created,
                )
            )
        return letters

    def read_dead(self, letter: DeadLetter) -> Envelope:
        """Open a dead letter; raises as `read` does."""
        return self.read(Queued(key=letter.key, path=letter.path, created=letter.since, size=0))

    def revive(self, key: str | None = None) -> int:
        """Put one dead letter, or all of them, back into the queue (last in line); return how many."""
        count = 0
        with StorageError_on("revive dead letters in", self._dead):
            for queued in list(self._scan(self._dead)):
                if key is not None and queued.key != key:
                    continue
                # A new time, or the limit on age could drop at once what was just brought back.
                _set_time(queued.path, self._clock())
                self._forget_delay(queued.key)
                queued.path.rename(self.directory / queued.path.name)
                (self._dead / (queued.key + _WHY)).unlink(missing_ok=True)
                count += 1
            if count:
                _files.sync_directory(self.directory)
                _files.sync_directory(self._dead)
        return count

    # -- agents that wait for their user

    def park(self, agent_id: str, reason: str, credentials_mark: str, *, base_url: str = "") -> None:
        """Hold an agent's traces back until its credentials change."""
        self._keep_parked(agent_id, base_url, ParkReason.unauthorized, reason, credentials_mark)

    def note_refusal(self, agent_id: str, reason: str, *, base_url: str = "") -> bool:
        """Remember why there is no secret for an agent; return whether that is news."""
        known = self._parking.get(agent_id, base_url)
        if known is not None and known.kind is ParkReason.refused and known.reason == reason:
            return False
        if known is None or known.kind is not ParkReason.unauthorized:
            self._keep_parked(agent_id, base_url, ParkReason.refused, reason, "")
        return True

    def parked(self) -> list[Parked]:
        """Agents whose traces wait for their user, and why."""
        return self._parking.all()

    def unpark(self, agent_id: str, *, base_url: str | None = None) -> None:
        """Let an agent's traces go again (at one base URL, or at all of them)."""
        with StorageError_on("unpark an agent in", self.directory):
            self._parking.remove(agent_id, base_url)

    # -- housekeeping

    def sender_lock(self) -> AbstractContextManager[bool]:
        """One sender at a time a machine; yields False at once when another one is at work."""
        with StorageError_on("lock", self.directory):
            _files.make_private_directory(self.directory)
        return _files.try_lock(self.directory / "sender.lock")

    def excess(self, *, now: float) -> list[Dropped]:
        """Traces beyond the limits, oldest first, queue and dead letters each. They are still there: see `drop`."""
        return [
            dropped for directory in (self.directory, self._dead) for dropped in self._excess_of(directory, now=now)
        ]

    def drop(self, dropped: Dropped) -> None:
        """Delete a trace that is beyond the limits, once that has been recorded."""
        with StorageError_on("drop a trace from", dropped.path):
            dropped.path.unlink(missing_ok=True)
            (self._dead / (dropped.key + _WHY)).unlink(missing_ok=True)
            self._forget_delay(dropped.key)

    def sweep(self, *, now: float) -> None:
        """Remove what crashes left behind: files written aside, and notes about traces that are gone."""
        with StorageError_on("tidy", self.directory):
            for directory in (self.directory, self._dead):
                for entry in _entries(directory):
                    path = Path(entry.path)
                    # ctime, since nobody can set it: an old one means that no writer is behind it any more.
                    stale = not 0 <= now - entry.stat(follow_symlinks=False).st_ctime < _STALE
                    orphan = path.suffix in (_DELAY, _WHY) and not path.with_suffix(SUFFIX).exists()
                    if stale and (orphan or path.suffix == _files.TEMPORARY):
                        path.unlink(missing_ok=True)

    def _excess_of(self, directory: Path, *, now: float) -> Iterator[Dropped]:
        waiting = list(self._scan(directory))
        count, size = len(waiting), sum(queued.size for queued in waiting)
        for queued in waiting:
            if now - queued.created > self.limits.age:
                reason = f"older than {self.limits.age / 86_400:g} days"
            elif count > self.limits.count:
                reason = f"more than {self.limits.count} traces waited"
            elif size > self.limits.size:
                reason = f"more than {self.limits.size} bytes waited"
            else:
                continue
            count, size = count - 1, size - queued.size
            yield Dropped(key=queued.key, path=queued.path, reason=reason, size=queued.size)

    def _scan(self, directory: Path) -> Iterator[Queued]:
        found = []
        with StorageError_on("list", directory):
            for entry in _entries(directory):
                if not entry.name.endswith(SUFFIX):
                    continue
                key = entry.name.removesuffix(SUFFIX)
                if not is_key(key) or not entry.is_file(follow_symlinks=False):
                    self._move_to_corrupt(Path(entry.path))
                    continue
                with suppress(FileNotFoundError):  # sent by another process since the listing
                    status = entry.stat(follow_symlinks=False)
                    found.append((status.st_mtime_ns, key, entry.path, status.st_size))
        for when, key, path, size in sorted(found):
            yield Queued(key=key, path=Path(path), created=when / 1e9, size=size)

    def _move_to_corrupt(self, path: Path) -> Path:
        with StorageError_on("move a damaged trace to", self._corrupt):
            _files.make_private_directory(self._corrupt)
            target = self._corrupt / path.name
            number = 1
            while target.exists() or target.is_symlink():
                number += 1
                target = self._corrupt / f"{path.name}.{number}"
            with suppress(FileNotFoundError):
                path.rename(target)
        return target

    def _keep_parked(self, agent_id: str, base_url: str, kind: ParkReason, reason: str, mark: str) -> None:
        with StorageError_on("park an agent in", self.directory):
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

    def _forget_delay(self, key: str) -> None:
        (self.directory / (key + _DELAY)).unlink(missing_ok=True)
