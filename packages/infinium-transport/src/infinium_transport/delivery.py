"""Delivers queued traces: oldest first, one process at a time, every outcome recorded before it takes effect."""

from infinium_transport._batch import AcceptedBatch
from infinium_transport.errors import CorruptTraceError, MissingTraceError
from infinium_transport.model import (
    LOCAL,
    Accepted,
    Delay,
    Envelope,
    Outcome,
    Parked,
    ParkReason,
    Queued,
    Refusal,
    Rejected,
    Retry,
    Unauthorized,
)
from infinium_transport.options import DeliveryOptions, FindSecret, FoundSecret, Sender
from infinium_transport.parking import is_mark_of, mark_of
from infinium_transport.policy import backoff, is_conflict, remaining_delay
from infinium_transport.report import RETRIED, DeliveryProblem, DeliveryReport, ProblemKind
from infinium_transport.state import StateDirectory

NEW_SECRET = "Store the agent's valid secret; the queued traces are then sent."  # noqa: S105 - a sentence
UNVERIFIED = (
    "The server's certificate is not checked (INFINIUM_VERIFY_SSL is off): "
    "another server could read the traces and the secret."
)
FIX_AND_RETRY = "Correct the cause, then retry the dead letters."


def deliver(
    state: StateDirectory, secret: FindSecret, user_agent: str, options: DeliveryOptions | None = None
) -> DeliveryReport:
    """Send every queued trace that is due, and report what was sent and what was not.

    `secret` is called once for each agent and base URL, never for local traces. `user_agent` names the connector to
    the server, for example `my-connector/1.0`. Only one process sends at a time; the report of another one says `busy`.
    Raises StorageError when the state directory cannot be read or written.
    """
    delivery = _Delivery(state, secret, user_agent, options or DeliveryOptions())
    try:
        while True:
            with state.outbox.sender_lock() as held:
                if not held:
                    return delivery.report(busy=True)
                delivery.send_due()
            # A process that queued a trace while this one held the lock was turned away and relies on this one.
            if all(queued.key in delivery.seen for queued in state.outbox.pending()):
                return delivery.report()
    finally:
        delivery.close()


