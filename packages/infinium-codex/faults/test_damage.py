"""Damage as after a power cut: every kind of file with its end cut off or filled with zeros."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from api import Api, reply
from lab import Lab, Row

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]
Damage = Callable[[Path, int], None]


def cut(path: Path, size: int) -> None:
    os.truncate(path, max(path.stat().st_size - size, 0))


def zero(path: Path, size: int) -> None:
    length = path.stat().st_size
    os.truncate(path, max(length - size, 0))
    os.truncate(path, length)


both = pytest.mark.parametrize("damage", [cut, zero], ids=["cut", "zeros"])


@both
def test_the_spools_tail(lab: Lab, times: Times, tell: Tell, damage: Damage) -> None:
    """A damaged event affects only itself, not the turn before it nor its own turn."""
    count = times(5, 60)
    for number in range(count):
        session = f"s-{number % 3}"
        with lab.idle_hooks():
            lab.turn(session, f"t-{number}-before")
            lab.config.touch()  # else the shell records the event, in a file of its own
            lab.call("PostToolUse", session, f"t-{number}", tool_name="Bash", tool_response="y" * 4_000)
        damage(lab.spool(session), 7 + 61 * number % 3_900)
        assert lab.worker(lab.spool(session)) == 0
        lab.turn(session, f"t-{number}")
    tell(lab.account(f"the spool's tail {damage.__name__}", count))


@both
def test_a_file_of_a_tool_event(lab: Lab, times: Times, tell: Tell, damage: Damage) -> None:
    """A damaged event affects only itself, not the other events of its turn."""
    count = times(5, 60)
    for number in range(count):
        session, turn = f"s-{number % 3}", f"t-{number}"
        with lab.idle_hooks():
            lab.call("UserPromptSubmit", session, turn, prompt="x")
            for call in ("one", "two"):
                lab.call("PostToolUse", session, turn, tool_name="Bash", tool_use_id=call, tool_response="y" * 4_000)
            damage(lab.event_files()[-1], 1 + 61 * number % 4_000)
            lab.call("Stop", session, turn, last_assistant_message="done")
        assert lab.worker(lab.spool(session)) == 0
        lab.expect(session, turn)
    row = lab.account(f"a file of a tool event {damage.__name__}", count)
    assert all(b"1 tool call" in body for _, body in lab.api.requests)
    tell(row)


@both
def test_the_outbox(lab: Lab, api: Api, tell: Tell, damage: Damage) -> None:
    """A damaged trace is set aside and reported; the others are sent."""
    good = api.answers
    api.answers = [reply(503)]
    for number in range(4):
        lab.turn("s-1", f"t-{number}")
    lab.wait_until_idle()
    for number, queued in enumerate(lab.outbox.pending()):
        if number % 2:
            damage(queued.path, 9 + 50 * number)
    api.answers = good
    row = lab.account(f"traces in the outbox {damage.__name__}", 2)
    assert (row.delivered, row.kept) == (2, 2)
    assert sum("The file was moved to" in message for message in lab.errors()) == 2
    tell(row)


@both
def test_the_ledger(lab: Lab, times: Times, tell: Tell, damage: Damage) -> None:
    count = times(4, 40)
    for number in range(count):
        lab.turn("s-1", f"t-{number}")
        lab.wait_until_idle()
        damage(lab.state / "ledger" / "ledger.jsonl", 5 + 40 * number % 300)
    row = lab.account(f"the ledger's tail {damage.__name__}", count)
    assert row.resent == 0
    tell(row)


@both
def test_the_checkpoint(lab: Lab, times: Times, tell: Tell, damage: Damage) -> None:
    """Without a checkpoint the turns are read again; their keys prevent a second delivery."""
    count = times(4, 40)
    for number in range(count):
        lab.turn("s-1", f"t-{number}")
        lab.wait_until_idle()
        damage(lab.spool("s-1").with_suffix(".state"), 20 + 100 * number)
    row = lab.account(f"the checkpoint {damage.__name__}", count)
    assert row.resent == 0
    tell(row)


def test_a_spool_of_another_version(lab: Lab, tell: Tell) -> None:
    """It is set aside and reported, never deleted; the events that this version's hook appended are traced."""
    foreign = b"\x1eI1 Stop 12 {a frame of another version}\n" + b"\x1eI17 Stop of the future\n"
    lab.spool("s-1").parent.mkdir(mode=0o700, exist_ok=True)
    for session in ("s-1", "s-2"):
        lab.spool(session).write_bytes(foreign)
    lab.turn("s-1", "t-1")
    lab.call("SessionEnd", "s-1", "", reason="other")
    row = lab.account("spools of another version", 2)
    assert sum("Another version of the connector" in message for message in lab.errors()) == 2
    kept = b"".join(path.read_bytes() for path in sorted(lab.spool("s-1").parent.glob("s-1*.unread")))
    assert kept == foreign
    tell(row)
