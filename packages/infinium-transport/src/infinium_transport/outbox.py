"""The queue on disk: one file a trace; the directory is the index."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport._locks import try_lock
from infinium_transport._senders import Senders
from infinium_transport._trace_directory import DELAY, SUFFIX, TraceDirectory, read_header
from infinium_transport.dead_letters import REASON, DeadLetters
from infinium_transport.model import (
    ActiveSender,
    DeadLetter,
    Delay,
    Dropped,
    Envelope,
    OutboxLimits,
    Parked,
    ParkReason,
    Put,
    Queued,
    Recipient,
)
from infinium_transport.parking import Parking
from infinium_transport.policy import probe_delay
from infinium_transport.trace_file import check_key, encode

_STALE: Final = 3600.0
"""Seconds after which a temporary file is a leftover of a crash."""
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


class Outbox:
    """Queued traces and dead letters, in `directory`.

    Any number of processes may `put`; one at a time sends to each recipient (see `sender_lock`). A trace is in exactly
    one of the queue, the dead letters and `corrupt/`, and moves between them by a single rename.

    `sent` says whether the trace of a key was sent before (pass `ledger.was_sent`).
    Every method that uses the disk raises StorageError when that fails.
    """

    def __init__(
        self,
        directory: Path,
        *,
        limits: OutboxLimits | None = None,
        sent: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.time,
        durable: bool = True,
    ) -> None:
        """Without `durable`, a power cut may lose what was queued last: for traces that can be built again."""
        self.directory = directory
        self._durable = durable
        self.limits = limits or OutboxLimits()
        self._sent = sent
        self._clock = clock
        self._queue = TraceDirectory(directory, corrupt=directory / "corrupt")
        self._dead = DeadLetters(TraceDirectory(directory / "dead", corrupt=directory / "corrupt"))
        self._parking = Parking(directory / "parked")
        self._senders = Senders(directory / "senders")

    # Queue a trace

    def put(self, envelope: Envelope) -> Put:
        """Queue a trace; when this returns, it survives a power cut, unless the outbox is not `durable`.

        The first body put under a key is kept; a later one under the same key is ignored.
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
            temporary = _files.write_temporary(path, encode(envelope), durable=self._durable, modified=envelope.created)
            try:
                # A link, not a rename: it fails when another process has put the same key meanwhile. A sender may have
                # read that trace already, so its bytes must not change.
                os.link(temporary, path)
            except FileExistsError:
                return Put.already_queued
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                _files.move(temporary, path)
            finally:
                _files.remove_file(temporary)
            if self._durable:
                _files.sync(self.directory)
        return Put.queued

    # Send queued traces

    def pending(self) -> Iterator[Queued]:
        """The queued traces, oldest first. A file that cannot be a trace is moved to `corrupt/`."""
        return self._queue.scan()

    def read(self, queued: Queued) -> Envelope:
        """Read a trace.

        A damaged one is moved to `corrupt/` and raises CorruptTraceError; a missing one raises MissingTraceError.
        """
        return self._queue.read(queued)

    def read_header(self, trace: Queued | DeadLetter) -> Envelope | None:
        """Read a trace without its body; None where it is damaged or no longer there.

        Much faster than `read`, for lists of thousands of traces.
        """
        return read_header(trace.file if isinstance(trace, Queued) else trace.path, trace.key)

    def remove(self, queued: Queued, *, keep_in: Path | None = None) -> None:
        """Remove a sent trace from the queue; with `keep_in`, move its file to that (existing) directory."""
        with _files.storing("remove a sent trace from", self.directory):
            if keep_in is None or not _moved(queued.file, keep_in):
                _files.remove_file(queued.file)
            if queued.tried:
                _files.remove_file(self._delay_file(queued.key))

    def move_to_dead_letters(self, queued: Queued, reason: str, status: int | None, message: str) -> None:
        """Make a queued trace a dead letter, with the reason, the HTTP status and the server's message."""
        with _files.storing("move a dead letter out of", self.directory):
            self._dead.add(queued, reason=reason, status=status, message=message, now=self._clock())
            _files.remove_file(self._delay_file(queued.key))

    def redirect(self, queued: Queued, recipient: Recipient) -> bool:
        """Change the recipient of a queued trace; its key and body stay, and it is due at once.

        False while another process sends to its present recipient, or when it no longer exists. Raises as `read` does.
        """
        envelope = self.read(queued)
        moved = replace(envelope, agent_id=recipient.agent_id, base_url=recipient.base_url)
        with self.sender_lock(envelope.recipient) as held, _files.storing("redirect a trace in", self.directory):
            if not held or not queued.path.exists():
                return False
            self.replace(queued, moved)
            _files.remove_file(self._delay_file(queued.key))
        return True

    def replace(self, queued: Queued, envelope: Envelope) -> None:
        """Replace a queued trace's content. Call with its recipient's lock held."""
        with _files.storing("replace a trace in", self.directory):
            _files.write_file(queued.path, encode(envelope), durable=True, modified=queued.created)

    def postpone(self, key: str, delay: Delay) -> None:
        """Record a failed attempt and the next one's time. Losing the record only means an early attempt."""
        with _files.storing("record a delay in", self.directory):
            _files.write_file(self._delay_file(check_key(key)), encode_json(delay))

    def delay(self, key: str) -> Delay | None:
        """The failed attempts of a trace and when the next one is due; None when there were none."""
        return read_json(self._delay_file(check_key(key)), Delay)

    def clear_delays(self) -> int:
        """Make every delayed trace due now; return how many there were."""
        with _files.storing("clear delays in", self.directory):
            delayed = [entry.path for entry in _files.entries(self.directory) if entry.name.endswith(DELAY)]
            for path in delayed:
                _files.remove_file(path)
        return len(delayed)

    # Dead letters

    def dead_letters(self) -> list[DeadLetter]:
        """The traces that the server rejected, oldest first."""
        return self._dead.all()

    def read_dead(self, letter: DeadLetter) -> Envelope:
        """Read a dead letter; raises as `read` does."""
        return self._dead.traces.read(Queued(key=letter.key, file=str(letter.path), created=letter.since, size=0))

    def requeue_dead_letters(self, key: str | None = None) -> int:
        """Move one dead letter, or all, to the end of the queue; return how many."""
        with _files.storing("requeue dead letters in", self.directory):
            return self._dead.requeue(key, into=self._queue, now=self._clock())

    # Agents whose traces wait until their user acts

    def park(
        self, agent_id: str, reason: str, credentials_mark: str, *, base_url: str = "", attempts: int = 1
    ) -> Parked:
        """Keep an agent's traces for a base URL queued until its secret changes or is due to be tried again.

        `attempts` says how often the server refused this secret, which decides when it is tried again.
        """
        return self._note(agent_id, base_url, ParkReason.unauthorized, reason, credentials_mark, attempts)

    def note_refusal(self, agent_id: str, reason: str, *, base_url: str = "") -> bool:
        """Record why there is no secret for an agent; return whether the reason is a new one."""
        known = self._parking.get(agent_id, base_url)
        if known is not None and known.reason == reason:
            return False
        self._note(agent_id, base_url, ParkReason.refused, reason, "")
        return True

    def parked_at(self, agent_id: str, base_url: str) -> Parked | None:
        """Why an agent's traces for a base URL are parked; None when they are not."""
        return self._parking.get(agent_id, base_url)

    def parked(self) -> list[Parked]:
        """The agents whose traces are parked, and why."""
        return self._parking.all()

    def unpark(self, agent_id: str, *, base_url: str | None = None) -> None:
        """Make an agent's traces deliverable again, for one base URL or for all."""
        with _files.storing("unpark an agent in", self.directory):
            self._parking.remove(agent_id, base_url)

    def probe_now(self) -> None:
        """Let the next delivery try every refused secret once, as a user asks for."""
        with _files.storing("make refused secrets due in", self.directory):
            self._parking.make_due()

    # One sender for each recipient

    @contextmanager
    def sender_lock(self, recipient: Recipient) -> Iterator[bool]:
        """Let one process at a time send to a recipient; yields False at once when another process does."""
        with self._senders.lock(recipient, since=self._clock()) as held:
            yield held

    def senders(self) -> list[ActiveSender]:
        """The processes that are sending now, oldest first."""
        return self._senders.active()

    # Housekeeping

    @contextmanager
    def housekeeping_lock(self) -> Iterator[bool]:
        """Let one process at a time drop traces and remove leftovers; yields False when another process does."""
        with _files.storing("lock", self.directory):
            _files.make_private_directory(self.directory)
        with try_lock(self.directory / "housekeeping.lock") as held:
            yield held

    def excess(self, *, now: float) -> list[Dropped]:
        """The queued traces and dead letters beyond the limits, oldest first. `StateDirectory.drop` deletes them."""
        return [*self._queue.excess(self.limits, now=now), *self._dead.traces.excess(self.limits, now=now)]

    def drop(self, dropped: Dropped) -> None:
        """Delete a trace. Call it with the recipient's lock held, after recording that the trace is dropped."""
        with _files.storing("drop a trace from", dropped.path):
            _files.remove_file(dropped.path)
            self._dead.remove_reason(dropped.key)
            _files.remove_file(self._delay_file(dropped.key))

    def remove_leftovers(self, *, now: float) -> None:
        """Remove leftovers of crashes: temporary files, and records of traces that no longer exist."""
        with _files.storing("remove leftovers in", self.directory):
            for directory in (self.directory, self._dead.traces.directory):
                for entry in _files.entries(directory):
                    path = Path(entry.path)
                    if path.suffix not in (DELAY, REASON, _files.TEMPORARY) or path.with_suffix(SUFFIX).exists():
                        continue
                    with suppress(FileNotFoundError):
                        # ctime, which no writer can set: when it is old, no process is still writing the file.
                        if now - path.lstat().st_ctime > _STALE:
                            _files.remove_file(path)

    def remove_damaged(self, before: float, *, dry_run: bool = False) -> list[Path]:
        """Remove files moved to `corrupt/` before a time, in seconds since the epoch.

        Returns the files; with `dry_run` it removes none.
        """
        with _files.storing("remove damaged traces in", self.directory):
            found = [Path(entry.path) for entry in _files.entries(self.directory / "corrupt")]
            # ctime, which a rename sets: it is the time at which the file was moved.
            old = [path for path in found if path.is_file() and path.lstat().st_ctime < before]
            return _files.remove(sorted(old), dry_run=dry_run)

    def _note(
        self, agent_id: str, base_url: str, kind: ParkReason, reason: str, mark: str, attempts: int = 0
    ) -> Parked:
        now = self._clock()
        parked = Parked(
            agent_id=agent_id,
            base_url=base_url,
            kind=kind,
            reason=reason,
            credentials_mark=mark,
            since=now,
            attempts=attempts,
            probe_at=now + probe_delay(attempts) if attempts else 0.0,
        )
        with _files.storing("park an agent in", self.directory):
            self._parking.put(parked)
        return parked

    def _delay_file(self, key: str) -> Path:
        return self.directory / (key + DELAY)


def _moved(file: str, into: Path) -> bool:
    try:
        _files.move(file, f"{into}{os.sep}{os.path.basename(file)}")  # noqa: PTH119
    except OSError:  # another file system, or no such directory; the copy is optional
        return False
    return True
