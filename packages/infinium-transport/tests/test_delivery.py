"""The delivery with a scripted server: what each outcome does to a trace, and what the user reads about it."""

import os
import threading
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
    Recipient,
    Refusal,
    Rejected,
    Retry,
    StateDirectory,
    StorageError,
    Unauthorized,
    deliver,
)
from infinium_transport.trace_file import encode
from msgspec.structs import replace
from syrupy.assertion import SnapshotAssertion

URL = "https://api.example/v1"
DOWN = Retry(reason="ConnectionError: refused")


def key(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012d}"


@dataclass
class ScriptedDelivery:
    """Everything that a delivery needs: an outbox, a ledger, a clock, and a server with scripted answers."""

    root: Path
    script: list[Outcome] = field(default_factory=list)
    scripts: dict[str, list[Outcome]] = field(default_factory=dict)
    """Answers to one agent or base URL, where several recipients get some: their traces are sent side by side."""
    now: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)
    sent: list[tuple[str, str]] = field(default_factory=list)
    """Key and secret of every request."""
    secrets: dict[str, str | Refusal] = field(default_factory=dict)
    on_send: Callable[[], None] = lambda: None
    limits: OutboxLimits = field(default_factory=OutboxLimits)
    redact: Callable[[bytes, str], bytes] | None = None
    bodies: list[bytes] = field(default_factory=list)
    """Body of every request."""

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
        self.bodies.append(envelope.body)
        self.on_send()
        script = self.scripts.get(envelope.agent_id, self.scripts.get(envelope.base_url, self.script))
        return script.pop(0) if script else Accepted(trace_id=f"t-{envelope.key[-1]}")

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
                client=lambda _: self,
                clock=lambda: self.now,
                sleep=self.sleep,
                random=lambda: 1.0,
                redact=self.redact,
            ),
        )

    def errors(self) -> Iterator[str]:
        return (entry.message for entry in self.ledger.entries(EntryKind.error))


@pytest.fixture
def delivery(tmp_path: Path) -> ScriptedDelivery:
    return ScriptedDelivery(tmp_path)


def test_traces_are_sent_oldest_first_and_recorded(delivery: ScriptedDelivery) -> None:
    delivery.queue(2, 1, 3)
    assert delivery.run() == DeliveryReport(sent=3)
    assert [sent for sent, _ in delivery.sent] == [key(1), key(2), key(3)]
    newest = delivery.ledger.entries(EntryKind.sent)[0]
    assert (newest.key, newest.trace_id, newest.message) == (key(3), "t-3", "trace 3")
    assert delivery.ledger.payload(key(3)) == b'{"n": 3}'


def test_a_sent_trace_is_never_queued_or_sent_again(delivery: ScriptedDelivery) -> None:
    delivery.queue(1)
    delivery.run()
    delivery.queue(1)
    assert list(delivery.outbox.pending()) == []


def test_a_trace_that_was_sent_but_not_removed_is_not_sent_again(delivery: ScriptedDelivery) -> None:
    """As after a process that was killed between the ledger's entry and the removal."""
    delivery.queue(1)
    [queued] = delivery.outbox.pending()
    delivery.ledger.record_sent(delivery.outbox.read(queued), "t", when=delivery.now)
    assert delivery.run() == DeliveryReport()
    assert delivery.sent == []
    assert list(delivery.outbox.pending()) == []


def test_local_traces_need_neither_client_nor_secret(delivery: ScriptedDelivery) -> None:
    delivery.secrets["agent"] = Refusal(reason="none")
    delivery.queue(1, base_url="local")
    assert delivery.run() == DeliveryReport(sent=1)
    assert delivery.sent == []
    assert delivery.state.local.read(key(1)) == b'{"n": 1}'


def test_temporary_failures_are_retried_after_growing_delays(delivery: ScriptedDelivery) -> None:
    delivery.script = [DOWN, Retry(reason="HTTP 503", status=503)]
    delivery.queue(1)
    assert delivery.run() == DeliveryReport(sent=1)
    assert delivery.slept == [0.5, 1.0]