class _Delivery:
    """The state of one call of `deliver`."""

    def __init__(self, state: StateDirectory, secret: FindSecret, user_agent: str, options: DeliveryOptions) -> None:
        self._outbox = state.outbox
        self._ledger = state.ledger
        self._local = state.local
        self._find_secret = secret
        self._user_agent = user_agent
        self._options = options
        self._clock = options.clock
        self._batch = AcceptedBatch(state.outbox, state.ledger, options.clock)
        self._client: Sender | None = None
        self.seen: set[str] = set()
        """Keys of the traces that were handled."""
        self._secrets: dict[tuple[str, str], str | Refusal | Parked] = {}
        """For each agent and base URL: the secret, or why there is none to send with."""
        self._unavailable: dict[str, str] = {}
        """Base URLs that are unavailable, with the reason: their other traces wait without a request of their own."""
        self._next_due: dict[str, float] = {}
        """For each agent, when its first delayed trace is due."""
        self._problems: dict[tuple[ProblemKind, str, str], DeliveryProblem] = {}
        self._sent = 0
        self._stored_locally = False

    def send_due(self) -> None:
        """Handle every trace in the queue. The caller holds the sender lock."""
        now = self._clock()
        self._ledger.prepare()
        for excess in self._outbox.excess(now=now):
            self._ledger.record_drop(excess.key, excess.reason, size=excess.size, when=now)
            self._outbox.drop(excess)
            self._add_problem(ProblemKind.dropped, excess.reason)
        try:
            while waiting := [queued for queued in self._outbox.pending() if queued.key not in self.seen]:
                # One question for all: no other process can add entries while this one holds the lock.
                sent = self._ledger.sent_among({queued.key for queued in waiting})
                for queued in waiting:
                    self.seen.add(queued.key)
                    if queued.key in sent:
                        self._batch.add_recorded(queued)  # by a run that ended before it removed the trace
                    else:
                        self._handle(queued)
        finally:
            self._batch.complete()
        self._outbox.remove_leftovers(now=now)
        self._ledger.prune(now=now)
        if self._stored_locally:
            self._local.prune(now=now)

    def close(self) -> None:
        """Close the client."""
        if self._client is not None:
            self._client.close()

    def report(self, *, busy: bool = False) -> DeliveryReport:
        """What was done so far."""
        return DeliveryReport(
            sent=self._sent,
            queued=sum(1 for _ in self._outbox.pending()),
            busy=busy,
            next_due=min(self._next_due.values(), default=None),
            delayed_agents=tuple(sorted(self._next_due)),
            problems=tuple(self._problems.values()),
        )

    def _handle(self, queued: Queued) -> None:
        try:
            envelope = self._outbox.read(queued)
        except CorruptTraceError as error:
            self._ledger.record_error("outbox", str(error), when=self._clock())
            self._add_problem(ProblemKind.damaged, str(error))
            return
        except MissingTraceError:
            return
        if envelope.base_url == LOCAL:
            self._accepted(queued, envelope, self._local.store(envelope))
            self._stored_locally = True
            return
        delay = self._outbox.delay(queued.key) if queued.tried else None
        now = self._clock()
        remaining = remaining_delay(delay, now=now, cap=self._options.retry.cap)
        if delay is not None and remaining > 0:
            # No look-up of the secret: the process that runs when the trace is due may have one that this one has not.
            self._delayed(envelope, now + remaining, delay.reason)
        elif (secret := self._secret(envelope)) is not None:
            self._send(queued, envelope, secret, delay)

    # Secrets

    def _secret(self, envelope: Envelope) -> str | None:
        """The secret to send with; None when there is none or the server refused this one before."""
        recipient = envelope.agent_id, envelope.base_url
        found = self._secrets.get(recipient)
        if found is None:
            found = self._secrets[recipient] = self._look_up(*recipient)
        match found:
            case Refusal():
                self._add_problem(ProblemKind.no_secret, found.reason, found.hint, envelope)
            case Parked():
                self._add_problem(ProblemKind.unauthorized, found.reason, NEW_SECRET, envelope)
            case str():
                return found
        return None

    def _look_up(self, agent: str, base_url: str) -> str | Refusal | Parked:
        answer = self._find_secret(agent, base_url)
        parked = self._outbox.parked_at(agent, base_url)
        if isinstance(answer, str):
            secret = answer
        elif isinstance(answer, FoundSecret):
            secret = answer.secret.reveal()
        else:
            refusal = Refusal(reason=answer.reason, hint=answer.hint)
            self._note_refusal(agent, base_url, refusal, parked)
            return refusal
        if parked is None:
            return secret
        if parked.kind is ParkReason.unauthorized and is_mark_of(parked.credentials_mark, secret):
            return parked
        self._outbox.unpark(agent, base_url=base_url)
        return secret

    def _note_refusal(self, agent: str, base_url: str, refusal: Refusal, parked: Parked | None) -> None:
        if parked is not None and parked.kind is not ParkReason.refused:
            return  # that the server refused an earlier secret is the more useful note
        text = f"{refusal.reason}. {refusal.hint}".strip()
        if self._outbox.note_refusal(agent, text, base_url=base_url):
            message = f"Traces of agent {agent} are queued but not sent: {text}"
            self._ledger.record_error("secret", message, when=self._clock())

    # Requests

    def _send(self, queued: Queued, envelope: Envelope, secret: str, delay: Delay | None) -> None:
        """Send one trace, with the retries of one delivery."""
        if (reason := self._unavailable.get(envelope.base_url)) is not None:
            self._add_problem(ProblemKind.unavailable, reason, RETRIED, envelope)
            return
        policy = self._options.retry
        attempts, conflicts = (delay.attempts, delay.conflicts) if delay else (0, 0)
        for retries_left in range(self._options.max_retries, -1, -1):
            outcome = self._request(envelope, secret)
            if not isinstance(outcome, Retry):
                self._settle(queued, envelope, outcome, secret)
                return
            attempts += 1
            conflicts += is_conflict(outcome)
            if conflicts >= policy.max_conflicts:
                self._dead_letter(queued, envelope, outcome.reason, outcome.status, outcome.reason)
                return
            wait = backoff(attempts, outcome.after, random=self._options.random, base=policy.base, cap=policy.cap)
            if not retries_left or wait > policy.max_sleep:
                self._postpone(queued, envelope, outcome, attempts, conflicts, wait)
                return
            self._batch.complete()  # what was accepted is not left unsynced during the wait
            self._options.sleep(wait)

    def _request(self, envelope: Envelope, secret: str) -> Outcome:
        if self._client is None:
            self._client = self._options.client() if self._options.client else self._default_client()
        return self._client.send(envelope, secret)

    def _default_client(self) -> Sender:
        from infinium_transport.client import Client  # imports niquests

        if not self._options.verify_ssl:
            self._ledger.record_error("security", UNVERIFIED, when=self._clock())
        return Client(user_agent=self._user_agent, timeout=self._options.timeout, verify_ssl=self._options.verify_ssl)

    # Outcomes

    def _settle(
        self, queued: Queued, envelope: Envelope, outcome: Accepted | Rejected | Unauthorized, secret: str
    ) -> None:
        match outcome:
            case Accepted():
                self._accepted(queued, envelope, outcome)
            case Rejected(status=status, message=message):
                self._dead_letter(queued, envelope, _reason(status, message), status, message)
            case Unauthorized():
                self._park(envelope, outcome, secret)

    def _accepted(self, queued: Queued, envelope: Envelope, outcome: Accepted) -> None:
        self._batch.add(queued, envelope, outcome.trace_id)
        self._sent += 1

    def _dead_letter(self, queued: Queued, envelope: Envelope, reason: str, status: int | None, message: str) -> None:
        self._ledger.record_dead(envelope, reason, status, when=self._clock())
        self._outbox.move_to_dead_letters(queued, reason, status, message)
        self._add_problem(ProblemKind.rejected, reason, FIX_AND_RETRY, envelope)

    def _park(self, envelope: Envelope, outcome: Unauthorized, secret: str) -> None:
        agent, base_url = envelope.agent_id, envelope.base_url
        reason = _reason(outcome.status, outcome.message)
        parked = self._outbox.park(agent, reason, mark_of(secret), base_url=base_url)
        message = f"Traces of agent {agent} are parked: {base_url} refused the agent's secret ({reason})"
        self._ledger.record_error("api", message, when=self._clock())
        self._secrets[agent, base_url] = parked
        self._add_problem(ProblemKind.unauthorized, reason, NEW_SECRET, envelope)

    def _postpone(
        self, queued: Queued, envelope: Envelope, outcome: Retry, attempts: int, conflicts: int, wait: float
    ) -> None:
        now = self._clock()
        delay = Delay(attempts=attempts, conflicts=conflicts, since=now, due=now + wait, reason=outcome.reason)
        self._outbox.postpone(queued.key, delay)
        self._delayed(envelope, delay.due, delay.reason)
        if is_conflict(outcome):
            return  # concerns this trace alone
        self._unavailable[envelope.base_url] = outcome.reason
        message = f"{envelope.base_url} did not accept a trace ({outcome.reason}); it stays queued"
        self._ledger.record_error("api", message, when=now)

    def _delayed(self, envelope: Envelope, due: float, reason: str) -> None:
        self._next_due[envelope.agent_id] = min(self._next_due.get(envelope.agent_id, due), due)
        self._add_problem(ProblemKind.unavailable, reason, RETRIED, envelope)

    def _add_problem(
        self, kind: ProblemKind, reason: str, next_step: str = "", envelope: Envelope | None = None
    ) -> None:
        """Count a trace; the first one of its kind, agent and address gives the reason."""
        agent, base_url = (envelope.agent_id, envelope.base_url) if envelope else ("", "")
        known = self._problems.get((kind, agent, base_url))
        self._problems[kind, agent, base_url] = DeliveryProblem(
            kind=kind,
            traces=known.traces + 1 if known else 1,
            reason=known.reason if known else reason,
            next_step=known.next_step if known else next_step,
            agent_id=agent,
            base_url=base_url,
        )


def _reason(status: int | None, message: str) -> str:
    return message if status is None else f"HTTP {status}: {message}" if message else f"HTTP {status}"
