"""Delivers the traces of one recipient: oldest first, every outcome recorded before it takes effect."""

from collections.abc import Callable

from msgspec.json import decode as decode_json
from msgspec.structs import replace

from infinium_transport._batch import AcceptedBatch
from infinium_transport._json import encode_json
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
    Recipient,
    Refusal,
    Rejected,
    Retry,
    Unauthorized,
)
from infinium_transport.options import DeliveryOptions, FoundSecret, NoSecret, Sender
from infinium_transport.parking import is_mark_of, mark_of
from infinium_transport.policy import backoff, is_conflict, remaining_delay
from infinium_transport.report import RETRIED, DeliveryProblem, ProblemKind
from infinium_transport.state import StateDirectory

NEW_SECRET = "Store the agent's valid secret, or retry to try the refused one again."  # noqa: S105 - a sentence
FIX_AND_RETRY = "Correct the cause, then retry the dead letters."


class RecipientDelivery:
    """One delivery of one recipient's traces. It uses the disk and the network only in `run`."""

    def __init__(
        self,
        recipient: Recipient,
        state: StateDirectory,
        options: DeliveryOptions,
        *,
        found: list[Queued],
        waiting: Callable[[], list[Queued]],
        find_secret: Callable[[Recipient], str | FoundSecret | NoSecret],
        make_client: Callable[[], Sender],
    ) -> None:
        """`found` are the recipient's traces as they were just listed; `waiting` lists them again."""
        self.recipient = recipient
        self._outbox = state.outbox
        self._ledger = state.ledger
        self._local = state.local
        self._options = options
        self._clock = options.clock
        self._found, self._waiting = found, waiting
        self._find_secret = find_secret
        self._make_client = make_client
        self._batch = AcceptedBatch(state.outbox, state.ledger, options.clock)
        self._client: Sender | None = None
        self._seen: set[str] = set()
        """Keys of the traces that were handled."""
        self._secret: str | Refusal | Parked | None = None
        """The secret, or why there is none to send with; None before the look-up."""
        self._probe: Parked | None = None
        """Why the recipient is parked, while one trace tries the refused secret again."""
        self._unavailable = ""
        """Why the server is unavailable: the other traces then wait without a request of their own."""
        self._problems: dict[ProblemKind, DeliveryProblem] = {}
        self.sent = 0
        self.busy = False
        """Whether another process is sending this recipient's traces."""
        self.next_due: float | None = None
        """When to deliver again: a delayed trace is due, or the refused secret is to be tried again."""

    @property
    def problems(self) -> tuple[DeliveryProblem, ...]:
        """Why traces were not sent."""
        return tuple(self._problems.values())

    def run(self) -> None:
        """Send every trace that is due, unless another process sends to this recipient."""
        try:
            # In a loop, since a process that queued a trace while this one held the lock relies on this one.
            while waiting := self._unseen():
                if not self._can_send(waiting):
                    continue
                with self._outbox.sender_lock(self.recipient) as held:
                    if not held:
                        self.busy = True
                        return
                    self._send_waiting()
        finally:
            if self._client is not None:
                self._client.close()

    def _unseen(self) -> list[Queued]:
        found, self._found = self._found or self._waiting(), []
        return [queued for queued in found if queued.key not in self._seen]

    def _can_send(self, waiting: list[Queued]) -> bool:
        """Whether one of these traces is due and there is a secret to send it with. Notes why the others wait."""
        due = [queued for queued in waiting if not self._is_delayed(queued)]
        # A delayed trace needs no look-up: the process that runs when it is due may have a secret that this one lacks.
        if not due:
            return False
        if self._find():
            return True
        self._seen.update(queued.key for queued in due)
        self._add_blocked(len(due))
        return False

    def _is_delayed(self, queued: Queued) -> bool:
        delay = self._outbox.delay(queued.key) if queued.tried else None
        now = self._clock()
        remaining = remaining_delay(delay, now=now, cap=self._options.retry.cap)
        if delay is None or remaining <= 0:
            return False
        self._seen.add(queued.key)
        self._delayed(now + remaining, delay.reason)
        return True

    def _send_waiting(self) -> None:
        """Handle the traces that were not handled yet. The caller holds the recipient's lock."""
        try:
            while waiting := self._unseen():
                # One question for all: no other process can add entries while this one holds the lock.
                sent = self._ledger.sent_among({queued.key for queued in waiting})
                for queued in waiting:
                    self._seen.add(queued.key)
                    if queued.key in sent:
                        self._batch.add_recorded(queued)  # by a run that ended before it removed the trace
                    elif not self._is_delayed(queued):
                        self._handle(queued)
        finally:
            self._batch.complete()

    def _handle(self, queued: Queued) -> None:
        try:
            envelope = self._outbox.read(queued)
        except CorruptTraceError as error:
            self._ledger.record_error("outbox", str(error), when=self._clock())
            self._add_problem(ProblemKind.damaged, str(error))
            return
        except MissingTraceError:
            return
        if envelope.recipient != self.recipient:
            return  # redirected to another recipient after this one was read
        if self.recipient.base_url == LOCAL:
            self._accepted(queued, envelope, self._local.store(envelope))
        elif not isinstance(self._secret, str):
            self._add_blocked(1)
        else:
            self._send(queued, self._redacted(queued, envelope, self._secret), self._secret)

    def _redacted(self, queued: Queued, envelope: Envelope, secret: str) -> Envelope:
        """Return the trace without the secret that it is sent with. A changed one is stored first.

        Only JSON is redacted: a recipient with a client of its own may have bodies of another format.
        """
        redact = self._options.redact if envelope.body.startswith(b"{") else None
        body = envelope.body if redact is None else redact(envelope.body, secret)
        if redact is None or body is envelope.body:
            return envelope
        name = decode_json(redact(encode_json(envelope.name), secret), type=str)
        envelope = replace(envelope, body=body, name=name)
        self._outbox.replace(queued, envelope)
        return envelope

    # Secrets

    def _find(self) -> bool:
        """Look up the secret, once; return whether there is one to send with, or none is needed."""
        if self.recipient.base_url == LOCAL:
            return True
        if self._secret is None:
            self._secret = self._look_up()
        return isinstance(self._secret, str)

    def _look_up(self) -> str | Refusal | Parked:
        answer = self._find_secret(self.recipient)
        parked = self._outbox.parked_at(self.recipient.agent_id, self.recipient.base_url)
        if isinstance(answer, str):
            secret = answer
        elif isinstance(answer, FoundSecret):
            secret = answer.secret.reveal()
        else:
            refusal = Refusal(reason=answer.reason, hint=answer.hint)
            self._note_refusal(refusal, parked)
            return refusal
        if parked is None:
            return secret
        if parked.kind is ParkReason.unauthorized and is_mark_of(parked.credentials_mark, secret):
            now = self._clock()
            if parked.since <= now < parked.probe_at:  # a clock that was set back makes it due
                return parked
            self._probe = parked
        else:
            self._unpark()
        return secret

    def _unpark(self) -> None:
        self._outbox.unpark(self.recipient.agent_id, base_url=self.recipient.base_url)

    def _note_refusal(self, refusal: Refusal, parked: Parked | None) -> None:
        if parked is not None and parked.kind is not ParkReason.refused:
            return  # that the server refused an earlier secret is the more useful note
        agent = self.recipient.agent_id
        text = f"{refusal.reason}. {refusal.hint}".strip()
        if self._outbox.note_refusal(agent, text, base_url=self.recipient.base_url):
            message = f"Traces of agent {agent} are queued but not sent: {text}"
            self._record_error("secret", message)

    # Requests

    def _send(self, queued: Queued, envelope: Envelope, secret: str) -> None:
        """Send one trace, with the retries of one delivery."""
        if self._unavailable:
            self._add_problem(ProblemKind.unavailable, self._unavailable, RETRIED)
            return
        policy = self._options.retry
        delay = self._outbox.delay(queued.key) if queued.tried else None
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
                self._postpone(queued, outcome, attempts, conflicts, wait)
                return
            self._batch.complete()  # what was accepted is not left unsynced during the wait
            self._options.sleep(wait)

    def _request(self, envelope: Envelope, secret: str) -> Outcome:
        if self._client is None:
            self._client = self._make_client()
        return self._client.send(envelope, secret)

    # Outcomes

    def _settle(
        self, queued: Queued, envelope: Envelope, outcome: Accepted | Rejected | Unauthorized, secret: str
    ) -> None:
        if self._probe is not None and not isinstance(outcome, Unauthorized):
            self._probe = None
            self._unpark()
        match outcome:
            case Accepted():
                self._accepted(queued, envelope, outcome)
            case Rejected(status=status, message=message):
                self._dead_letter(queued, envelope, _reason(status, message), status, message)
            case Unauthorized():
                self._park(outcome, secret)

    def _accepted(self, queued: Queued, envelope: Envelope, outcome: Accepted) -> None:
        self._batch.add(queued, envelope, outcome.trace_id)
        self.sent += 1

    def _dead_letter(self, queued: Queued, envelope: Envelope, reason: str, status: int | None, message: str) -> None:
        self._ledger.record_dead(envelope, reason, status, when=self._clock())
        self._outbox.move_to_dead_letters(queued, reason, status, message)
        self._add_problem(ProblemKind.rejected, reason, FIX_AND_RETRY)

    def _park(self, outcome: Unauthorized, secret: str) -> None:
        agent, base_url = self.recipient.agent_id, self.recipient.base_url
        reason = _reason(outcome.status, outcome.message)
        attempts = self._probe.attempts + 1 if self._probe is not None else 1
        self._secret = self._outbox.park(agent, reason, mark_of(secret), base_url=base_url, attempts=attempts)
        if self._probe is None:
            message = f"Traces of agent {agent} are parked: {base_url} refused the agent's secret ({reason})"
            self._record_error("api", message)
        self._probe = None
        self._add_blocked(1)

    def _postpone(self, queued: Queued, outcome: Retry, attempts: int, conflicts: int, wait: float) -> None:
        now = self._clock()
        delay = Delay(attempts=attempts, conflicts=conflicts, since=now, due=now + wait, reason=outcome.reason)
        self._outbox.postpone(queued.key, delay)
        self._delayed(delay.due, delay.reason)
        if is_conflict(outcome):
            return  # concerns this trace alone
        self._unavailable = outcome.reason
        message = f"{self.recipient.base_url} did not accept a trace ({outcome.reason}); it stays queued"
        self._record_error("api", message)

    def _record_error(self, where: str, message: str) -> None:
        self._ledger.record_error(where, message, when=self._clock(), labels={"agent": self.recipient.agent_id})

    def _delayed(self, due: float, reason: str) -> None:
        self._due_at(due)
        self._add_problem(ProblemKind.unavailable, reason, RETRIED)

    def _due_at(self, when: float) -> None:
        self.next_due = when if self.next_due is None else min(self.next_due, when)

    def _add_blocked(self, traces: int) -> None:
        """Count traces for which there is no secret to send with."""
        match self._secret:
            case Refusal(reason=reason, hint=hint):
                self._add_problem(ProblemKind.no_secret, reason, hint, traces)
            case Parked(reason=reason, probe_at=probe_at):
                self._due_at(probe_at)
                self._add_problem(ProblemKind.unauthorized, reason, NEW_SECRET, traces)

    def _add_problem(self, kind: ProblemKind, reason: str, next_step: str = "", traces: int = 1) -> None:
        """Count traces; the first one of a kind gives the reason."""
        known = self._problems.get(kind)
        agent, base_url = self.recipient.agent_id, self.recipient.base_url
        if kind is ProblemKind.damaged:
            agent = base_url = ""
        self._problems[kind] = (
            known.with_more(traces)
            if known
            else DeliveryProblem(
                kind=kind, traces=traces, reason=reason, next_step=next_step, agent_id=agent, base_url=base_url
            )
        )


def _reason(status: int | None, message: str) -> str:
    return message if status is None else f"HTTP {status}: {message}" if message else f"HTTP {status}"
