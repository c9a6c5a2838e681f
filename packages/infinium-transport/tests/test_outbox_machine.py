"""The outbox against a model, through any order of operations and crashes."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from infinium_transport import (
    Delay,
    EntryKind,
    Envelope,
    Ledger,
    Outbox,
    OutboxLimits,
    Put,
    Queued,
)
from infinium_transport._drop import drop

LIMITS = OutboxLimits(count=3)
NUMBERS = st.integers(1, 5)
WHICH = st.integers(0, 5)


def key(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012d}"


class OutboxMachine(RuleBasedStateMachine):
    """A trace is in exactly one place, with the bytes of its first put, until it is sent or dropped."""

    @initialize()
    def start(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.now = 1_000_000.0
        self.queue: dict[str, tuple[float, bytes]] = {}
        self.dead: dict[str, bytes] = {}
        self.sent: set[str] = set()
        self.parked: dict[str, str] = {}
        self.delays: set[str] = set()
        self.restart()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule()
    def restart(self) -> None:
        """Another process, which knows only what is on disk."""
        self.ledger = Ledger(self.root / "ledger")
        self.outbox = Outbox(self.root / "outbox", limits=LIMITS, sent=self.ledger.was_sent, clock=lambda: self.now)

    @rule(number=NUMBERS, body=st.binary(max_size=40), age=st.floats(0, 1000))
    def put(self, number: int, body: bytes, age: float) -> None:
        created = round(self.now - age, 3)
        found = self.outbox.put(
            Envelope(key=key(number), agent_id="a", base_url="local", body=body, created=created, name="n")
        )
        if key(number) in self.queue:
            assert found is Put.already_queued
        elif key(number) in self.dead:
            assert found is Put.already_dead
        elif key(number) in self.sent:
            assert found is Put.already_sent
        else:
            assert found is Put.queued
            self.queue[key(number)] = (created, body)

    @rule(seconds=st.floats(-10_000, 10_000))
    def set_clock(self, seconds: float) -> None:
        self.now += seconds

    @rule(number=NUMBERS, junk=st.binary(max_size=30))
    def crash_while_putting(self, number: int, junk: bytes) -> None:
        """A temporary file that was not linked into place."""
        directory = self.root / "outbox"
        directory.mkdir(exist_ok=True)
        (directory / f"{key(number)}.trace.77.beef.tmp").write_bytes(junk)

    @precondition(lambda self: bool(self.queue))
    @rule(which=WHICH)
    def crash_while_sending(self, which: int) -> None:
        """The trace is accepted and recorded but not removed: the next process sees that it was sent."""
        queued = self.queued(which)
        self.ledger.record_sent(self.outbox.read(queued), "t", when=self.now)
        self.restart()
        assert self.ledger.was_sent(queued.key)
        self.outbox.remove(queued)
        self.forget(queued.key)
        self.sent.add(queued.key)

    @precondition(lambda self: bool(self.queue))
    @rule(which=WHICH)
    def send(self, which: int) -> None:
        queued = self.queued(which)
        self.ledger.prepare()
        self.ledger.record_sent(self.outbox.read(queued), "t", when=self.now)
        self.outbox.remove(queued, keep_in=self.ledger.sent)
        self.forget(queued.key)
        self.sent.add(queued.key)

    @precondition(lambda self: bool(self.queue))
    @rule(which=WHICH)
    def reject(self, which: int) -> None:
        queued = self.queued(which)
        self.outbox.move_to_dead_letters(queued, "HTTP 400", 400, "no")
        self.dead[queued.key] = self.queue[queued.key][1]
        self.forget(queued.key)

    @precondition(lambda self: bool(self.queue))
    @rule(which=WHICH)
    def crash_while_rejecting(self, which: int) -> None:
        """The reason is written and the trace is not moved: it is still queued."""
        directory = self.root / "outbox" / "dead"
        directory.mkdir(mode=0o700, exist_ok=True)
        (directory / f"{self.queued(which).key}.why").write_text('{"reason": "half"}')

    @rule(number=st.none() | NUMBERS)
    def requeue(self, number: int | None) -> None:
        wanted = set(self.dead) if number is None else {key(number)} & set(self.dead)
        assert self.outbox.requeue_dead_letters(None if number is None else key(number)) == len(wanted)
        for each in wanted:
            self.queue[each] = (self.now, self.dead.pop(each))

    @precondition(lambda self: bool(self.queue))
    @rule(which=WHICH, seconds=st.floats(0, 900))
    def postpone(self, which: int, seconds: float) -> None:
        name = self.queued(which).key
        delay = Delay(attempts=1, conflicts=0, since=self.now, due=self.now + seconds, reason="HTTP 503")
        self.outbox.postpone(name, delay)
        assert self.outbox.delay(name) == delay
        self.delays.add(name)

    @rule()
    def retry(self) -> None:
        assert self.outbox.clear_delays() == len(self.delays)
        self.delays.clear()

    @rule(agent=st.sampled_from("ab"), url=st.sampled_from(("https://x.example", "https://y.example")))
    def park(self, agent: str, url: str) -> None:
        self.outbox.park(agent, "HTTP 401", "mark", base_url=url)
        self.parked[f"{agent} {url}"] = "HTTP 401"

    @rule(agent=st.sampled_from("ab"))
    def unpark(self, agent: str) -> None:
        self.outbox.unpark(agent)
        self.parked = {name: why for name, why in self.parked.items() if not name.startswith(agent)}

    @rule()
    def keep_within_limits(self) -> None:
        excess = self.outbox.excess(now=self.now)
        assert drop(self.outbox, self.ledger, excess, now=self.now) == excess
        for dropped in excess:
            assert (self.queue.pop(dropped.key, None) or self.dead.pop(dropped.key, None)) is not None
            self.delays.discard(dropped.key)
        assert len(self.queue) <= LIMITS.count
        assert len(self.dead) <= LIMITS.count

    @rule(later=st.sampled_from((0.0, 1e9)))
    def remove_leftovers(self, later: float) -> None:
        self.outbox.remove_leftovers(now=self.now + later)

    @invariant()
    def everything_is_where_it_was_put(self) -> None:
        waiting = list(self.outbox.pending())
        assert {queued.key: self.outbox.read(queued).body for queued in waiting} == {
            name: body for name, (_, body) in self.queue.items()
        }
        times = [self.queue[queued.key][0] for queued in waiting]
        assert times == sorted(times), "oldest first"
        letters = self.outbox.dead_letters()
        assert {letter.key: self.outbox.read_dead(letter).body for letter in letters} == self.dead
        assert {f"{note.agent_id} {note.base_url}": note.reason for note in self.outbox.parked()} == self.parked
        assert {entry.key for entry in self.ledger.entries(EntryKind.sent)} == self.sent
        assert not (self.root / "outbox" / "corrupt").exists()

    def queued(self, which: int) -> Queued:
        waiting = list(self.outbox.pending())
        return waiting[which % len(waiting)]

    def forget(self, name: str) -> None:
        del self.queue[name]
        self.delays.discard(name)


TestOutboxMachine = OutboxMachine.TestCase
TestOutboxMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