def test_retry_after_is_the_minimum_delay(delivery: ScriptedDelivery) -> None:
    delivery.script = [Retry(reason="HTTP 429", status=429, after=30.0)]
    delivery.queue(1)
    delivery.run()
    assert delivery.slept == [30.0]


def test_unavailable_server_gets_requests_for_one_trace_only(delivery: ScriptedDelivery) -> None:
    """Two hundred queued traces must not mean two hundred timeouts. Other servers are not affected."""
    delivery.scripts[URL] = [DOWN] * 3
    delivery.queue(1, 2, 3)
    delivery.queue(4, base_url="https://other.example/v1")
    report = delivery.run()
    assert (report.sent, report.queued) == (1, 3)
    assert report.next_due == delivery.now + 2.0
    assert sorted(sent for sent, _ in delivery.sent) == [key(1)] * 3 + [key(4)]
    assert list(delivery.errors()) == [f"{URL} did not accept a trace (ConnectionError: refused); it stays queued"]


def test_later_delivery_sends_what_the_last_one_did_not_try(delivery: ScriptedDelivery) -> None:
    delivery.script = [DOWN] * 3
    delivery.queue(1, 2)
    delivery.run()
    delivery.sent.clear()
    assert delivery.run().sent == 1, "the second trace was never tried, so it is due"
    assert [sent for sent, _ in delivery.sent] == [key(2)]
    delivery.now += 3
    assert delivery.run().sent == 1


def test_clock_set_back_does_not_delay_the_queue(delivery: ScriptedDelivery) -> None:
    delivery.script = [DOWN] * 3
    delivery.queue(1)
    delivery.run()
    delivery.now -= 86_400
    assert delivery.run().sent == 1


@pytest.mark.parametrize("status", [400, 404, 413, 422, 307])
def test_rejected_trace_becomes_a_dead_letter_at_once(delivery: ScriptedDelivery, status: int) -> None:
    delivery.script = [Rejected(status=status, message="the server's message")]
    delivery.queue(1, 2)
    report = delivery.run()
    assert (report.count(ProblemKind.rejected), report.sent) == (1, 1)
    [letter] = delivery.outbox.dead_letters()
    assert (letter.key, letter.status, letter.message) == (key(1), status, "the server's message")
    [entry] = delivery.ledger.entries(EntryKind.dead)
    assert entry.message == f"HTTP {status}: the server's message"


def test_refused_secret_parks_the_agent_after_one_request(delivery: ScriptedDelivery) -> None:
    delivery.scripts["agent"] = [Unauthorized(status=401, message="bad key")]
    delivery.queue(1, 2, 3)
    delivery.queue(4, agent="other")
    report = delivery.run()
    assert (report.sent, report.count(ProblemKind.unauthorized), report.queued) == (1, 3, 3)
    assert sorted(sent for sent, _ in delivery.sent) == [key(1), key(4)]
    delivery.sent.clear()
    assert delivery.run().count(ProblemKind.unauthorized) == 3, "the same secret is not tried again"
    assert delivery.sent == []
    delivery.secrets["agent"] = "a new one"
    assert delivery.run().sent == 3
    assert delivery.outbox.parked() == []


def test_a_secret_that_was_refused_once_is_tried_again_after_an_hour(delivery: ScriptedDelivery) -> None:
    """A gateway refused a valid secret: one trace tries it again after an hour, and all traces follow it."""
    delivery.script = [Unauthorized(status=403, message="gateway")]
    delivery.queue(1, 2, 3)
    report = delivery.run()
    assert (report.next_due, report.delayed_agents) == (delivery.now + 3_600, ("agent",))
    delivery.now += 3_599
    delivery.run()
    assert len(delivery.sent) == 1
    delivery.now += 1
    assert delivery.run() == DeliveryReport(sent=3)
    assert delivery.outbox.parked() == []


