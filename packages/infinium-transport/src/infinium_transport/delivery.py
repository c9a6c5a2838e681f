"""Send what waits in an outbox: oldest first, one sender at a time, every outcome recorded before it takes effect."""

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from msgspec import Struct, field

from infinium_transport.errors import CorruptTraceError, MissingTraceError
from infinium_transport.ledger import Ledger
from infinium_transport.local_store import LocalStore
from infinium_transport.model import (
    LOCAL,
    Accepted,
    Delay,
    DeliveryReport,
    Envelope,
    Parcel,
    Parcels,
    Parked,
    ParkReason,
    Queued,
    Refusal,
    Rejected,
    Retry,
    Unauthorized,
)
from infinium_transport.outbox import Outbox
from infinium_transport.parking import is_mark_of, mark_of
from infinium_transport.policy import RetryPolicy, backoff, is_conflict, remaining_rest
from infinium_transport.settlement import Settlement

FindSecret = Callable[[str, str], str | Refusal]
"""The secret of an agent for a base URL, or why there is none to be had."""


class Sender(Protocol):
    """What `deliver` needs of a client."""

    def send_all(self, parcels: Parcels, parcel: Parcel) -> None:
        """Send a parcel, and every other one that comes when the generator is sent the last one's outcome."""
        ...

    def close(self) -> None: ...


def deliver(
    outbox: Outbox,
    ledger: Ledger,
    *,
    local: LocalStore,
    client: Callable[[], Sender],
    secret: FindSecret,
    policy: RetryPolicy,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    random: Callable[[], float],
) -> DeliveryReport:
    """Send every trace that is due. `client` is called when the first request is made, and never for local traces."""
    settlement = Settlement(outbox, ledger, clock)
    run = _Run(outbox, ledger, settlement, local, client, secret, policy, clock, sleep, random)
    try:
        while True:
            with outbox.sender_lock() as held:
                if not held:
                    return run.report(queued=sum(1 for _ in outbox.pending()), busy=True)
                run.carry_out()
            # Whoever queued a trace while we held the lock was turned away: it counts on us.
            waiting = list(outbox.pending())
            if all(queued.key in run.seen for queued in waiting):
                return run.report(queued=len(waiting))
    finally:
        run.close()


