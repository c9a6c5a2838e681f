"""What commands print, wherever it goes: closed pipes, full disks, any encoding, narrow terminals, hostile text."""

import json
import re
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from infinium_config.locks import try_lock
from infinium_transport import Envelope, Ledger, LocalStore, Outbox
from machine import Machine
from terminals import in_terminal

READING = (("--help",), ("status",), ("doctor",), ("history",), ("errors",), ("completion", "bash"), ("nonsense",))
"""Commands that print and change nothing."""
EVIL = "\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2066"
"""An escape sequence that sets the terminal's title, one in C1, and marks that reverse the text behind them."""
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
KEY = "00000000-0000-5000-8000-000000000001"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_no_command_ends_with_a_traceback_when_its_output_cannot_be_written(
    machine: Machine, arguments: tuple[str, ...]
) -> None:
    """A pipe closed early, a full disk, closed streams: at most one sentence, and never a success on a full disk."""
    command = " ".join([*machine.program, *arguments])
    for redirection in ("2>errors | true", ">/dev/full 2>errors", ">&- 2>errors", "<&- >/dev/null 2>errors"):
        status = machine.execute(["bash", "-c", f"set -o pipefail; {command} {redirection}"], check=False).returncode
        said = (machine.project / "errors").read_text("utf-8")
        assert "Traceback" not in said
        assert "Exception ignored" not in said
        assert status != 120  # the interpreter could not flush at its end
        if "/dev/full" in redirection and arguments != ("nonsense",):
            assert (status in (1, 3), "No space left on device" in said) == (True, True)  # 3: doctor found no Codex


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16", "cp037"])
def test_every_encoding_prints_every_name(machine: Machine, encoding: str) -> None:
    project = machine.home / "prøjekt ✓ …"
    project.mkdir()
    for arguments in (("status",), ("status", "--json"), ("init", "--local", "--no-interactive"), ("history",)):
        done = subprocess.run(
            [*machine.program, *arguments],
            capture_output=True,
            cwd=project,
            env={**machine.environ, "PYTHONIOENCODING": encoding},
            check=False,
        )
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False)
        text = done.stdout.decode(encoding)
        if "--json" in arguments:
            assert json.loads(text)["exit_code"] == 0


def test_control_characters_never_reach_a_terminal(machine: Machine) -> None:
    """Not from traces, errors, a directory or an address; in JSON they are escaped and keep their meaning."""
    store_evil_trace(machine)
    project = machine.home / f"p{EVIL}".replace("/", "")
    project.mkdir()
    machine.project = project
    environ = {"INFINIUM_BASE_URL": f"https://x.example/{EVIL}", "INFINIUM_AGENT_ID": EVIL}
    commands = (("status",), ("history", "--all"), ("show", KEY[:8]), ("errors", "--all"), ("doctor",), ("show", EVIL))
    for arguments in commands:
        for form in ((), ("--json",)):
            done = machine.run(*arguments, *form, environ=environ)
            assert CONTROL.findall(done.stdout + done.stderr) == []
            if form:
                json.loads(done.stdout)
    [found] = [error for error in machine.json("errors", "--all")["errors"] if EVIL in error["message"]]
    assert found["where"] == "worker"
    for arguments in (("history", "--all"), ("status",), ("doctor",)):
        shown = in_terminal(machine, *arguments, environ=environ)
        assert "\x1b]" not in shown
        assert CONTROL.findall(re.sub(r"\x1b\[[0-9;]*m", "", shown)) == []  # our own colours


def test_a_name_with_a_line_break_is_no_line_of_its_own(machine: Machine) -> None:
    store_evil_trace(machine, "first\nAnswer   forged")
    assert not [line for line in machine.run("show", KEY[:8]).stdout.splitlines() if line.startswith("Answer   forged")]


