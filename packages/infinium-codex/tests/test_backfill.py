"""`backfill`: every turn that was never traced is sent once, to the agent of its own project."""

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from api import Api, receive
from infinium_codex.backfill.turn_reader import TurnReader
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.session_meta import SessionMeta, read_session_meta
from infinium_codex.codex.threads import ThreadKind
from infinium_codex.codex.transcript.reader import Transcript
from infinium_codex.codex.transcript.turn_spans import read_turn_spans
from infinium_codex.support.paths import spool_directory
from infinium_trace import Turn, fold
from machine import Machine, wait_for
from past_sessions import add_session, archive, compress, compressed, set_age
from recorded import Recording, recording, recordings

pytest_plugins = ["no_leftovers"]

AGENT, OTHER_AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "7f9619ff-8b86-4d01-b42d-00cf4fc964ff"
TURN, RESUME = recording("0.169.0", "turn"), recording("0.169.0", "resume")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.environ["CONNECTOR_WAIT_ON_END"] = "0"
    return found


def tags(trace: dict[str, Any]) -> dict[str, str]:
    found = trace["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def threads(one: Recording, directory: Path) -> dict[str, Path]:
    """The transcripts of a recording under the names that Codex gives them, by thread."""
    found = {}
    for source in (one.transcript, *one.path.glob("thread-*.jsonl")):
        meta = read_session_meta(source)
        assert meta is not None
        found[meta.thread_id] = directory / f"rollout-2026-11-23T10-00-00-{meta.thread_id}.jsonl"
        shutil.copy(source, found[meta.thread_id])
    return found


def _is_review_of(meta: SessionMeta | None, thread: str) -> bool:
    return meta is not None and meta.kind is ThreadKind.REVIEW and meta.parent == thread


def figures(turns: list[Turn]) -> list[tuple[object, ...]]:
    return [
        (turn.id, turn.status, turn.prompt, len(turn.tool_calls), turn.usage.total, len(turn.calls), turn.last_message)
        for turn in turns
    ]


@pytest.mark.parametrize("one", [one for one in recordings() if one.transcript.exists()], ids=str)
def test_a_turn_read_alone_is_what_hooks_and_transcripts_report_together(one: Recording, tmp_path: Path) -> None:
    """In every recorded session of the user: status, request, tools, tokens and answer, those of subagents included."""
    paths = threads(one, tmp_path)
    metas = {thread: read_session_meta(path) for thread, path in paths.items()}
    for thread, path in paths.items():
        meta = metas[thread]
        assert meta is not None
        if meta.kind is not ThreadKind.USER or thread not in one.sessions:
            continue
        reviews = [paths[other] for other in paths if _is_review_of(metas[other], thread)]
        spans = read_turn_spans(path)
        ids = [span.turn_id for span in spans]
        reader = TurnReader(CODEX, path, spans, tmp_path, reviews)
        together = [read.turn for read in reader.read(frozenset(ids))]
        assert figures(together) == figures(list(fold(one.events(thread)).turns))
        alone = [read.turn for turn_id in ids for read in reader.read(frozenset([turn_id]))]
        assert alone == together


@pytest.mark.parametrize("one", [one for one in recordings() if one.transcript.exists()], ids=str)
def test_turns_are_found_with_their_times_without_parsing(one: Recording) -> None:
    for path in (one.transcript, *one.path.glob("thread-*.jsonl")):
        session = fold(Transcript(path).read())
        spans = read_turn_spans(path)
        found = [(span.turn_id, span.started_ms, span.ended_ms, span.cwd or session.cwd) for span in spans]
        assert found == [
            (turn.id, turn.started_at_ms, turn.ended_at_ms, turn.cwd or session.cwd) for turn in session.turns
        ]


def test_past_turns_are_sent_once_and_marked(machine: Machine) -> None:
    """From plain, compressed and archived transcripts, under the keys that hooks would have given them."""
    machine.set_up()
    add_session(machine, TURN)
    compress(add_session(machine, RESUME, 1))
    archive(machine, add_session(machine, recording("0.118.0", "turn"), 2))
    add_session(machine, recording("0.169.0", "subagent"), 3)
    assert machine.json("backfill", "--dry-run")["queued"] == 5
    assert machine.traces() == []
    found = machine.json("backfill")
    assert (found["schema"], found["sessions"], found["turns"], found["queued"], found["waiting"]) == (1, 4, 5, 5, 0)
    traces = machine.traces()
    assert Counter(trace["input_summary"] for trace in traces) == {
        "Try the build, then leave a note.": 2,
        "First question.": 1,
        "Second question.": 1,
        "Have an agent count.": 1,
    }
    assert {tags(trace)["backfilled"] for trace in traces} == {"true"}
    again = machine.json("backfill")
    assert (again["queued"], again["states"]) == (0, {"local": 5})
    assert machine.traces() == traces
    assert not (machine.state / "backfill").exists()


def test_turns_that_hooks_traced_are_not_sent_again(machine: Machine) -> None:
    """A session of two turns, of which hooks reported the first."""
    machine.set_up()
    transcript = add_session(machine, RESUME)
    session, turns = transcript.stem[-36:], [span.turn_id for span in read_turn_spans(transcript)]
    common = {
        "session_id": session,
        "turn_id": turns[0],
        "transcript_path": str(transcript),
        "cwd": str(machine.project),
    }
    machine.hook({**common, "hook_event_name": "UserPromptSubmit", "prompt": "First question."})
    machine.hook({**common, "hook_event_name": "Stop", "last_assistant_message": "ok"})
    machine.wait_for_traces(1)
    set_age(transcript, 86_400)
    found = machine.json("backfill")
    assert (found["queued"], found["states"]) == (1, {"local": 1, "never traced": 1})
    assert [tags(trace)["turn"] for trace in machine.traces()] == turns


def test_turns_that_a_hook_recorded_are_left_to_the_worker(machine: Machine) -> None:
    machine.set_up()
    transcript = add_session(machine, TURN)
    [span] = read_turn_spans(transcript)
    prompt = {"session_id": transcript.stem[-36:], "turn_id": span.turn_id, "cwd": str(machine.project)}
    with machine.idle_hooks():
        machine.hook(
            {**prompt, "hook_event_name": "UserPromptSubmit", "prompt": "x", "transcript_path": str(transcript)}
        )
    assert machine.json("backfill")["states"] == {"recorded": 1}
    assert machine.traces() == []


def test_a_running_turn_is_left_alone_until_it_is_over(machine: Machine) -> None:
    """Its transcript was just written, or a process has it open."""
    machine.set_up()
    transcript = add_session(machine, TURN)
    whole = transcript.read_bytes()
    transcript.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert machine.json("backfill")["states"] == {"running": 1}
    set_age(transcript, 86_400)
    with transcript.open("rb"):
        assert machine.json("backfill")["states"] == {"running": 1}
    assert machine.json("backfill")["queued"] == 1
    [trace] = machine.traces()
    assert tags(trace)["status"] == "interrupted"


def test_since_and_session_select_turns(machine: Machine) -> None:
    machine.set_up()
    old, new = add_session(machine, TURN, 1, age=9 * 86_400), add_session(machine, RESUME, 2)
    assert machine.json("backfill", "--dry-run", "--since", "2026-11-25")["queued"] == 0
    assert machine.json("backfill", "--dry-run", "--session", old.stem[-36:])["queued"] == 1
    assert machine.json("backfill", "--session", new.stem[-36:-10])["queued"] == 2
    assert machine.json("backfill")["queued"] == 1


def test_each_turn_goes_to_the_agent_of_its_own_project(machine: Machine) -> None:
    """Agent and address in the environment are those of this project; projects without a set-up are counted."""
    other, bare, paused = (machine.home / name for name in ("other", "bare", "paused"))
    with receive(200) as here, receive(200) as there:
        for path, agent in ((machine.project, AGENT), (other, OTHER_AGENT), (paused, OTHER_AGENT)):
            config = path / ".infinium" / "config.json"
            config.parent.mkdir(parents=True)
            address = here.base_url if path is machine.project else there.base_url
            values = {"agent_id": agent, "base_url": address, "paused": path is paused}
            config.write_text(json.dumps({**values, "flush_on_session_end": False}))
        bare.mkdir()
        for number, path in enumerate((machine.project, other, bare, paused)):
            add_session(machine, TURN, number, project=path)
        keyring = {f"infinium-connector/{OTHER_AGENT}": "other-secret"}
        (machine.root / "keyring.json").write_text(json.dumps(keyring))
        machine.environ |= {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
            "PYTHON_KEYRING_BACKEND": "keeper.Keeper",
            "KEEPER": str(machine.root / "keyring.json"),
            "INFINIUM_AGENT_ID": AGENT,
            "INFINIUM_AGENT_SECRET": "own-secret",
            "INFINIUM_BASE_URL": here.base_url,
        }
        approve(machine, OTHER_AGENT, there.base_url)
        found = machine.json("backfill", "--all")
        assert found["by_project"] == {str(machine.project): 1, str(other): 1}
        assert found["untraceable"] == {"no Infinium project is set up there": 1}
        assert (found["untraceable_sessions"], found["states"]["paused"], found["waiting"]) == (1, 1, 0)
    assert secrets(here) == [(AGENT, "own-secret")]
    assert secrets(there) == [(OTHER_AGENT, "other-secret")]


def approve(machine: Machine, agent: str, address: str) -> None:
    """Approve an address for an agent, as `init` does when a user states it."""
    from infinium_config import ApprovedOrigins

    ApprovedOrigins(machine.home / ".local" / "state" / "infinium" / "origins.json").approve(agent, address)


def secrets(api: Api) -> list[tuple[str, str]]:
    return [(request.headers["x-agent-id"], request.headers["x-agent-key"]) for request in api.requests]


def test_by_default_only_this_projects_turns_are_sent(machine: Machine) -> None:
    machine.set_up()
    (machine.home / "bare").mkdir()
    add_session(machine, TURN, 1)
    add_session(machine, TURN, 2, project=machine.home / "bare")
    found = machine.json("backfill")
    assert (found["sessions"], found["queued"], found["untraceable"]) == (1, 1, {})


def test_turns_of_a_pause_are_never_sent(machine: Machine) -> None:
    """The pause is known after the session's own files are gone, and after recording was resumed."""
    machine.set_up()
    transcript = add_session(machine, TURN)
    machine.must_run("pause")
    assert machine.json("backfill")["states"] == {"paused": 1}
    [span] = read_turn_spans(transcript)
    prompt = {"session_id": transcript.stem[-36:], "turn_id": span.turn_id, "cwd": str(machine.project)}
    machine.hook({**prompt, "hook_event_name": "UserPromptSubmit", "prompt": "x", "transcript_path": str(transcript)})
    marks = spool_directory(machine.environ) / f"{transcript.stem[-36:]}.paused"
    assert marks.exists()
    marks.write_bytes(b"%d\n" % (span.started_ms * 1_000_000))
    set_age(marks, 9 * 86_400)
    machine.must_run("resume")
    machine.must_run("cleanup", "--days", "0")
    assert not marks.exists()
    assert machine.json("backfill")["states"] == {"paused": 1}
    assert machine.traces() == []


def test_a_pause_of_the_project_covers_sessions_that_no_hook_saw(machine: Machine) -> None:
    machine.set_up()
    machine.must_run("pause")
    machine.must_run("resume")
    log = machine.state / "pauses.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [span] = read_turn_spans(add_session(machine, TURN))
    lines[0]["at_ms"] = span.started_ms + 1
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines) + "torn {")
    assert machine.json("backfill")["states"] == {"paused": 1}