def test_a_secret_that_stays_refused_is_tried_ever_more_rarely(delivery: ScriptedDelivery) -> None:
    """After an hour, two, four, and so on, up to a day: one request each, and one error in all."""
    delivery.script = [Unauthorized(status=401, message="bad key")] * 9
    delivery.queue(1, 2)
    pauses = []
    for number in range(1, 9):
        report = delivery.run()
        assert len(delivery.sent) == number
        assert report.next_due is not None
        pauses.append((report.next_due - delivery.now) / 3_600)
        delivery.now = report.next_due
    assert pauses == [1, 2, 4, 8, 16, 24, 24, 24]
    assert len(list(delivery.errors())) == 1


def test_a_user_can_have_a_refused_secret_tried_again_at_once(delivery: ScriptedDelivery) -> None:
    delivery.script = [Unauthorized(status=401, message="gateway")] * 2
    delivery.queue(1, 2)
    delivery.run()
    delivery.outbox.probe_now()
    delivery.run()
    assert len(delivery.sent) == 2, "one attempt"
    delivery.outbox.probe_now()
    assert delivery.run().sent == 2


def test_a_server_that_is_down_at_the_probe_leaves_the_secret_refused(delivery: ScriptedDelivery) -> None:
    delivery.script = [Unauthorized(status=401, message="gateway"), DOWN, DOWN, DOWN]
    delivery.queue(1, 2)
    delivery.run()
    delivery.now += 3_600
    report = delivery.run()
    assert (report.sent, [note.attempts for note in delivery.outbox.parked()]) == (0, [1])
    delivery.now += 1_000
    assert delivery.run().sent == 2


def test_a_server_that_hangs_delays_no_other_agent(delivery: ScriptedDelivery) -> None:
    """The request of the first agent ends only when the second agent's traces have arrived."""
    other = threading.Event()

    def send(envelope: Envelope, secret: str) -> Outcome:  # noqa: ARG001
        if envelope.agent_id == "fast":
            other.set()
            return Accepted(trace_id="t")
        assert other.wait(20), "the other agent's trace was not sent meanwhile"
        return Accepted(trace_id="t")

    delivery.send = send  # type: ignore[method-assign]
    delivery.queue(1, agent="slow")
    delivery.queue(2, agent="fast")
    assert delivery.run() == DeliveryReport(sent=2)


def test_a_sender_that_is_stuck_delays_no_other_agent(delivery: ScriptedDelivery) -> None:
    """Another process holds the lock of one agent and does nothing: only that agent's traces stay queued."""
    delivery.queue(1, agent="stuck")
    delivery.queue(2, agent="free")
    with delivery.outbox.sender_lock(Recipient("stuck", URL)):
        report = delivery.run()
    assert (report.sent, report.queued, report.busy_agents) == (1, 1, ("stuck",))
    assert [sent for sent, _ in delivery.sent] == [key(2)]


def test_a_process_without_the_secret_takes_no_lock(delivery: ScriptedDelivery) -> None:
    """Otherwise it would turn away the process that has the secret."""
    delivery.secrets["agent"] = Refusal(reason="no secret is stored")
    delivery.queue(1)
    with delivery.outbox.sender_lock(Recipient("agent", URL)):
        report = delivery.run()
    assert (report.busy, report.count(ProblemKind.no_secret)) == (False, 1)


def test_an_error_of_one_agents_delivery_is_raised_after_the_others_have_sent(delivery: ScriptedDelivery) -> None:
    def send(envelope: Envelope, secret: str) -> Outcome:  # noqa: ARG001
        if envelope.agent_id == "broken":
            raise StorageError("the disk failed")
        return Accepted(trace_id="t")

    delivery.send = send  # type: ignore[method-assign]
    delivery.queue(1, agent="broken")
    delivery.queue(2, agent="fine")
    with pytest.raises(StorageError, match="the disk failed"):
        delivery.run()
    assert [entry.key for entry in delivery.ledger.entries(EntryKind.sent)] == [key(2)]


