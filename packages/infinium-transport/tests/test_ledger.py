"""The ledger: a torn line affects only itself, and the log is bounded."""

from pathlib import Path

import pytest
from infinium_transport import Dropped, EntryKind, Envelope, Ledger, LocalStore, OutboxLimits
from infinium_transport.ledger import MAX_LOG_BYTES

KEY = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"


def test_torn_line_affects_only_itself(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record_error("worker", "first", when=1.0)
    log = tmp_path / "ledger.jsonl"
    with log.open("ab") as file:
        file.write(b'{"kind":"error","when":2.0,"mess')
    ledger.record_error("worker", "third", when=3.0)
    with log.open("ab") as file:
        file.write(bytes(50))
    ledger.record_error("worker", "fourth", when=4.0)
    assert [entry.message for entry in ledger.entries()] == ["fourth", "third", "first"]


def test_entries_of_a_kind_newest_first(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record_error("hook", "a", when=1.0, labels={"session": "s"})
    ledger.record_drop(Dropped(key=KEY, path=tmp_path / "x", reason="too old", size=5), None, when=2.0)
    ledger.record_error("hook", "b", when=3.0)
    assert [entry.message for entry in ledger.entries(EntryKind.error, newest=1)] == ["b"]
    assert ledger.entries(EntryKind.error)[1].labels == {"session": "s"}


def test_log_is_rotated_and_sent_traces_are_still_known(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    envelope = Envelope(key=KEY, agent_id="a", base_url="local", body=b"{}", created=0.0, name="x")
    ledger.record_sent(envelope, None, when=1.0)
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(bytes(MAX_LOG_BYTES) + b"\n")
    ledger.prune(now=2.0)
    ledger.record_error("worker", "later", when=3.0)
    assert (tmp_path / "ledger.jsonl").stat().st_size < 1_000
    assert ledger.was_sent(KEY)


@pytest.mark.parametrize("log", ["ledger.jsonl", "ledger.old.jsonl"])
def test_forgotten_traces_leave_no_entry_and_no_copy(tmp_path: Path, log: str) -> None:
    """Other entries stay: those of other traces, the dead letter of the same key, torn lines."""
    ledger, other = Ledger(tmp_path), KEY.replace("0f0e", "1111")
    for key in (KEY, other):
        envelope = Envelope(key=key, agent_id="a", base_url="local", body=b"{}", created=0.0, name=f"name of {key}")
        ledger.record_sent(envelope, None, when=1.0)
        ledger.record_dead(envelope, "HTTP 400", 400, when=2.0)
    with (tmp_path / "ledger.jsonl").open("ab") as file:
        file.write(b"torn\n")
    (tmp_path / "ledger.jsonl").rename(tmp_path / log)
    ledger.prepare()
    copy = ledger.sent / f"{KEY}.trace"
    copy.write_bytes(b"the copy")
    ledger.forget({KEY})
    assert not copy.exists()
    assert [entry.key for entry in ledger.entries(EntryKind.sent)] == [other]
    assert len(ledger.entries(EntryKind.dead)) == 2
    assert f"name of {KEY}".encode() not in (tmp_path / log).read_bytes()
    assert b"torn\n" in (tmp_path / log).read_bytes()


def test_local_traces_are_deleted_and_limited(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    keys = [KEY.replace("0f0e", f"000{number}") for number in range(4)]
    for number, key in enumerate(keys):
        store.store(Envelope(key=key, agent_id="a", base_url="local", body=b"{}", created=float(number), name="x"))
    store.remove({keys[3], KEY})
    assert [trace.key for trace in store.traces()] == keys[:3]
    store.prune(now=3.0)
    assert [trace.key for trace in store.traces()] == keys[:3]
    store.prune(now=3.0, limits=OutboxLimits(count=2))
    assert [trace.key for trace in store.traces()] == keys[1:3]
    store.prune(now=3.0, limits=OutboxLimits(age=1.5))
    assert [trace.key for trace in store.traces()] == keys[2:3]


def test_entries_are_read_once_while_another_process_rotates_the_log(tmp_path: Path) -> None:
    """The rotation falls between the reading of the two files: no entry is missing, and none appears twice."""
    ledger = Ledger(tmp_path)
    ledger.record_error("worker", "first", when=1.0)
    log = tmp_path / "ledger.jsonl"
    (tmp_path / "ledger.old.jsonl").write_bytes(log.read_bytes())
    assert [entry.message for entry in ledger.entries()] == ["first"]
