"""The delivery with a scripted server: what each outcome does to a trace, and what the user reads about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from infinium_transport import (
    Accepted,
    DeliveryOptions,
    DeliveryProblem,
    DeliveryReport,
    EntryKind,
    Envelope,
    OutboxLimits,
    Outcome,
    ProblemKind,
    Put,
    Refusal,
    Rejected,
    Retry,
    StateDirectory,
    StorageError,
    Unauthorized,
    deliver,
)
from syrupy.assertion import SnapshotAssertion

URL = "https://api.example/v1"
DOWN = Retry(reason="ConnectionError: refused")


def key(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012d}"


@dataclass
class Machine:
    """A machine with a clock of its own and a server with scripted answers."""

    root: Path
    script: list[Outcome] = field(default_factory=list)
    now: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Key and secret of every request."""
    secrets: dict[str, str | Refusal] = field(default_factory=dict)
    on_send: Callable[[], None] = lambda: None
    limits: OutboxLimits = field(default_factory=OutboxLimits)

    def __post_init__(self) -> None:
        self.state = StateDirectory(self.root, limits=self.limits, clock=lambda: self.now)
        self.ledger, self.outbox = self.state.ledger, self.state.outbox

    def queue(self, *numbers: int, base_url: str = URL, agent: str = "agent") -> None:
        for number in numbers:
            envelope = Envelope(
                key=key(number),
                agent_id=agent,
                base_url=base_url,
                body=b'{"n": %d}' % number,
                created=self.now + number,
                name=f"trace {number}",
            )
            self.outbox.put(envelope)

    def send(self, envelope: Envelope, secret: str) -> Outcome:
        self.sent.append((envelope.key, secret))
        self.on_send()
        return self.script.pop(0) if self.script else Accepted(trace_id=f"t-{envelope.key[-1]}")

    def close(self) -> None:
        """Nothing is open."""

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def run(self) -> DeliveryReport:
        return deliver(
            self.state,
            lambda agent, _: self.secrets.get(agent, "sesame"),
            "test/1",
            DeliveryOptions(
                max_retries=2,
                client=lambda: self,
                clock=lambda: self.now,
                sleep=self.sleep,
                random=lambda: 1.0,
            ),
        )

    def errors(self) -> Iterator[str]:
        return (entry.message for entry in self.ledger.entries(EntryKind.error))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_traces_are_sent_oldest_first_and_recorded(machine: Machine) -> None:
    machine.queue(2, 1, 3)
    assert machine.run() == DeliveryReport(sent=3)
    assert [sent for sent, _ in machine.sent] == [key(1), key(2), key(3)]
    newest = machine.ledger.entries(EntryKind.sent)[0]
    assert (newest.key, newest.trace_id, newest.message) == (key(3), "t-3", "trace 3")
    assert machine.ledger.payload(key(3)) == b'{"n": 3}'


def test_a_sent_trace_is_never_queued_or_sent_again(machine: Machine) -> None:
    machine.queue(1)
    machine.run()
    machine.queue(1)
    assert list(machine.outbox.pending()) == []


def test_a_trace_that_was_sent_but_not_removed_is_not_sent_again(machine: Machine) -> None:
    """As after a process that was killed between the ledger's entry and the removal."""
    machine.queue(1)
    [queued] = machine.outbox.pending()
    machine.ledger.record_sent(machine.outbox.read(queued), "t", when=machine.now)
    assert machine.run() == DeliveryReport()
    assert machine.sent == []
    assert list(machine.outbox.pending()) == []


def test_local_traces_need_neither_client_nor_secret(machine: Machine) -> None:
    machine.secrets["agent"] = Refusal(reason="none")
    machine.queue(1, base_url="local")
    assert machine.run() == DeliveryReport(sent=1)
    assert machine.sent == []
    assert machine.state.local.read(key(1)) == b'{"n": 1}'


def test_temporary_failures_are_retried_after_growing_delays(machine: Machine) -> None:
    machine.script = [DOWN, Retry(reason="HTTP 503", status=503)]
    machine.queue(1)
    assert machine.run() == DeliveryReport(sent=1)
    assert machine.slept == [0.5, 1.0]


def test_retry_after_is_the_minimum_delay(machine: Machine) -> None:
    machine.script = [Retry(reason="HTTP 429", status=429, after=30.0)]
    machine.queue(1)
    machine.run()
    assert machine.slept == [30.0]


def test_unavailable_server_gets_requests_for_one_trace_only(machine: Machine) -> None:
    """Two hundred queued traces must not mean two hundred timeouts. Other servers are not affected."""
    machine.script = [DOWN] * 3
    machine.queue(1, 2, 3)
    machine.queue(4, base_url="https://other.example/v1")
    report = machine.run()
    assert (report.sent, report.queued) == (1, 3)
    assert report.next_due == machine.now + 2.0
    assert [sent for sent, _ in machine.sent] == [key(1)] * 3 + [key(4)]
    assert list(machine.errors()) == [f"{URL} did not accept a trace (ConnectionError: refused); it stays queued"]


