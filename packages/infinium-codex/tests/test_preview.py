"""`preview`: exactly the bytes that would be sent, and nothing is sent."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from api import Api, receive
from infinium_codex.codex.transcript.turn_spans import read_turn_spans
from machine import Machine
from past_sessions import add_session, compress
from recorded import Recording, recording

pytest_plugins = ["no_leftovers"]

AGENT, SECRET = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "sesame-4711-canary"
TURN, RESUME = recording("0.169.0", "turn"), recording("0.169.0", "resume")
PASSWORD = "hunter2-swordfish-99"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.environ["CONNECTOR_WAIT_ON_END"] = "0"
    return found


def previews(machine: Machine, *arguments: str) -> list[dict[str, Any]]:
    found = machine.json("preview", *arguments)
    assert (found["schema"], found["ok"]) == (1, True), found
    traces = found["traces"]
    assert isinstance(traces, list)
    return traces


def with_secrets(transcript: Path) -> None:
    """Put a password and the agent's own secret into the request and the answer."""
    content = transcript.read_bytes()
    content = content.replace(b"leave a note", f"leave a note, PASSWORD={PASSWORD}, {SECRET}".encode())
    transcript.write_bytes(content)


def play(machine: Machine, one: Recording, transcript: Path) -> None:
    """Run the hooks of a recording for the copy of its session at `transcript`."""
    session, recorded = transcript.stem[-36:], one.sessions[0]
    turns = list(zip(read_turn_spans(one.transcript), read_turn_spans(transcript), strict=True))
    for _, payload in one.hook_events():
        text = json.dumps(payload).replace(recorded, session).replace("/home/dev/project", str(machine.project))
        for old, new in turns:
            text = text.replace(old.turn_id, new.turn_id)
        machine.hook({**json.loads(text), "transcript_path": str(transcript)})


def test_a_recorded_turn_is_previewed_as_its_worker_builds_it(machine: Machine) -> None:
    """From hook events and transcript, with the keyring's secret removed, byte for byte what is queued."""
    machine.environ |= {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
        "PYTHON_KEYRING_BACKEND": "keeper.Keeper",
        "KEEPER": str(machine.root / "keyring.json"),
    }
    (machine.root / "keyring.json").write_text(json.dumps({f"infinium-connector/{AGENT}": SECRET}))
    with receive(200) as api:
        set_up(machine, api)
        transcript = add_session(machine, TURN)
        with_secrets(transcript)
        with machine.idle_hooks():
            play(machine, TURN, transcript)
        [shown] = previews(machine)
        assert (shown["built_from"], shown["agent_id"], api.requests) == ("hook events and the transcript", AGENT, [])
        assert not list((machine.state / "outbox").glob("*.trace"))
        machine.must_run("flush")
        [request] = [
            one for one in api.requests if json.loads(one.body)["environment"]["custom_tags"]["kind"] == "turn"
        ]
    assert shown["body"].encode() == request.body
    assert (shown["key"], shown["bytes"]) == (request.headers["idempotency-key"], len(request.body))
    assert SECRET not in shown["body"]
    assert PASSWORD not in shown["body"]
    assert shown["redactions"]["own-secret"] >= 1


def set_up(machine: Machine, api: Api) -> None:
    arguments = ("--no-interactive", "--no-trust", "--agent-id", AGENT, "--base-url", api.base_url)
    machine.must_run("init", *arguments)
    machine.read_hooks()


def test_a_turn_that_no_hook_recorded_is_previewed_as_backfill_sends_it(machine: Machine) -> None:
    machine.set_up("--granularity", "both")
    add_session(machine, TURN, 1)
    transcript = compress(add_session(machine, RESUME, 2, age=60 * 60 * 20))
    shown = {one["key"]: one["body"] for one in previews(machine, transcript.name[-46:-10], "--all")}
    machine.must_run("backfill", "--session", transcript.name[-46:-10])
    stored = {path.stem: path.read_text("utf-8") for path in (machine.state / "local").glob("*.json")}
    assert shown == stored
    assert len(shown) == 3


def test_a_review_is_previewed_with_the_reviewers_work(machine: Machine) -> None:
    """It is in a transcript of its own, which is found although the session is chosen by its id."""
    machine.set_up()
    review = add_session(machine, recording("0.169.0", "review"))
    [shown] = previews(machine, review.stem[-36:])
    machine.must_run("backfill")
    assert [trace["steps"] for trace in machine.traces()] == [json.loads(shown["body"])["steps"]]


