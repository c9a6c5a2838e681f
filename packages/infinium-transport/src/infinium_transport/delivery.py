"""Delivers the queue: one delivery for each recipient, side by side, so that none waits for another one's server."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from infinium_transport._recipient_delivery import RecipientDelivery
from infinium_transport.errors import CorruptTraceError, MissingTraceError
from infinium_transport.model import LOCAL, Queued, Recipient
from infinium_transport.options import DeliveryOptions, FindSecret, FoundSecret, NoSecret, Sender
from infinium_transport.report import DeliveryProblem, DeliveryReport, ProblemKind
from infinium_transport.state import StateDirectory

UNVERIFIED = (
    "The server's certificate is not checked (INFINIUM_VERIFY_SSL is off): "
    "another server could read the traces and the secret."
)


def deliver(
    state: StateDirectory, secret: FindSecret, user_agent: str, options: DeliveryOptions | None = None
) -> DeliveryReport:
    """Send every queued trace that is due, and report what was sent and what was not.

    `secret` is called once for each agent and base URL with a trace that is due, never for local traces. `user_agent`
    names the connector to the server, for example `my-connector/1.0`. Each recipient (agent and base URL) has a lock
    and a connection of its own: only one process at a time sends to it, and `busy_agents` in the report of another one
    names it. Raises StorageError when the state directory cannot be read or written.
    """
    return _Delivery(state, secret, user_agent, options or DeliveryOptions()).run()


class _Delivery:
    """The state of one call of `deliver`."""

    def __init__(self, state: StateDirectory, secret: FindSecret, user_agent: str, options: DeliveryOptions) -> None:
        self._state = state
        self._outbox = state.outbox
        self._ledger = state.ledger
        self._find_secret = secret
        self._user_agent = user_agent
        self._options = options
        self._lock: AbstractContextManager[object] = nullcontext()
        """Held while this object is changed, and during a look-up of a secret: a keyring serves one at a time."""
        self._recipients: dict[str, Recipient] = {}
        """The recipient of each trace that was seen."""
        self._deliveries: dict[Recipient, RecipientDelivery] = {}
        self._problems: dict[ProblemKind, DeliveryProblem] = {}
        """Of traces without a recipient."""
        self._is_unverified_noted = False

    def run(self) -> DeliveryReport:
        """Deliver until no trace of a recipient is left that was not handled."""
        self._ledger.prepare()
        self._drop_excess()
        while new := self._new_recipients():
            for recipient in sorted(new):
                self._deliveries[recipient] = RecipientDelivery(
                    recipient,
                    self._state,
                    self._options,
                    found=new[recipient],
                    waiting=partial(self._waiting_for, recipient),
                    find_secret=self._find_secret_alone,
                    make_client=partial(self._make_client, recipient),
                )
            if len(new) > 1:
                from threading import Lock  # not at the top: most deliveries have one recipient

                self._lock = Lock()
            _run_side_by_side([self._deliveries[recipient] for recipient in new])
        self._tidy_up()
        return self._report()

    # The queue, by recipient

    def _waiting(self) -> dict[Recipient, list[Queued]]:
        """The queued traces of each recipient, oldest first."""
        found: dict[Recipient, list[Queued]] = {}
        with self._lock:
            for queued in self._outbox.pending():
                recipient = self._recipients.get(queued.key) or self._read_recipient(queued)
                if recipient is not None:
                    self._recipients[queued.key] = recipient
                    found.setdefault(recipient, []).append(queued)
        return found

    def _new_recipients(self) -> dict[Recipient, list[Queued]]:
        """The recipients of queued traces that have no delivery yet, with their traces."""
        return {recipient: found for recipient, found in self._waiting().items() if recipient not in self._deliveries}

    def _waiting_for(self, recipient: Recipient) -> list[Queued]:
        return self._waiting().get(recipient, [])

    def _read_recipient(self, queued: Queued) -> Recipient | None:
        """The recipient of a trace; None for one that is damaged, which is moved aside, or that no longer exists."""
        header = self._outbox.read_header(queued)
        if header is not None:
            return header.recipient
        try:
            return self._outbox.read(queued).recipient
        except MissingTraceError:
            return None
        except CorruptTraceError as error:
            self._ledger.record_error("outbox", str(error), when=self._options.clock())
            self._add_problem(ProblemKind.damaged, str(error))
            return None

    def _drop_excess(self) -> None:
        """Drop the traces beyond the limits, unless another process does."""
        now = self._options.clock()
        with self._outbox.housekeeping_lock() as held:
            for dropped in self._state.drop(self._outbox.excess(now=now)) if held else ():
                self._add_problem(ProblemKind.dropped, dropped.reason)

    def _tidy_up(self) -> None:
        """Remove leftovers of crashes and old copies, unless another process does."""
        now = self._options.clock()
        with self._outbox.housekeeping_lock() as held:
            if held:
                self._outbox.remove_leftovers(now=now)
                self._ledger.prune(now=now)
                if any(recipient.base_url == LOCAL for recipient in self._deliveries):
                    self._state.local.prune(now=now)

    # What the deliveries share

    def _find_secret_alone(self, recipient: Recipient) -> str | FoundSecret | NoSecret:
        with self._lock:
            return self._find_secret(recipient.agent_id, recipient.base_url)

    def _make_client(self, recipient: Recipient) -> Sender:
        own = self._options.client(recipient) if self._options.client is not None else None
        if own is not None:
            return own
        from infinium_transport.client import Client  # imports niquests

        with self._lock:
            if not self._options.verify_ssl and not self._is_unverified_noted:
                self._is_unverified_noted = True
                self._ledger.record_error("security", UNVERIFIED, when=self._options.clock())
        return Client(user_agent=self._user_agent, timeout=self._options.timeout, verify_ssl=self._options.verify_ssl)

    # The report

    def _report(self) -> DeliveryReport:
        deliveries = [self._deliveries[recipient] for recipient in sorted(self._deliveries)]
        due = {one.recipient.agent_id: one.next_due for one in deliveries if one.next_due is not None}
        return DeliveryReport(
            sent=sum(one.sent for one in deliveries),
            queued=sum(1 for _ in self._outbox.pending()),
            busy_agents=tuple(dict.fromkeys(one.recipient.agent_id for one in deliveries if one.busy)),
            next_due=min((one.next_due for one in deliveries if one.next_due is not None), default=None),
            delayed_agents=tuple(sorted(due)),
            problems=tuple(self._all_problems(deliveries)),
        )

    def _all_problems(self, deliveries: list[RecipientDelivery]) -> Iterator[DeliveryProblem]:
        damaged = self._problems.pop(ProblemKind.damaged, None)
        for one in deliveries:
            for problem in one.problems:
                if problem.kind is ProblemKind.damaged:
                    damaged = problem if damaged is None else damaged.with_more(problem.traces)
                else:
                    yield problem
        yield from ([damaged] if damaged is not None else [])
        yield from self._problems.values()

    def _add_problem(self, kind: ProblemKind, reason: str) -> None:
        known = self._problems.get(kind)
        self._problems[kind] = known.with_more(1) if known else DeliveryProblem(kind=kind, traces=1, reason=reason)


def _run_side_by_side(deliveries: list[RecipientDelivery]) -> None:
    """Run each delivery on a thread of its own; a single one here. Raises the first error after all have ended.

    The threads are daemons: a program that the user interrupts need not wait for a server.
    """
    if len(deliveries) == 1:
        deliveries[0].run()
        return
    from infinium_transport._daemon_executor import DaemonExecutor  # imports logging; one recipient needs none

    executors = [DaemonExecutor() for _ in deliveries]
    running = [executor.submit(one.run) for executor, one in zip(executors, deliveries, strict=True)]
    for executor in executors:
        executor.shutdown()
    errors = [error for future in running if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