def test_later_delivery_sends_what_the_last_one_did_not_try(machine: Machine) -> None:
    machine.script = [DOWN] * 3
    machine.queue(1, 2)
    machine.run()
    machine.sent.clear()
    assert machine.run().sent == 1, "the second trace was never tried, so it is due"
    assert [sent for sent, _ in machine.sent] == [key(2)]
    machine.now += 3
    assert machine.run().sent == 1


def test_clock_set_back_does_not_delay_the_queue(machine: Machine) -> None:
    machine.script = [DOWN] * 3
    machine.queue(1)
    machine.run()
    machine.now -= 86_400
    assert machine.run().sent == 1


@pytest.mark.parametrize("status", [400, 404, 413, 422, 307])
def test_rejected_trace_becomes_a_dead_letter_at_once(machine: Machine, status: int) -> None:
    machine.script = [Rejected(status=status, message="the server's message")]
    machine.queue(1, 2)
    report = machine.run()
    assert (report.count(ProblemKind.rejected), report.sent) == (1, 1)
    [letter] = machine.outbox.dead_letters()
    assert (letter.key, letter.status, letter.message) == (key(1), status, "the server's message")
    [entry] = machine.ledger.entries(EntryKind.dead)
    assert entry.message == f"HTTP {status}: the server's message"


def test_refused_secret_parks_the_agent_after_one_request(machine: Machine) -> None:
    machine.script = [Unauthorized(status=401, message="bad key")]
    machine.queue(1, 2, 3)
    machine.queue(4, agent="other")
    report = machine.run()
    assert (report.sent, report.count(ProblemKind.unauthorized), report.queued) == (1, 3, 3)
    assert [sent for sent, _ in machine.sent] == [key(1), key(4)]
    machine.sent.clear()
    assert machine.run().count(ProblemKind.unauthorized) == 3, "the same secret is not tried again"
    assert machine.sent == []
    machine.secrets["agent"] = "a new one"
    assert machine.run().sent == 3
    assert machine.outbox.parked() == []


def test_secret_is_in_no_file(machine: Machine) -> None:
    machine.secrets["agent"] = "sesame-4711-canary"
    machine.script = [Unauthorized(status=401, message="bad key")]
    machine.queue(1)
    machine.run()
    files = [path for path in machine.root.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"sesame-4711-canary" in path.read_bytes()] == []


def test_traces_without_a_secret_stay_queued_and_one_error_is_recorded(machine: Machine) -> None:
    machine.secrets["agent"] = Refusal(reason="no secret is stored", hint="Run update-credentials.")
    machine.queue(1, 2)
    problem = DeliveryProblem(
        kind=ProblemKind.no_secret,
        traces=2,
        reason="no secret is stored",
        next_step="Run update-credentials.",
        agent_id="agent",
        base_url=URL,
    )
    assert machine.run() == DeliveryReport(queued=2, problems=(problem,))
    machine.run()
    assert list(machine.errors()) == [
        "Traces of agent agent are queued but not sent: no secret is stored. Run update-credentials."
    ]
    machine.secrets["agent"] = "found"
    assert machine.run().sent == 2


def test_secret_of_a_delayed_trace_is_not_looked_up(machine: Machine) -> None:
    """The delivery for which the trace is due may run in another environment, which has the secret."""
    machine.queue(1, agent="first")
    machine.script = [DOWN] * 6
    machine.run()
    machine.secrets["first"] = Refusal(reason="it belongs to another agent", hint="")
    machine.queue(2, agent="second")
    report = machine.run()
    assert (report.sent, report.count(ProblemKind.no_secret), report.delayed_agents) == (0, 0, ("first", "second"))
    assert machine.outbox.parked() == []
    machine.now += 1_000
    report = machine.run()
    assert (report.sent, report.count(ProblemKind.no_secret), report.delayed_agents, report.next_due) == (
        1,
        1,
        (),
        None,
    )
    assert [note.agent_id for note in machine.outbox.parked()] == ["first"]


def test_conflicts_are_retried_eight_times(machine: Machine) -> None:
    """409: the server is still processing the first request. After eight of them the trace is a dead letter."""
    machine.script = [Retry(reason="HTTP 409", status=409)] * 8
    machine.queue(1)
    for _ in range(4):
        machine.run()
        machine.now += 1_000
    assert len(machine.sent) == 8
    assert [letter.status for letter in machine.outbox.dead_letters()] == [409]


