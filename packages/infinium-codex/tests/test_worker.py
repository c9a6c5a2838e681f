"""From the hook's call to a stored trace: the real hook, the real worker, the local destination."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.capture.frame import encode
from infinium_codex.codex.agent import CODEX
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition
from infinium_codex.session.reader import QUIET_SECONDS, read_session
from machine import Machine
from recorded import recordings

pytest_plugins = ["no_leftovers"]

TURN = recordings("turn")[-1]
EPHEMERAL = recordings("ephemeral")[-1]
RESUME = recordings("resume")[-1]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def event(name: str, turn: str = "turn-1", **fields: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "turn_id": turn, "hook_event_name": name, "model": "gpt", **fields}


def play_turn(machine: Machine, turn: str, prompt: str, session: str = "s-1") -> None:
    """A turn with hook calls and no transcript."""
    for payload in (event("UserPromptSubmit", turn, prompt=prompt), event("Stop", turn, last_assistant_message="ok")):
        machine.hook(machine.placed({**payload, "session_id": session}, None))


@pytest.mark.parametrize("recording", [*recordings("turn"), *recordings("ephemeral")], ids=str)
def test_a_recorded_turn_becomes_one_trace(machine: Machine, recording: Any) -> None:
    machine.play(recording)
    [trace] = machine.traces()
    assert trace["input_summary"] == "Try the build, then leave a note."
    assert trace["output_summary"] == "The build fails; a note is left."
    assert machine.errors() == []
    assert [entry["kind"] for entry in machine.json("history")["traces"]] == ["turn"]


def test_a_resumed_session_gives_a_trace_a_turn(machine: Machine) -> None:
    machine.play(RESUME)
    traces = machine.traces()
    assert [trace["input_summary"] for trace in traces] == ["First question.", "Second question."]
    assert [trace["llm_usage"]["prompt_tokens"] for trace in traces] == [500, 500]


def test_the_worker_waits_for_the_transcripts_last_records(machine: Machine) -> None:
    """Codex runs Stop before it writes `task_complete`. The trace has that record's tokens and duration."""
    transcript = machine.home / "late.jsonl"
    lines = TURN.transcript.read_bytes().splitlines(keepends=True)
    transcript.write_bytes(b"".join(lines[:-3]))
    for _, payload in TURN.hook_events():
        if payload["hook_event_name"] != "SessionEnd":
            machine.hook(machine.placed(payload, transcript))
    with transcript.open("ab") as file:
        file.write(b"".join(lines[-3:]))
    [trace] = machine.traces()
    assert trace["llm_usage"]["prompt_tokens"] == 3_600
    assert trace["duration"] == json.loads(lines[-1])["payload"]["duration_ms"] / 1000


def test_the_wait_for_a_transcript_without_the_turns_end_is_bounded(machine: Machine) -> None:
    """After ten seconds in which the transcript did not grow, the trace is built from the hook calls."""
    transcript = machine.home / "cut.jsonl"
    transcript.write_bytes(b"".join(TURN.transcript.read_bytes().splitlines(keepends=True)[:5]))
    machine.hook(machine.placed(event("UserPromptSubmit", prompt="x"), transcript))
    spool = machine.spools[0]
    machine.commands["Stop"] = machine.commands["UserPromptSubmit"].replace("UserPromptSubmit", "Quiet")
    machine.hook(machine.placed(event("Stop"), transcript))
    slept: list[float] = []
    reading = read_session(CODEX, spool, ReadPosition(), Checkpoint(), clock=lambda: sum(slept), sleep=slept.append)
    assert reading.ended == {"turn-1"}
    assert QUIET_SECONDS < sum(slept) < QUIET_SECONDS + 1


def test_many_turns_of_one_session_are_each_traced_once(machine: Machine) -> None:
    for number in range(12):
        play_turn(machine, f"turn-{number}", f"question {number}")
    assert sorted(trace["input_summary"] for trace in machine.traces()) == sorted(f"question {n}" for n in range(12))


def test_two_sessions_at_once_in_one_project(machine: Machine) -> None:
    for name in ("UserPromptSubmit", "Stop"):
        for session in ("s-1", "s-2"):
            machine.hook(machine.placed({**event(name, prompt=session), "session_id": session}, None))
    assert sorted(trace["input_summary"] for trace in machine.traces()) == ["s-1", "s-2"]