def store_evil_trace(machine: Machine, text: str = EVIL) -> None:
    """A trace and an error whose every text is hostile."""
    step = {"step_number": 1, "action": text, "description": text, "tool_call": {"tool_name": text}, "duration_ms": 1}
    step["metadata"] = {"files": [{"path": text, "kind": "update"}], "exit_code": 1}
    body = {
        "name": text,
        "description": text,
        "steps": [step],
        "output_summary": text,
        "errors": [{"message": text}],
        "sections": {"development": {"files_modified": [text]}, "general": {"warnings": [text]}},
        "environment": {"framework": text, "custom_tags": {"session": text, "git_branch": text}},
    }
    envelope = Envelope(
        key=KEY,
        agent_id="a",
        base_url="local",
        body=json.dumps(body).encode(),
        created=time.time(),
        name=EVIL,
        labels={"project": EVIL, "session": EVIL},
    )
    ledger = Ledger(machine.state / "ledger")
    LocalStore(machine.state / "local").store(envelope)
    ledger.record_sent(envelope, EVIL, when=time.time())
    ledger.record_error("worker", f"{EVIL} failed", when=time.time())


@pytest.mark.parametrize("arguments", [("status",), ("doctor",), ("errors",), ("show", "abc")], ids=" ".join)
def test_a_terminal_of_80_columns_wraps_between_words(machine: Machine, arguments: tuple[str, ...]) -> None:
    ledger = Ledger(machine.state / "ledger")
    ledger.record_error("worker", "words " * 40 + "end", when=time.time())
    shown = re.sub(r"\x1b\[[0-9;]*m", "", in_terminal(machine, *arguments))
    lines = [line for line in shown.splitlines() if "/" not in line]  # a path is not broken
    assert [line for line in lines if len(line) > 80] == []
    assert not any(re.search(r"\bwor$|\bwo$|\bw$", line) for line in lines)


def test_colours_only_where_they_are_wanted(machine: Machine) -> None:
    assert "\x1b[32m" in in_terminal(machine, "status")
    for environ in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in in_terminal(machine, "status", environ=environ)
    assert "\x1b" not in in_terminal(machine, "status", "--json")
    assert "\x1b" not in machine.run("status", environ={"TERM": "xterm", "FORCE_COLOR": "1"}).stdout


def test_retry_shows_a_progress_bar_in_a_terminal(machine: Machine) -> None:
    """Elsewhere it says once how many there are; CONNECTOR_QUIET turns both off."""

    def queue() -> None:
        outbox = Outbox(machine.state / "outbox")
        for _ in range(90):
            key = str(uuid.uuid4())
            created = time.time()
            outbox.put(Envelope(key=key, agent_id="a", base_url="local", body=b"{}", created=created, name="x"))

    queue()
    shown = in_terminal(machine, "retry")
    assert "90/90" in shown
    assert "Sent       90" in shown
    queue()
    assert machine.run("retry").stderr == "Sending queued traces: 90\n"
    queue()
    assert "Sending" not in in_terminal(machine, "retry", environ={"CONNECTOR_QUIET": "1"})


def test_flush_shows_what_is_left_while_it_waits(machine: Machine) -> None:
    """A line on the terminal, and once more where it ends without success. CONNECTOR_QUIET leaves the end."""
    machine.set_up()
    with machine.idle_hooks():
        machine.hook(
            machine.placed({"session_id": "s-1", "turn_id": "t-1", "hook_event_name": "UserPromptSubmit"}, None)
        )
    [spool] = machine.spools
    lock = try_lock(spool.with_suffix(".lock"))
    assert lock is not None
    with lock:
        assert in_terminal(machine, "flush", "--timeout", "1.5").count("1 session to trace") > 1
        quiet = in_terminal(machine, "flush", "--timeout", "0.5", environ={"CONNECTOR_QUIET": "1"})
    assert quiet.count("1 session to trace") + quiet.count("still being traced") == 1


def test_status_and_doctor_end_with_a_summary(machine: Machine) -> None:
    assert machine.run("status").stdout.splitlines()[-1].startswith("Turns here are traced")
    machine.run("pause")
    assert machine.run("status").stdout.splitlines()[-1] == "Problem: recording is paused."
    assert machine.run("doctor").stdout.splitlines()[-1].startswith("No traces will be sent. Problem: recording")
