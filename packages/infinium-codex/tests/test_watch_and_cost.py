"""`watch` shows a session while it runs; `cost` adds up what turns cost."""

import os
import pty
import re
import signal
import struct
import subprocess
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from infinium_codex.support.paths import Places
from infinium_codex.view.catalog import Catalog
from infinium_codex.view.live import follow
from kept_sessions import keep
from machine import Machine, wait_for
from recorded import ROOT

TURN = ROOT / "0.169.0" / "turn"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def test_watch_shows_what_is_added_and_survives_a_resize(machine: Machine) -> None:
    session = keep(machine, TURN)
    [path] = machine.codex_home.rglob(f"*{session}.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
    controller, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    watching = subprocess.Popen(
        [*machine.program, "watch"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=machine.project,
        env={**machine.environ, "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(terminal)
    os.set_blocking(controller, False)
    seen = bytearray()

    def shows(words: str) -> bool:
        try:
            while part := os.read(controller, 65_536):
                seen.extend(part)
        except OSError:
            pass
        return words in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode("utf-8", "replace"))

    try:
        wait_for(lambda: shows("running"), "the open turn")
        ioctl(controller, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        with path.open("ab") as file:
            file.write(b"".join(lines[len(lines) // 2 :]))
        wait_for(lambda: shows("completed"), "the end of the turn")
    finally:
        watching.send_signal(signal.SIGINT)
        code = watching.wait(60)
        os.close(controller)
    assert code == 0


def test_watch_once_prints_the_present_state(machine: Machine) -> None:
    assert "Waiting for a session" in machine.must_run("watch", "--once")
    keep(machine, TURN)
    shown = machine.json("watch", "--once")
    assert shown["session"]["turns"]
    assert (shown["waiting"], shown["dead"]) == (0, 0)


@pytest.mark.parametrize("by", ["day", "session", "model", "project"])
def test_the_sum_of_costs_is_that_of_the_turns(machine: Machine, by: str) -> None:
    for name in ("turn", "subagent", "patches"):
        keep(machine, ROOT / "0.169.0" / name)
    turns = machine.json("list", "--count", "100")["turns"]
    lines = machine.json("cost", "--by", by)["lines"]
    assert sum(line["turns"] for line in lines) == sum(turn["model_calls"] > 0 for turn in turns)
    for kind in ("prompt", "completion", "cached"):
        assert sum(line["usage"][kind] for line in lines) == sum(turn["usage"][kind] for turn in turns)


def test_a_model_without_a_price_is_named(machine: Machine) -> None:
    keep(machine, TURN)
    assert machine.json("cost")["unpriced_models"] == ["gpt-5.5"]
    assert "No price for gpt-5.5" in machine.must_run("cost")


def test_a_followed_session_learns_of_the_delivery_after_its_last_record(machine: Machine) -> None:
    """Nothing is added to the transcript when the trace of the last turn arrives."""
    session = keep(machine, TURN)
    places = Places(data=machine.data, state=machine.state, spool=machine.spool("s").parent)
    environ = {**machine.environ, "CODEX_HOME": str(machine.codex_home)}
    catalog = Catalog.at(machine.project, places, environ)
    views = follow(catalog, wait=lambda _: None)
    before = next(views).session
    assert before is not None
    assert [turn.summary.delivery.state for turn in before.turns] == ["not traced"]
    assert machine.json("backfill", "--session", session)
    after = next(views).session
    views.close()
    assert after is not None
    assert [turn.summary.delivery.state for turn in after.turns] == ["local"]