def test_secret_is_in_no_file(delivery: ScriptedDelivery) -> None:
    delivery.secrets["agent"] = "sesame-4711-canary"
    delivery.script = [Unauthorized(status=401, message="bad key")]
    delivery.queue(1)
    delivery.run()
    files = [path for path in delivery.root.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if b"sesame-4711-canary" in path.read_bytes()] == []


def test_traces_without_a_secret_stay_queued_and_one_error_is_recorded(delivery: ScriptedDelivery) -> None:
    delivery.secrets["agent"] = Refusal(reason="no secret is stored", hint="Run update-credentials.")
    delivery.queue(1, 2)
    problem = DeliveryProblem(
        kind=ProblemKind.no_secret,
        traces=2,
        reason="no secret is stored",
        next_step="Run update-credentials.",
        agent_id="agent",
        base_url=URL,
    )
    assert delivery.run() == DeliveryReport(queued=2, problems=(problem,))
    delivery.run()
    assert list(delivery.errors()) == [
        "Traces of agent agent are queued but not sent: no secret is stored. Run update-credentials."
    ]
    delivery.secrets["agent"] = "found"
    assert delivery.run().sent == 2


def test_secret_of_a_delayed_trace_is_not_looked_up(delivery: ScriptedDelivery) -> None:
    """The delivery for which the trace is due may run in another environment, which has the secret."""
    delivery.queue(1, agent="first")
    delivery.script = [DOWN] * 6
    delivery.run()
    delivery.secrets["first"] = Refusal(reason="it belongs to another agent", hint="")
    delivery.queue(2, agent="second")
    report = delivery.run()
    assert (report.sent, report.count(ProblemKind.no_secret), report.delayed_agents) == (0, 0, ("first", "second"))
    assert delivery.outbox.parked() == []
    delivery.now += 1_000
    report = delivery.run()
    assert (report.sent, report.count(ProblemKind.no_secret), report.delayed_agents, report.next_due) == (
        1,
        1,
        (),
        None,
    )
    assert [note.agent_id for note in delivery.outbox.parked()] == ["first"]


def test_conflicts_are_retried_eight_times(delivery: ScriptedDelivery) -> None:
    """409: the server is still processing the first request. After eight of them the trace is a dead letter."""
    delivery.script = [Retry(reason="HTTP 409", status=409)] * 8
    delivery.queue(1)
    for _ in range(4):
        delivery.run()
        delivery.now += 1_000
    assert len(delivery.sent) == 8
    assert [letter.status for letter in delivery.outbox.dead_letters()] == [409]


def test_damaged_trace_is_reported_and_does_not_stop_the_others(delivery: ScriptedDelivery) -> None:
    delivery.queue(1, 2)
    first, _ = delivery.outbox.pending()
    first.path.write_bytes(b"damage")
    report = delivery.run()
    assert (report.sent, report.count(ProblemKind.damaged)) == (1, 1)
    [message] = delivery.errors()
    assert "The file was moved to" in message


def test_dropped_traces_are_counted(tmp_path: Path) -> None:
    delivery = ScriptedDelivery(tmp_path, limits=OutboxLimits(count=1))
    delivery.queue(1, 2, 3)
    report = delivery.run()
    assert (report.sent, report.count(ProblemKind.dropped)) == (1, 2)
    assert [entry.message for entry in delivery.ledger.entries(EntryKind.dropped)] == [
        "more than 1 traces were queued"
    ] * 2


def test_a_dropped_trace_is_recorded_with_its_agent_and_labels(tmp_path: Path) -> None:
    """So that `errors` and `history` of a project can tell its own."""
    delivery = ScriptedDelivery(tmp_path, limits=OutboxLimits(count=1))
    delivery.queue(1, 2)
    [oldest, _] = delivery.outbox.pending()
    queued = replace(delivery.outbox.read(oldest), labels={"project": "app", "session": "s"})
    oldest.path.write_bytes(encode(queued))
    os.utime(oldest.path, (oldest.created, oldest.created))
    delivery.run()
    [entry] = delivery.ledger.entries(EntryKind.dropped)
    assert (entry.key, entry.agent_id, entry.where) == (queued.key, queued.agent_id, queued.base_url)
    assert entry.labels == {"project": "app", "session": "s"}