def test_an_interrupted_turn_is_sent_as_interrupted(machine: Machine) -> None:
    for payload in (event("UserPromptSubmit", prompt="long work"), event("Interrupt")):
        machine.hook(machine.placed(payload, None))
    [trace] = machine.traces()
    assert trace["environment"]["custom_tags"]["status"] == "interrupted"
    assert [error["error_type"] for error in trace["errors"]] == ["TurnInterrupted"]


def test_a_session_that_ends_in_the_middle_of_a_turn_still_gives_its_trace(machine: Machine) -> None:
    for payload in (event("UserPromptSubmit", prompt="cut short"), event("SessionEnd", reason="other")):
        machine.hook(machine.placed(payload, None))
    [trace] = machine.traces()
    assert (trace["input_summary"], trace["environment"]["custom_tags"]["status"]) == ("cut short", "interrupted")


@pytest.mark.parametrize(("granularity", "kinds"), [("session", ["session"]), ("both", ["turn", "turn", "session"])])
def test_granularity(tmp_path: Path, granularity: str, kinds: list[str]) -> None:
    machine = Machine(tmp_path)
    machine.set_up("--granularity", granularity)
    for number in range(2):
        play_turn(machine, f"turn-{number}", f"question {number}")
        machine.wait_until_idle()
    machine.hook(machine.placed(event("SessionEnd", reason="other"), None))
    traces = machine.traces()
    assert [trace["environment"]["custom_tags"]["kind"] for trace in traces] == kinds
    assert traces[-1]["environment"]["custom_tags"]["turns"] == "2"


def test_turns_after_a_summary_make_a_further_part(tmp_path: Path) -> None:
    """The user resumes a session after its summary: the next summary has only the new turns."""
    machine = Machine(tmp_path)
    machine.set_up("--granularity", "session")
    for part in ("1", "2"):
        play_turn(machine, f"turn-{part}", f"question {part}")
        machine.hook(machine.placed(event("SessionEnd", reason="other"), None))
        machine.wait_until_idle()
    first, second = machine.traces()
    assert [trace["environment"]["custom_tags"]["part"] for trace in (first, second)] == ["1", "2"]
    assert second["input_summary"] == "question 2"
    assert machine.spools == []


def test_the_spool_is_gone_once_the_session_has_ended(machine: Machine) -> None:
    """The spool contains prompts and outputs that are not redacted."""
    machine.play(TURN)
    machine.wait_until_idle()
    assert machine.spools == []
    left = [path for path in machine.tmp.rglob("*") if path.is_file()]
    assert [path for path in left if b"Try the build" in path.read_bytes()] == []


def test_a_torn_record_affects_only_itself(machine: Machine) -> None:
    """A hook was killed during its write: the trace has the turn's other events and a warning."""
    machine.hook(machine.placed(event("UserPromptSubmit", prompt="asked"), None))
    [spool] = machine.spools
    with spool.open("ab") as file:
        file.write(encode("PreToolUse", 17, 9, b'{"session_id": "s-1", "tool_name": "Bash"}')[:-12])
    machine.hook(machine.placed(event("Stop", last_assistant_message="answered"), None))
    [trace] = machine.traces()
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "answered")
    assert "1 record skipped: spool:damaged" in trace["sections"]["general"]["warnings"]


def test_an_event_that_is_not_json_affects_only_itself(machine: Machine) -> None:
    machine.hook(machine.placed(event("UserPromptSubmit", prompt="asked"), None))
    [spool] = machine.spools
    with spool.open("ab") as file:
        file.write(encode("PreToolUse", 17, 9, b'{"session_id": "s-1", "tool_name": '))
    machine.hook(machine.placed(event("Stop", last_assistant_message="answered"), None))
    [trace] = machine.traces()
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "answered")
    assert "1 record skipped: hook:PreToolUse:unreadable" in trace["sections"]["general"]["warnings"]


def test_an_invalid_project_file_is_an_error_and_the_events_are_kept(machine: Machine) -> None:
    """After the file is corrected, all turns are traced."""
    good = machine.config.read_text()
    machine.config.write_text('{"base_url": 7}')
    play_turn(machine, "turn-1", "early")
    machine.wait_until_idle()
    assert "base_url must be a string" in machine.errors()[0]
    machine.config.write_text(good)
    play_turn(machine, "turn-2", "late")
    assert [trace["input_summary"] for trace in machine.traces()] == ["early", "late"]


