"""A spool is removed while hooks may write to it: no event is lost, whichever process is killed."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from infinium_codex.capture.frame import encode
from infinium_codex.capture.records import Damage, Record, read_records
from infinium_codex.session.files import SessionFiles
from infinium_config import locks
from machine import Machine

pytest_plugins = ["no_leftovers"]


def frame(payload: bytes, number: int = 1) -> bytes:
    return encode("Stop", number, 77, payload)


def payloads(spool: Path) -> list[bytes]:
    with spool.open("rb") as file:
        return [found.payload for found in read_records(file) if isinstance(found, Record)]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "s-1.spool"
    path.write_bytes(frame(b"one"))
    return path


def test_a_traced_spool_is_removed(spool: Path) -> None:
    size = spool.stat().st_size
    assert SessionFiles(spool).remove_spool(size, size)
    assert list(spool.parent.iterdir()) == []


def test_what_is_traced_leaves_the_spool_and_the_rest_keeps_its_order(spool: Path) -> None:
    traced = spool.stat().st_size
    spool.write_bytes(spool.read_bytes() + frame(b"two", 2) + frame(b"three", 3))
    files = SessionFiles(spool)
    files.trim_spool(traced)
    assert payloads(spool) == [b"two", b"three"]
    assert list(spool.parent.iterdir()) == [spool]


def test_a_trim_that_was_killed_loses_nothing(spool: Path) -> None:
    """The spool has lost its name, and the rest is not the next spool yet."""
    traced = spool.stat().st_size
    content = spool.read_bytes() + frame(b"two", 2)
    spool.rename(spool.with_suffix(".closed")).write_bytes(content)
    spool.with_suffix(".rest").write_bytes(content[traced:])
    SessionFiles(spool).finish_removal(traced)
    assert payloads(spool) == [b"two"]
    assert list(spool.parent.iterdir()) == [spool]


def test_a_record_appended_before_the_rest_is_the_next_spool_is_kept(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = spool.stat().st_size
    spool.write_bytes(spool.read_bytes() + frame(b"two", 2))

    def link(_source: Path, target: Path) -> None:
        target.write_bytes(frame(b"three", 3))  # a hook's new spool
        raise FileExistsError

    monkeypatch.setattr(os, "link", link)
    SessionFiles(spool).trim_spool(traced)
    assert sorted(payloads(spool)) == [b"three", b"two"]
    assert list(spool.parent.iterdir()) == [spool]


def test_raw_records_leave_the_spool_once_their_turn_is_traced(tmp_path: Path) -> None:
    """The next prompt is in the spool already, and its turn stays open for hours."""
    machine = Machine(tmp_path)
    machine.set_up()
    event = {"session_id": "s-1", "model": "gpt"}
    turns = [("turn-1", "UserPromptSubmit", "first words"), ("turn-2", "UserPromptSubmit", "second words")]
    for turn, name, prompt in turns:
        given = {**event, "turn_id": turn, "hook_event_name": name, "prompt": prompt}
        machine.hook(machine.placed(given, None))
    assert [trace["input_summary"] for trace in machine.wait_for_traces(1)] == ["first words"]
    machine.wait_until_idle()
    first = [path for path, data in machine.contents().items() if b"first words" in data]
    assert all(machine.state in path.parents for path in first)  # the trace itself
    assert b"second words" in machine.spool("s-1").read_bytes()
    stop = {**event, "turn_id": "turn-2", "hook_event_name": "Stop", "last_assistant_message": "done"}
    machine.hook(machine.placed(stop, None))
    assert [trace["input_summary"] for trace in machine.wait_for_traces(2)] == ["first words", "second words"]
    assert machine.spools == []


def test_a_lock_whose_file_was_removed_meanwhile_is_not_held(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`cleanup` removes a session's files, the lock file last, between another worker's open and its lock.

    A third worker would lock the new file of that name: both would trace the session.
    """
    files = SessionFiles(spool)
    take = locks._take
    removals = iter([True])

    def take_after_a_removal(fd: int) -> bool:
        if next(removals, False):
            files.remove_all()
        return take(fd)

    monkeypatch.setattr(locks, "_take", take_after_a_removal)
    lock = files.try_lock()
    assert lock is not None
    with lock:
        assert lock.is_at(files.lock)
        assert files.try_lock() is None


def test_a_spool_that_has_grown_is_kept(spool: Path) -> None:
    size = spool.stat().st_size
    spool.write_bytes(spool.read_bytes() + frame(b"two", 2))
    assert not SessionFiles(spool).remove_spool(size, size)
    assert payloads(spool) == [b"one", b"two"]


def test_a_record_appended_during_the_removal_moves_to_the_next_spool(spool: Path) -> None:
    """The worker was killed after it renamed the spool and before it read the late record."""
    size = spool.stat().st_size
    closed = spool.with_suffix(".closed")
    spool.rename(closed)
    closed.write_bytes(closed.read_bytes() + frame(b"late", 2))
    spool.write_bytes(frame(b"next", 3))
    SessionFiles(spool).finish_removal(size)
    assert payloads(spool) == [b"next", b"late"]
    assert not closed.exists()


def test_an_incomplete_record_at_the_end_is_removed_with_its_spool(spool: Path) -> None:
    """Its hook was killed. A hook that is alive sees that the spool was renamed, and writes the record again."""
    size = spool.stat().st_size
    spool.write_bytes(spool.read_bytes() + frame(b"torn", 2)[:-3])
    assert SessionFiles(spool).remove_spool(size, spool.stat().st_size)
    assert list(spool.parent.iterdir()) == []


def test_the_frame_of_another_version_is_kept_once(spool: Path) -> None:
    foreign = frame(b"of another age").replace(b"I3", b"I1", 1)
    spool.write_bytes(foreign + b"rubbish" + frame(b"one"))
    with spool.open("rb") as file:
        damage, _ = read_records(file)
    assert isinstance(damage, Damage)
    assert damage.foreign
    kept = SessionFiles(spool).keep_unreadable(damage)
    assert kept is not None
    assert kept.read_bytes() == foreign + b"rubbish"
    assert SessionFiles(spool).keep_unreadable(damage) is None


def test_an_incomplete_record_at_the_end_delays_no_trace(tmp_path: Path) -> None:
    """A hook was killed while it wrote, and the worker traces the turn before that event."""
    machine = Machine(tmp_path)
    machine.set_up()
    event = {"session_id": "s-1", "turn_id": "t-1", "model": "gpt", "prompt": "asked"}
    machine.hook(machine.placed({**event, "hook_event_name": "UserPromptSubmit"}, None))
    machine.wait_until_idle()
    [spool] = machine.spools
    stop = json.dumps(machine.placed({**event, "hook_event_name": "Stop"}, None)).encode()
    spool.write_bytes(spool.read_bytes() + frame(stop) + frame(stop, 2)[:-9])
    command = [*machine.worker_command, str(spool)]
    assert subprocess.run(command, env=machine.environ, timeout=60, check=False).returncode == 0
    assert [trace["input_summary"] for trace in machine.traces()] == ["asked"]