@pytest.mark.parametrize(
    ("granularity", "kinds"),
    [("turn", ["turn", "turn"]), ("session", ["session"]), ("both", ["session", "turn", "turn"])],
)
def test_granularity_is_obeyed(machine: Machine, granularity: str, kinds: list[str]) -> None:
    machine.set_up("--granularity", granularity)
    add_session(machine, RESUME)
    assert machine.json("backfill", "--dry-run")["queued"] == len(kinds)
    assert machine.json("backfill")["queued"] == len(kinds)
    traces = machine.traces()
    assert sorted(tags(trace)["kind"] for trace in traces) == kinds
    assert {tags(trace).get("turns") for trace in traces if tags(trace)["kind"] == "session"} <= {"2"}
    assert machine.json("backfill")["queued"] == 0


def test_the_branch_is_the_one_of_the_time(machine: Machine) -> None:
    machine.set_up()
    shutil.rmtree(machine.project / ".git")
    subprocess.run(["git", "init", "-qb", "now"], cwd=machine.project, check=True)
    add_session(machine, recording("0.169.0", "tests-commit"))
    machine.must_run("backfill")
    [trace] = machine.traces()
    assert tags(trace)["git_branch"] == "trunk"


def test_a_damaged_transcript_stops_nothing(machine: Machine) -> None:
    machine.set_up()
    broken = add_session(machine, RESUME, 1)
    lines = broken.read_bytes().splitlines(keepends=True)
    broken.write_bytes(lines[0])
    broken = compress(broken)
    broken.write_bytes(broken.read_bytes() + compressed(b"".join(lines[1:]))[:-40])
    add_session(machine, TURN, 2)
    found = machine.json("backfill")
    assert found["queued"] == 1
    assert found["damaged"] == [str(broken)]