class _Run(Struct):
    outbox: Outbox
    ledger: Ledger
    settlement: Settlement
    local: LocalStore
    make_client: Callable[[], Sender]
    find_secret: FindSecret
    policy: RetryPolicy
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    seen: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    """Base URLs that do not answer in this run: their other traces wait without an attempt of their own."""
    secrets: dict[tuple[str, str], str | Refusal | Parked] = field(default_factory=dict)
    """For each agent and base URL: what to send with, or why not to. Only we park while we hold the lock."""
    resting: dict[str, float] = field(default_factory=dict)
    """For each agent, when the first of its traces that rest is due."""
    client: Sender | None = None
    sent: int = 0
    dead: int = 0
    parked: int = 0
    refused: int = 0
    dropped: int = 0
    corrupt: int = 0

    def carry_out(self) -> None:
        work = self.work()
        parcel = next(work, None)
        if parcel is None:
            return
        if self.client is None:
            self.client = self.make_client()
        try:
            self.client.send_all(work, parcel)
        finally:
            with suppress(ValueError):  # after Ctrl-C another thread may still be in it
                work.close()

    def work(self) -> Parcels:
        now = self.clock()
        self.ledger.prepare()
        for excess in self.outbox.excess(now=now):
            self.ledger.record_drop(excess.key, excess.reason, size=excess.size, when=now)
            self.outbox.drop(excess)
            self.dropped += 1
        try:
            while waiting := [queued for queued in self.outbox.pending() if queued.key not in self.seen]:
                # Asked once for all: an entry of another sender's can not be added while we hold the lock.
                sent = self.ledger.sent_among({queued.key for queued in waiting})
                for queued in waiting:
                    self.seen.add(queued.key)
                    if queued.key in sent:
                        self.settlement.known(queued)  # by a run that was ended before it was removed
                    else:
                        yield from self._one(queued)
        finally:
            self.settlement.settle()
        self.outbox.sweep(now=now)
        self.ledger.prune(now=now)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()

    def report(self, *, queued: int, busy: bool = False) -> DeliveryReport:
        return DeliveryReport(
            sent=self.sent,
            queued=queued,
            dead=self.dead,
            parked=self.parked,
            refused=self.refused,
            dropped=self.dropped,
            corrupt=self.corrupt,
            busy=busy,
            next_due=min(self.resting.values(), default=None),
            resting=tuple(sorted(self.resting)),
        )

    def _one(self, queued: Queued) -> Parcels:
        try:
            envelope = self.outbox.read(queued)
        except CorruptTraceError as error:
            self.corrupt += 1
            self.ledger.record_error("outbox", str(error), when=self.clock())
            return
        except MissingTraceError:
            return
        if envelope.base_url == LOCAL:
            self._accepted(queued, envelope, self.local.store(envelope))
            return
        delay = self.outbox.delay(queued.key) if queued.tried else None
        now = self.clock()
        if (rest := remaining_rest(delay, now=now, cap=self.policy.cap)) > 0:
            self._rests(envelope, now + rest)  # whoever runs when it is due may have a secret that we have not
        elif (secret := self._secret(envelope)) is not None:
            yield from self._try(queued, envelope, secret, delay)

    def _rests(self, envelope: Envelope, due: float) -> None:
        self.resting[envelope.agent_id] = min(self.resting.get(envelope.agent_id, due), due)

    def _secret(self, envelope: Envelope) -> str | None:
        """The secret to send with, unless there is none or the server has refused just this one."""
        place = envelope.agent_id, envelope.base_url
        found = self.secrets.get(place)
        if found is None:
            found = self.secrets[place] = self._look_up(*place)
        match found:
            case Refusal():
                self.refused += 1
            case Parked():
                self.parked += 1
            case str():
                return found
        return None

    def _look_up(self, agent: str, base_url: str) -> str | Refusal | Parked:
        found = self.find_secret(agent, base_url)
        parked = self.outbox.parked_at(agent, base_url)
        if isinstance(found, Refusal):
            text = f"{found.reason}. {found.hint}".strip()
            if (parked is None or parked.kind is ParkReason.refused) and self.outbox.note_refusal(
                agent, text, base_url=base_url
            ):
                self.ledger.record_error("secret", f"Traces of agent {agent} wait: {text}", when=self.clock())
            return found
        if parked is not None and parked.kind is ParkReason.unauthorized and is_mark_of(parked.credentials_mark, found):
            return parked
        if parked is not None:
            self.outbox.unpark(agent, base_url=base_url)
        return found

    def _try(self, queued: Queued, envelope: Envelope, secret: str, delay: Delay | None) -> Parcels:
        """One trace's attempts of this run."""
        if envelope.base_url in self.down:
            return
        attempts, conflicts = (delay.attempts, delay.conflicts) if delay else (0, 0)
        for retries_left in range(self.policy.max_retries, -1, -1):
            outcome = yield envelope, secret
            attempts += 1
            match outcome:
                case Accepted():
                    self._accepted(queued, envelope, outcome)
                    return
                case Rejected(status=status, words=words):
                    self._bury(queued, envelope, _reason(status, words), status, words)
                    return
                case Unauthorized():
                    self._park(envelope, outcome, secret)
                    return
                case Retry():
                    conflicts += is_conflict(outcome)
                    if conflicts >= self.policy.max_conflicts:
                        self._bury(queued, envelope, outcome.reason, outcome.status, outcome.reason)
                        return
                    wait = backoff(
                        attempts, outcome.after, random=self.random, base=self.policy.base, cap=self.policy.cap
                    )
                    if retries_left and wait <= self.policy.patience:
                        self.settlement.settle()
                        self.sleep(wait)
                        continue
                    self._postpone(queued, envelope, outcome, attempts, conflicts, wait)
                    return

    def _accepted(self, queued: Queued, envelope: Envelope, outcome: Accepted) -> None:
        self.settlement.accepted(queued, envelope, outcome.trace_id)
        self.sent += 1

    def _bury(self, queued: Queued, envelope: Envelope, reason: str, status: int | None, words: str) -> None:
        self.ledger.record_dead(envelope, reason, status, when=self.clock())
        self.outbox.bury(queued, reason, status, words)
        self.dead += 1

    def _park(self, envelope: Envelope, outcome: Unauthorized, secret: str) -> None:
        reason = _reason(outcome.status, outcome.words)
        self.outbox.park(envelope.agent_id, reason, mark_of(secret), base_url=envelope.base_url)
        message = f"Traces of agent {envelope.agent_id} wait: {envelope.base_url} refused its credentials ({reason})"
        self.ledger.record_error("api", message, when=self.clock())
        del self.secrets[envelope.agent_id, envelope.base_url]
        self.parked += 1

    def _postpone(
        self, queued: Queued, envelope: Envelope, outcome: Retry, attempts: int, conflicts: int, wait: float
    ) -> None:
        now = self.clock()
        delay = Delay(attempts=attempts, conflicts=conflicts, since=now, due=now + wait, reason=outcome.reason)
        self.outbox.postpone(queued.key, delay)
        self._rests(envelope, delay.due)
        if is_conflict(outcome):
            return  # says something about this trace alone
        self.down.add(envelope.base_url)
        message = f"{envelope.base_url} did not take a trace ({outcome.reason}); it waits in the outbox"
        self.ledger.record_error("api", message, when=now)


def _reason(status: int | None, words: str) -> str:
    return words if status is None else f"HTTP {status}: {words}" if words else f"HTTP {status}"
