"""The outbox on a real disk: no trace is lost, duplicated or readable by other users."""

import os
import stat
from pathlib import Path

import pytest
from infinium_transport import (
    CorruptTraceError,
    Delay,
    Envelope,
    InvalidEnvelopeError,
    MissingTraceError,
    Outbox,
    OutboxLimits,
    Put,
    Recipient,
    StorageError,
)

NOW = 1_000_000.0


def key(number: int) -> str:
    return f"00000000-0000-5000-8000-{number:012d}"


def envelope(number: int, *, body: bytes = b'{"name": "x"}', created: float = NOW) -> Envelope:
    return Envelope(
        key=key(number),
        agent_id="agent",
        base_url="local",
        body=body,
        created=created,
        name="näme",
        labels={"session": "s"},
    )


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox", clock=lambda: NOW)


def test_trace_is_read_as_it_was_put(outbox: Outbox) -> None:
    body = bytes(range(256)) * 10
    assert outbox.put(envelope(1, body=body)) is Put.queued
    [queued] = outbox.pending()
    assert outbox.read(queued) == envelope(1, body=body)


def test_header_is_read_without_the_body(outbox: Outbox) -> None:
    """A list of thousands of traces reads no bodies. What is damaged or gone has no header, and stays where it is."""
    outbox.put(envelope(1, body=b"x" * 1_000_000))
    [queued] = outbox.pending()
    assert outbox.read_header(queued) == envelope(1, body=b"")
    queued.path.write_bytes(b"{")
    assert outbox.read_header(queued) is None
    assert queued.path.exists()
    queued.path.unlink()
    assert outbox.read_header(queued) is None


def test_oldest_first(outbox: Outbox) -> None:
    for number, created in ((1, NOW + 2), (2, NOW), (3, NOW + 1)):
        outbox.put(envelope(number, created=created))
    assert [queued.key for queued in outbox.pending()] == [key(2), key(3), key(1)]


def test_second_body_under_the_same_key_is_ignored(outbox: Outbox) -> None:
    """A sender may have read the first one already, and a retry must be the same request."""
    outbox.put(envelope(1, body=b"first"))
    assert outbox.put(envelope(1, body=b"second")) is Put.already_queued
    [queued] = outbox.pending()
    assert outbox.read(queued).body == b"first"


def test_sent_trace_and_dead_letter_are_not_queued_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, sent=lambda known: known == key(1))
    assert outbox.put(envelope(1)) is Put.already_sent
    outbox.put(envelope(2))
    [queued] = outbox.pending()
    outbox.move_to_dead_letters(queued, "refused", 400, "no")
    assert outbox.put(envelope(2)) is Put.already_dead


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", key(1).upper().replace("0", "A"), key(1) + "/x"])
def test_invalid_key_raises_an_error(outbox: Outbox, bad: str) -> None:
    with pytest.raises(InvalidEnvelopeError, match="is not a trace key"):
        outbox.put(Envelope(key=bad, agent_id="a", base_url="local", body=b"", created=0.0, name=""))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_files_are_private_with_any_umask(outbox: Outbox) -> None:
    old = os.umask(0)
    try:
        outbox.put(envelope(1))
        [queued] = outbox.pending()
        outbox.postpone(key(1), Delay(attempts=1, conflicts=0, since=NOW, due=NOW, reason="x"))
        outbox.park("agent", "no", "mark", base_url="https://a.example")
        outbox.move_to_dead_letters(queued, "refused", 400, "no")
    finally:
        os.umask(old)
    paths = [outbox.directory, *outbox.directory.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths}
    assert modes == {0o700, 0o600}