def test_paused_records_nothing(machine: Machine) -> None:
    machine.run("pause")
    play_turn(machine, "turn-1", "private")
    assert machine.traces() == []
    assert machine.spools == []
    machine.run("resume")
    play_turn(machine, "turn-2", "public")
    assert [trace["input_summary"] for trace in machine.traces()] == ["public"]


def test_environment_variables_alone_are_enough(machine: Machine) -> None:
    """As in CI and Docker: there is no project file."""
    machine.config.unlink()
    environ = {"INFINIUM_BASE_URL": "local"}
    for payload in (event("UserPromptSubmit", prompt="in CI"), event("Stop")):
        machine.hook(machine.placed(payload, None), environ)
    assert [trace["input_summary"] for trace in machine.traces()] == ["in CI"]


def test_a_secret_in_the_prompt_is_redacted_before_it_is_stored(machine: Machine) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    play_turn(machine, "turn-1", f"use {token} to push")
    [trace] = machine.traces()
    assert token not in json.dumps(trace)
    state = machine.home / ".local" / "state"
    assert [path for path in state.rglob("*") if path.is_file() and token.encode() in path.read_bytes()] == []
    assert "redacted" in trace["environment"]["custom_tags"]


def test_an_error_of_the_hook_is_listed_by_errors(machine: Machine) -> None:
    """The hook prints nothing; the next worker copies its error to the ledger."""
    data = machine.home / ".local" / "share" / "infinium-codex"
    (data / "hook.errors").write_text("1700000000000000000 OSError: no space left\n")
    play_turn(machine, "turn-1", "x")
    machine.wait_until_idle()
    assert machine.errors() == ["OSError: no space left"]


def test_an_upgrade_of_python_or_of_the_connector_loses_nothing(machine: Machine) -> None:
    """The hook's interpreter is gone and hook.py is of an older version: the next turn is traced and repairs both."""
    data = machine.home / ".local" / "share" / "infinium-codex"
    (data / "python").unlink()
    (data / "python").symlink_to("/nowhere/python")
    (data / "hook.py").write_text((data / "hook.py").read_text() + "\n# an older version\n")
    play_turn(machine, "turn-1", "after the upgrade")
    assert [trace["input_summary"] for trace in machine.traces()] == ["after the upgrade"]
    play_turn(machine, "turn-2", "and the next")
    assert len(machine.traces()) == 2
    assert (data / "python").exists()
    assert "older version" not in (data / "hook.py").read_text()


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda whole: whole[:900], id="cut"),
        pytest.param(lambda whole: whole[:16] + bytes(len(whole) - 16), id="zero"),
        pytest.param(lambda whole: b"\x01\x02" + whole[2:], id="of-another-python"),
    ],
)
def test_the_source_stands_in_for_a_compiled_hook_that_does_not_load(
    machine: Machine, harm: Callable[[bytes], bytes]
) -> None:
    """No event is lost, nothing is printed, and the worker compiles the hook again."""
    compiled = machine.home / ".local" / "share" / "infinium-codex" / "hook.pyc"
    whole = compiled.read_bytes()
    play_turn(machine, "turn-0", "earlier")  # after it the worker knows that the home was intact
    machine.wait_until_idle()
    compiled.write_bytes(harm(whole))
    play_turn(machine, "turn-1", "asked")
    _, trace = machine.traces()
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "ok")
    assert compiled.read_bytes()[:12] == whole[:12]
    assert compiled.stat().st_mode & 0o777 == 0o600


def test_the_hook_is_not_compiled_at_every_event(machine: Machine) -> None:
    (machine.home / ".local" / "share" / "infinium-codex" / "hook.py").write_text("raise SystemExit(1)\n")
    machine.hook(machine.placed(event("UserPromptSubmit", prompt="asked"), None))
    assert machine.spools


def test_a_users_own_patterns_and_allow_list(machine: Machine) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    environ = {"CONNECTOR_REDACT_PATTERNS": r"ACME-\d+", "CONNECTOR_REDACT_ALLOW": "ghp_a1B2.*"}
    prompt = f"ticket ACME-4711, fixture {token}"
    for payload in (event("UserPromptSubmit", prompt=prompt), event("Stop", last_assistant_message="ok")):
        machine.hook(machine.placed(payload, None), environ)
    [trace] = machine.traces()
    assert trace["input_summary"] == f"ticket [redacted:custom], fixture {token}"