def set_up_for(machine: Machine, api: Api) -> None:
    """Set up the project for an API, with the secret in the environment."""
    machine.environ["INFINIUM_AGENT_SECRET"] = "own-secret"
    machine.must_run("init", "--no-interactive", "--no-trust", "--agent-id", AGENT, "--base-url", api.base_url)
    machine.read_hooks()


def start_backfill(machine: Machine) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*machine.program, "backfill"],
        cwd=machine.project,
        env=machine.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("moment", ["while it queues", "while it sends"])
def test_every_turn_arrives_once_although_the_run_is_killed(machine: Machine, moment: str) -> None:
    """Two runs, the first of which is killed, and a third one that finds nothing to do."""
    count = 30
    with receive(200) as api:
        set_up_for(machine, api)
        for number in range(count):
            add_session(machine, RESUME, number)
        outbox = machine.state / "outbox"
        first = start_backfill(machine)
        if moment == "while it queues":
            wait_for(lambda: len([*outbox.glob("*.trace")]) > 5 or first.poll() is not None, "queued traces")
        else:
            wait_for(lambda: len(api.requests) > 5 or first.poll() is not None, "the first traces")
        first.send_signal(signal.SIGKILL)
        first.wait()
        done = machine.json("backfill")
        assert done["waiting"] == 0
        assert machine.json("backfill")["queued"] == 0
        sent = {request.headers["idempotency-key"]: request.body for request in api.requests}
    assert len(sent) == 2 * count
    # The request that was under way is repeated under its key: the server knows it by that.
    repeated = Counter(request.headers["idempotency-key"] for request in api.requests)
    assert sum(repeated.values()) <= 2 * count + 1
    assert all(sent[request.headers["idempotency-key"]] == request.body for request in api.requests)