def test_damaged_trace_is_reported_and_does_not_stop_the_others(machine: Machine) -> None:
    machine.queue(1, 2)
    first, _ = machine.outbox.pending()
    first.path.write_bytes(b"damage")
    report = machine.run()
    assert (report.sent, report.count(ProblemKind.damaged)) == (1, 1)
    [message] = machine.errors()
    assert "The file was moved to" in message


def test_dropped_traces_are_counted(tmp_path: Path) -> None:
    machine = Machine(tmp_path, limits=OutboxLimits(count=1))
    machine.queue(1, 2, 3)
    report = machine.run()
    assert (report.sent, report.count(ProblemKind.dropped)) == (1, 2)
    assert [entry.message for entry in machine.ledger.entries(EntryKind.dropped)] == [
        "more than 1 traces were queued"
    ] * 2


def test_trace_queued_during_a_delivery_is_sent_too(machine: Machine) -> None:
    """Its own process was turned away by the lock and relies on the sender to look again."""
    machine.queue(1)
    machine.on_send = lambda: machine.queue(2)
    assert machine.run().sent == 2


def test_second_sender_returns_at_once(machine: Machine) -> None:
    machine.queue(1)
    with machine.outbox.sender_lock():
        report = machine.run()
    assert report.busy
    assert machine.sent == []


def test_lines_of_the_ledger(machine: Machine, snapshot: SnapshotAssertion) -> None:
    """Later versions read these lines."""
    machine.script = [
        Accepted(trace_id="t-1"),
        Rejected(status=400, message="no"),
        Unauthorized(status=403, message="who?"),
    ]
    machine.queue(1, 2, 3)
    machine.run()
    assert (machine.root / "ledger" / "ledger.jsonl").read_text() == snapshot


def test_sent_trace_without_its_copy_is_not_queued_again(machine: Machine) -> None:
    machine.queue(1)
    machine.run()
    for path in machine.ledger.sent.iterdir():
        path.unlink()
    envelope = Envelope(key=key(1), agent_id="a", base_url=URL, body=b"", created=0.0, name="")
    assert machine.outbox.put(envelope) is Put.already_sent


def test_accepted_trace_is_not_sent_again_when_the_ledger_cannot_be_written(machine: Machine) -> None:
    """The disk became full during the request: a file can still be moved, no line can be written."""
    machine.queue(1)
    log = machine.root / "ledger" / "ledger.jsonl"
    machine.on_send = lambda: log.mkdir(parents=True)
    with pytest.raises(StorageError, match="write to the ledger"):
        machine.run()
    log.rmdir()
    machine.on_send = lambda: None
    assert machine.run() == DeliveryReport()
    assert [sent for sent, _ in machine.sent] == [key(1)]
    machine.queue(1)
    assert list(machine.outbox.pending()) == []


def test_report_says_what_happened_and_what_to_do(machine: Machine, snapshot: SnapshotAssertion) -> None:
    """One line for each kind of problem, agent and address."""
    machine.secrets["stranger"] = Refusal(
        reason="https://api.example:443 is not approved for agent stranger", hint="Run update-credentials."
    )
    machine.queue(1, 2)
    machine.queue(3, agent="stranger")
    machine.queue(4, 5, agent="unknown")
    machine.queue(6)
    machine.queue(7, 8, base_url="https://down.example/v1")
    machine.queue(9)
    list(machine.outbox.pending())[-1].path.write_bytes(b"damage")
    machine.script = [
        Accepted(trace_id="t-1"),
        Rejected(status=413, message="too large"),
        Unauthorized(status=401, message="bad key"),
        Accepted(trace_id="t-6"),
        DOWN,
        DOWN,
        DOWN,
    ]
    report = machine.run()
    assert not report.ok
    assert str(report).replace(str(machine.root), "<state>") == snapshot


def test_report_while_another_process_sends(machine: Machine) -> None:
    """The other process sends these traces too: for the user all is well."""
    machine.queue(1)
    with machine.outbox.sender_lock():
        report = machine.run()
    assert report.ok
    assert str(report) == "Another process is sending and will send these traces too."


def test_report_without_traces(machine: Machine) -> None:
    report = machine.run()
    assert report.ok
    assert str(report) == "No traces to send."


def test_secret_object_is_revealed_for_the_request_only(machine: Machine) -> None:
    """A look-up may return an object that does not show its secret when printed."""

    class Secret:
        def reveal(self) -> str:
            return "open"

    class Found:
        secret = Secret()

    machine.queue(1)
    options = DeliveryOptions(client=lambda: machine, clock=lambda: machine.now)
    deliver(machine.state, lambda _agent, _url: Found(), "test/1", options)
    assert machine.sent == [(key(1), "open")]