def test_patterns_of_the_project_and_of_the_users_own_file(machine: Machine) -> None:
    """A project file can add patterns to redact. It cannot allow values."""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    project = json.loads(machine.config.read_text("utf-8"))
    machine.config.write_text(json.dumps(project | {"redact_patterns": ["TEAM-\\d+"], "redact_allow": [".*"]}))
    own = machine.home / ".infinium" / "config.json"
    own.parent.mkdir()
    own.write_text('{"redact_patterns": ["ACME-\\\\d+"]}')
    play_turn(machine, "turn-1", f"ticket ACME-4711, task TEAM-12, {token}")
    [trace] = machine.traces()
    shown = "ticket [redacted:custom], task [redacted:custom], [redacted:github-token]"
    assert trace["input_summary"] == shown
    assert str(own) in machine.run("status").stdout


def test_a_pattern_that_only_one_engine_takes_stops_no_trace(machine: Machine) -> None:
    """Python's `re` accepts it, the engine that searches does not. The other patterns apply, and `errors` names it."""
    config = json.loads(machine.config.read_text("utf-8"))
    machine.config.write_text(json.dumps(config | {"redact_patterns": ["[[:nope:]]", "ACME-\\d+"]}))
    play_turn(machine, "turn-1", "ticket ACME-4711")
    [trace] = machine.traces()
    assert trace["input_summary"] == "ticket [redacted:custom]"
    assert "'[[:nope:]]' in redact_patterns is ignored" in machine.errors()[0]


def test_a_session_directory_that_does_not_exist_yet_is_created(machine: Machine) -> None:
    directory = machine.root / "not" / "there" / "yet"
    environ = {"CONNECTOR_SESSION_DIR": str(directory)}
    for payload in (event("UserPromptSubmit", prompt="kept"), event("Stop")):
        machine.hook(machine.placed(payload, None), environ)
    assert [trace["input_summary"] for trace in machine.traces()] == ["kept"]
    assert directory.stat().st_mode & 0o777 == 0o700


def test_the_worker_of_a_local_turn_loads_no_more_than_the_turn_needs(machine: Machine) -> None:
    """Every turn pays for an import. None of these is needed for a turn that is stored locally.

    The worker compares the hook's home with the installation only after one of them changed.
    """
    play_turn(machine, "earlier", "earlier", session="another session")
    machine.wait_until_idle()
    machine.commands = {name: text.replace(f" {name} ", " Quiet ") for name, text in machine.commands.items()}
    for _, payload in TURN.hook_events():
        machine.hook(machine.placed(payload, TURN.transcript))
    [spool] = [spool for spool in machine.spools if spool.stem == TURN.sessions[0]]
    program = (
        "import os, sys; before = set(sys.modules); os._exit = lambda code: None;"
        "import runpy; runpy.run_path(sys.argv.pop(1)); print(*(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-c", program, machine.worker_command[-1], str(spool)]
    done = subprocess.run(command, env=machine.environ, check=True, capture_output=True, text=True)
    assert len(machine.traces()) == 2
    loaded = set(done.stdout.split())
    unwanted = {"dataclasses", "email", "http", "keyring", "logging", "niquests", "structlog", "subprocess", "tomllib"}
    unwanted |= {"platformdirs", "shutil", "tempfile"}
    assert {name.partition(".")[0] for name in loaded} & unwanted == set()
    assert "infinium_codex.capture.install" not in loaded


def test_the_worker_at_a_prompt_does_not_import_the_agent(machine: Machine) -> None:
    """The user waits for the model at a prompt; the worker only schedules the session."""
    with machine.idle_hooks():
        machine.hook(machine.placed(event("UserPromptSubmit", prompt="asked"), None))
    [spool] = machine.spools
    program = (
        "import os, sys; before = set(sys.modules); os._exit = lambda code: None;"
        "import runpy; runpy.run_path(sys.argv.pop(1)); print(*(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-c", program, machine.worker_command[-1], str(spool), "UserPromptSubmit"]
    done = machine.execute(command)
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] in ("infinium_codex", "msgspec")}
    rooms = {name.split(".")[1] for name in loaded if "." in name}
    assert rooms <= {"background", "capture", "support"}
    assert "msgspec" not in loaded
    assert len(machine.schedulers) == 1
