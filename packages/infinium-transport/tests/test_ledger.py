"""The ledger: a torn line affects only itself, and the log is bounded."""

from pathlib import Path

from infinium_transport import EntryKind, Envelope, Ledger
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
    ledger.record_drop(KEY, "too old", size=5, when=2.0)
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
    assert ledger.clear() == 2
    assert not ledger.was_sent(KEY)