def test_no_trace_is_dropped_while_another_process_sends_to_its_agent(tmp_path: Path) -> None:
    """That process may be sending this very trace. The next delivery drops what is then still too much."""
    delivery = ScriptedDelivery(tmp_path, limits=OutboxLimits(count=1))
    delivery.queue(1, 2)
    [oldest, _] = delivery.outbox.pending()
    with delivery.outbox.sender_lock(delivery.outbox.read(oldest).recipient):
        report = delivery.run()
        assert (report.queued, report.count(ProblemKind.dropped)) == (2, 0)
    assert delivery.run().count(ProblemKind.dropped) == 1


def test_a_damaged_trace_beyond_the_limits_is_dropped_too(tmp_path: Path) -> None:
    delivery = ScriptedDelivery(tmp_path, limits=OutboxLimits(count=1))
    delivery.queue(1, 2)
    [oldest, _] = delivery.outbox.pending()
    oldest.path.write_bytes(b"damage")
    os.utime(oldest.path, (oldest.created, oldest.created))
    assert delivery.run().count(ProblemKind.dropped) == 1
    [entry] = delivery.ledger.entries(EntryKind.dropped)
    assert (entry.key, entry.agent_id, entry.labels) == (oldest.key, "", {})


def test_trace_queued_during_a_delivery_is_sent_too(delivery: ScriptedDelivery) -> None:
    """Its own process was turned away by the lock and relies on the sender to look again."""
    delivery.queue(1)
    delivery.on_send = lambda: delivery.queue(2)
    assert delivery.run().sent == 2


def test_second_sender_returns_at_once(delivery: ScriptedDelivery) -> None:
    delivery.queue(1)
    with delivery.outbox.sender_lock(Recipient("agent", URL)):
        report = delivery.run()
    assert report.busy
    assert delivery.sent == []


def test_lines_of_the_ledger(delivery: ScriptedDelivery, snapshot: SnapshotAssertion) -> None:
    """Later versions read these lines."""
    delivery.script = [
        Accepted(trace_id="t-1"),
        Rejected(status=400, message="no"),
        Unauthorized(status=403, message="who?"),
    ]
    delivery.queue(1, 2, 3)
    delivery.run()
    assert (delivery.root / "ledger" / "ledger.jsonl").read_text() == snapshot


def test_sent_trace_without_its_copy_is_not_queued_again(delivery: ScriptedDelivery) -> None:
    delivery.queue(1)
    delivery.run()
    for path in delivery.ledger.sent.iterdir():
        path.unlink()
    envelope = Envelope(key=key(1), agent_id="a", base_url=URL, body=b"", created=0.0, name="")
    assert delivery.outbox.put(envelope) is Put.already_sent


def test_accepted_trace_is_not_sent_again_when_the_ledger_cannot_be_written(delivery: ScriptedDelivery) -> None:
    """The disk became full during the request: a file can still be moved, no line can be written."""
    delivery.queue(1)
    log = delivery.root / "ledger" / "ledger.jsonl"
    delivery.on_send = lambda: log.mkdir(parents=True)
    with pytest.raises(StorageError, match="write to the ledger"):
        delivery.run()
    log.rmdir()
    delivery.on_send = lambda: None
    assert delivery.run() == DeliveryReport()
    assert [sent for sent, _ in delivery.sent] == [key(1)]
    delivery.queue(1)
    assert list(delivery.outbox.pending()) == []