def test_a_queued_turn_is_previewed_with_its_queued_bytes(machine: Machine) -> None:
    with receive(401) as api:
        machine.environ["INFINIUM_AGENT_SECRET"] = SECRET
        set_up(machine, api)
        transcript = add_session(machine, TURN)
        play(machine, TURN, transcript)
        machine.wait_until_idle()
    [shown] = previews(machine)
    assert shown["built_from"] == "the queue"
    [file] = (machine.state / "outbox").glob(f"{shown['key']}.trace")
    assert file.read_bytes().endswith(shown["body"].encode())


def test_the_last_turn_of_the_latest_session_is_shown_with_marked_redactions(machine: Machine) -> None:
    machine.set_up()
    add_session(machine, RESUME, 1, age=9 * 86_400)
    with_secrets(add_session(machine, TURN, 2))
    done = machine.run("preview")
    assert done.returncode == 0, done.stderr
    assert "nothing was sent" in done.stdout
    assert "PASSWORD=[redacted:password]" in done.stdout
    assert PASSWORD not in done.stdout
    assert machine.traces() == []


def test_a_turn_is_chosen_by_id_or_key_and_written_to_a_file(machine: Machine) -> None:
    machine.set_up()
    first, _ = read_turn_spans(add_session(machine, RESUME))
    [shown] = previews(machine, "latest", "--turn", first.turn_id)
    assert json.loads(shown["body"])["input_summary"] == "First question."
    assert previews(machine, "--turn", shown["key"][:12]) == [shown]
    target = machine.home / "trace.json"
    machine.must_run("preview", "--turn", first.turn_id, "-o", str(target))
    assert target.read_bytes() == shown["body"].encode()
    assert "do not fit into one file" in machine.run("preview", "--all", "-o", str(target)).stderr


def test_a_file_that_codex_does_not_list_can_be_previewed(machine: Machine) -> None:
    machine.set_up()
    source = add_session(machine, TURN)
    moved = machine.home / "copy.jsonl"
    source.rename(moved)
    [shown] = previews(machine, str(moved))
    assert json.loads(shown["body"])["input_summary"] == "Try the build, then leave a note."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("latest",), "has no session of"),
        (("ffff",), "No session has an id that begins with 'ffff'"),
        (("a file",), "is no transcript of Codex"),
    ],
)
def test_what_cannot_be_previewed_is_an_error(machine: Machine, arguments: tuple[str, ...], words: str) -> None:
    machine.set_up()
    (machine.project / "a file").write_text("{}\n")
    done = machine.run("preview", *arguments)
    assert (done.returncode, words in done.stderr) == (1, True)


def test_where_nothing_would_be_sent_it_says_why(machine: Machine) -> None:
    add_session(machine, TURN)
    assert "no Infinium project is set up there" in machine.run("preview").stderr
    machine.set_up()
    machine.must_run("pause")
    assert "recording was paused" in machine.run("preview").stderr


def test_the_original_is_shown_on_a_terminal_alone(machine: Machine) -> None:
    """Not in a pipe, a file or JSON."""
    machine.set_up()
    with_secrets(add_session(machine, TURN))
    for arguments in (("--diff",), ("--diff", "--json"), ("--diff", "-o", "x")):
        done = machine.run("preview", *arguments)
        assert (done.returncode, PASSWORD in done.stdout + done.stderr) == (2, False)
    shown = on_terminal(machine, "preview", "--diff")
    assert f"PASSWORD={PASSWORD}" in shown
    assert "PASSWORD=[redacted:password]" in shown
    assert "\x1b[31m-" in shown


def on_terminal(machine: Machine, *arguments: str) -> str:
    """Run the command with a terminal as its standard output; return what it prints there."""
    ours, theirs = pty.openpty()
    environ = {**machine.environ, "TERM": "xterm", "PAGER": "cat", "COLUMNS": "500", "LINES": "10000"}
    with subprocess.Popen(
        [*machine.program, *arguments], cwd=machine.project, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        assert process.wait() == 0
    os.close(ours)
    return b"".join(parts).decode()