@pytest.mark.parametrize("damage", ["truncate", "zeros", "flip", "empty", "swap"])
def test_damaged_trace_is_moved_aside_and_the_others_stay(outbox: Outbox, damage: str) -> None:
    outbox.put(envelope(1, body=b"a" * 500))
    outbox.put(envelope(2, body=b"b" * 500, created=NOW + 1))
    first, second = outbox.pending()
    data = first.path.read_bytes()
    changed = {
        "truncate": data[:-10],
        "zeros": data[:-100] + bytes(100),
        "flip": data[:-1] + b"?",
        "empty": b"",
        "swap": second.path.read_bytes(),
    }[damage]
    first.path.write_bytes(changed)
    with pytest.raises(CorruptTraceError, match="The file was moved to"):
        outbox.read(first)
    assert (outbox.directory / "corrupt" / first.path.name).read_bytes() == changed
    assert [queued.key for queued in outbox.pending()] == [key(2)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs, and lets few users make links")
def test_link_and_other_files_are_moved_aside_unread(outbox: Outbox, tmp_path: Path) -> None:
    outbox.put(envelope(1))
    other = tmp_path / "other"
    other.write_text("mine")
    (outbox.directory / f"{key(2)}.trace").symlink_to(other)
    (outbox.directory / "notes.trace").write_text("?")
    os.mkfifo(outbox.directory / f"{key(3)}.trace")
    assert [queued.key for queued in outbox.pending()] == [key(1)]
    assert len(list((outbox.directory / "corrupt").iterdir())) == 3
    assert other.read_text() == "mine"


def test_dead_letter_keeps_the_servers_message_and_can_be_requeued(outbox: Outbox) -> None:
    outbox.put(envelope(1))
    [queued] = outbox.pending()
    outbox.move_to_dead_letters(queued, "HTTP 413", 413, "too large")
    assert list(outbox.pending()) == []
    [letter] = outbox.dead_letters()
    assert (letter.status, letter.message, letter.since) == (413, "too large", NOW)
    assert outbox.read_dead(letter) == envelope(1)
    assert outbox.requeue_dead_letters() == 1
    assert outbox.dead_letters() == []
    [queued] = outbox.pending()
    assert outbox.read(queued) == envelope(1)


def test_trace_sent_by_another_process_is_missing_not_corrupt(outbox: Outbox) -> None:
    outbox.put(envelope(1))
    [queued] = outbox.pending()
    outbox.remove(queued)
    with pytest.raises(MissingTraceError):
        outbox.read(queued)


@pytest.mark.parametrize(
    ("limits", "gone"),
    [
        (OutboxLimits(count=2), [1, 2]),
        (OutboxLimits(age=25.0), [1]),
        (OutboxLimits(size=900), [1, 2, 3]),
    ],
)
def test_oldest_traces_are_dropped_first(tmp_path: Path, limits: OutboxLimits, gone: list[int]) -> None:
    outbox = Outbox(tmp_path, limits=limits)
    for number in range(1, 5):
        outbox.put(envelope(number, body=b"x" * 300, created=NOW + 10 * number))
    dropped = outbox.excess(now=NOW + 40)
    assert [each.key for each in dropped] == [key(number) for number in gone]
    for each in dropped:
        outbox.drop(each)
    assert [queued.key for queued in outbox.pending()] == [key(n) for n in range(1, 5) if n not in gone]


def test_one_sender_for_each_recipient(outbox: Outbox) -> None:
    """The process that sends is known while it does: it may be the one that holds things up."""
    one, other = Recipient("a", "https://x.example"), Recipient("a", "https://y.example")
    with outbox.sender_lock(one) as first, outbox.sender_lock(one) as second, outbox.sender_lock(other) as third:
        assert (first, second, third) == (True, False, True)
        assert [(sender.recipient, sender.pid) for sender in outbox.senders()] == [
            (recipient, os.getpid()) for recipient in (one, other)
        ]
    assert outbox.senders() == []
    with outbox.sender_lock(one) as again:
        assert again


def test_leftovers_of_a_crash_are_removed_and_nothing_else(outbox: Outbox) -> None:
    outbox.put(envelope(1))
    (outbox.directory / f"{key(2)}.trace.99.abc.tmp").write_bytes(b"half")
    (outbox.directory / "notes.txt").write_text("mine")
    outbox.remove_leftovers(now=NOW)
    assert len(list(outbox.directory.glob("*.tmp"))) == 1
    outbox.remove_leftovers(now=4e9)
    assert sorted(path.name for path in outbox.directory.iterdir()) == [f"{key(1)}.trace", "notes.txt"]


def test_error_names_the_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("mine")
    with pytest.raises(StorageError, match=r"Could not queue a trace in .*outbox"):
        Outbox(tmp_path / "outbox").put(envelope(1))