def test_report_says_what_happened_and_what_to_do(delivery: ScriptedDelivery, snapshot: SnapshotAssertion) -> None:
    """One line for each kind of problem, agent and address."""
    delivery.secrets["stranger"] = Refusal(
        reason="https://api.example:443 is not approved for agent stranger", hint="Run update-credentials."
    )
    delivery.queue(1, 2)
    delivery.queue(3, agent="stranger")
    delivery.queue(4, 5, agent="unknown")
    delivery.queue(6)
    delivery.queue(7, 8, base_url="https://down.example/v1", agent="down")
    delivery.queue(9)
    list(delivery.outbox.pending())[-1].path.write_bytes(b"damage")
    delivery.scripts = {
        "agent": [Accepted(trace_id="t-1"), Rejected(status=413, message="too large"), Accepted(trace_id="t-6")],
        "unknown": [Unauthorized(status=401, message="bad key")],
        "down": [DOWN, DOWN, DOWN],
    }
    report = delivery.run()
    assert not report.ok
    assert str(report).replace(str(delivery.root), "<state>").replace("\\", "/") == snapshot


def test_report_while_another_process_sends(delivery: ScriptedDelivery) -> None:
    """The other process sends these traces too: for the user all is well."""
    delivery.queue(1)
    with delivery.outbox.sender_lock(Recipient("agent", URL)):
        report = delivery.run()
    assert report.ok
    assert str(report) == "Another process is sending to agent agent; it also sends these traces."


def test_report_without_traces(delivery: ScriptedDelivery) -> None:
    report = delivery.run()
    assert report.ok
    assert str(report) == "No traces to send."


def test_secret_object_is_revealed_for_the_request_only(delivery: ScriptedDelivery) -> None:
    """A look-up may return an object that does not show its secret when printed."""

    class Secret:
        def reveal(self) -> str:
            return "open"

    class Found:
        secret = Secret()

    delivery.queue(1)
    options = DeliveryOptions(client=lambda _: delivery, clock=lambda: delivery.now)
    deliver(delivery.state, lambda _agent, _url: Found(), "test/1", options)
    assert delivery.sent == [(key(1), "open")]


def test_a_recipient_can_have_a_client_of_its_own(delivery: ScriptedDelivery) -> None:
    """An empty secret is one: a destination may need none."""
    delivery.secrets["other"] = ""
    delivery.queue(1)
    delivery.queue(2, agent="other", base_url="https://engine.example")
    own = ScriptedDelivery(delivery.root / "unused")
    clients = {"other": own, "agent": delivery}
    options = DeliveryOptions(client=lambda recipient: clients[recipient.agent_id], clock=lambda: delivery.now)
    report = deliver(delivery.state, lambda agent, _: delivery.secrets.get(agent, "sesame"), "test/1", options)
    assert report == DeliveryReport(sent=2)
    assert (delivery.sent, own.sent) == ([(key(1), "sesame")], [(key(2), "")])


def test_a_trace_is_redacted_with_the_secret_that_it_is_sent_with(delivery: ScriptedDelivery) -> None:
    """Its file changes first: each retry sends the same bytes, and neither copy nor ledger has the secret."""
    delivery.redact = lambda document, secret: document.replace(secret.encode(), b"[removed]")
    trace = Envelope(
        key=key(1), agent_id="agent", base_url=URL, body=b'{"key": "sesame"}', created=delivery.now, name="try sesame"
    )
    delivery.outbox.put(trace)
    delivery.script = [DOWN, DOWN, DOWN]
    delivery.run()
    [queued] = delivery.outbox.pending()
    assert delivery.outbox.read(queued) == replace(trace, body=b'{"key": "[removed]"}', name="try [removed]")
    delivery.now += 1e6
    assert delivery.run().sent == 1
    assert set(delivery.bodies) == {b'{"key": "[removed]"}'}
    assert delivery.ledger.payload(key(1)) == b'{"key": "[removed]"}'
    assert b"sesame" not in b"".join(path.read_bytes() for path in delivery.root.rglob("*") if path.is_file())


def test_a_body_of_another_format_is_sent_as_it_was_queued(delivery: ScriptedDelivery) -> None:
    delivery.redact = lambda document, secret: document.replace(secret.encode(), b"[removed]")
    body = b"\x0a\x06sesame"
    delivery.outbox.put(Envelope(key=key(1), agent_id="agent", base_url=URL, body=body, created=0.0, name="x"))
    assert delivery.run() == DeliveryReport(sent=1)
    assert delivery.ledger.payload(key(1)) == body