def test_a_worker_at_the_same_time_doubles_nothing(machine: Machine) -> None:
    """Hooks report new turns of the same project while past ones are sent."""
    with receive(200) as api:
        set_up_for(machine, api)
        for number in range(30):
            add_session(machine, RESUME, number)
        run = start_backfill(machine)
        for _ in range(3):
            machine.play(TURN)
        assert run.wait() == 0
        machine.must_run("flush")
        assert machine.json("backfill")["queued"] == 0
        keys = Counter(request.headers["idempotency-key"] for request in api.requests)
    turns = [request.trace for request in api.requests if tags(request.trace)["kind"] == "turn"]
    assert set(keys.values()) == {1}
    assert Counter(trace["input_summary"] for trace in turns) == {
        "First question.": 30,
        "Second question.": 30,
        "Try the build, then leave a note.": 1,
    }


def test_a_second_run_at_the_same_time_is_refused(machine: Machine) -> None:
    from infinium_config.locks import try_lock

    machine.set_up()
    add_session(machine, TURN)
    machine.state.mkdir(parents=True, exist_ok=True)
    lock = try_lock(machine.state / "backfill.lock")
    assert lock is not None
    with lock:
        done = machine.run("backfill")
    assert (done.returncode, "Another backfill is running." in done.stderr) == (1, True)
    assert machine.json("backfill")["queued"] == 1


def test_it_stops_before_the_outbox_drops_traces(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret nothing can be sent; what is queued stays below the outbox's limits."""
    from infinium_codex.backfill import run
    from infinium_codex.backfill.run import Backfill, Scope
    from infinium_codex.codex.session_files import ProjectDirectories
    from infinium_codex.support.paths import find_places
    from infinium_config import load

    monkeypatch.setattr(run, "BATCH_TRACES", 2)
    monkeypatch.setattr(run, "MOST_QUEUED", 3 / 5_000)
    monkeypatch.setenv("HOME", str(machine.home))
    config = machine.project / ".infinium" / "config.json"
    config.parent.mkdir()
    values = {"agent_id": AGENT, "base_url": "https://api.example.org/v1", "flush_on_session_end": False}
    config.write_text(json.dumps(values))
    for number in range(8):
        add_session(machine, TURN, number)
    environ = {"HOME": str(machine.home), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", environ["PYTHON_KEYRING_BACKEND"])
    places = find_places(environ)._replace(state=machine.state, spool=machine.tmp / "spool")
    scope = Scope(directories=ProjectDirectories.at(machine.project, machine.home))
    one = Backfill(places, environ, load(machine.project, environ, home=machine.home), scope)
    report = one.run(one.find(), lambda _: None)
    assert report.queued == 4
    assert "cannot be sent now" in report.stopped
