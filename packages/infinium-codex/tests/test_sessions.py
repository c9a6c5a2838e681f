"""Unusual sessions: interrupted turns, moved transcripts, subagents, workers that were killed."""

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from infinium_codex.agent import TranscriptPosition
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.transcript.file import readable
from infinium_codex.session import reader as reading
from infinium_codex.session.checkpoint import Checkpoint, ReadPosition
from infinium_codex.session.files import SessionFiles
from infinium_codex.session.processor import State, trace_session
from infinium_codex.session.reader import read_session
from infinium_codex.support.files import first_line_checksum
from infinium_codex.support.paths import Places
from infinium_trace import ToolFinished, TurnEnded
from infinium_transport import Outbox
from machine import Machine
from msgspec.structs import replace
from recorded import recordings

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

pytest_plugins = ["no_leftovers"]

TURN = recordings("turn")[-1]
RESUME = recordings("resume")[-1]
AGENT = "01a208c1-2ef9-7a31-9771-78d2a8cd8651"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def event(name: str, turn: str = "turn-1", **fields: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "turn_id": turn, "hook_event_name": name, "model": "gpt", **fields}


def tags(trace: dict[str, Any]) -> dict[str, str]:
    found = trace["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def state_of(machine: Machine) -> Path:
    [state] = machine.tmp.rglob("*.state")
    return state


# Turns without an end


def test_the_next_prompt_ends_a_turn_that_was_interrupted(machine: Machine) -> None:
    """Codex has no Interrupt event up to 0.147: the next prompt ends the turn, and begins one that goes on."""
    machine.hook(machine.placed(event("UserPromptSubmit", "turn-1", prompt="never mind"), None))
    machine.hook(machine.placed(event("UserPromptSubmit", "turn-2", prompt="rather this"), None))
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], tags(trace)["status"]) == ("never mind", "interrupted")
    assert [error["error_type"] for error in trace["errors"]] == ["TurnInterrupted"]
    machine.hook(machine.placed(event("Stop", "turn-2", last_assistant_message="done"), None))
    first, second = machine.wait_for_traces(2)
    assert (second["input_summary"], tags(second)["status"]) == ("rather this", "completed")
    assert first == trace


def test_words_added_to_a_running_turn_do_not_end_it(machine: Machine) -> None:
    for text in ("do it", "and hurry"):
        machine.hook(machine.placed(event("UserPromptSubmit", prompt=text), None))
    machine.hook(machine.placed(event("Stop"), None))
    [trace] = machine.wait_for_traces(1)
    assert tags(trace)["status"] == "completed"


def test_a_turn_without_stop_has_the_status_that_the_transcript_records(machine: Machine) -> None:
    transcript = machine.home / "transcript.jsonl"
    shutil.copy(TURN.transcript, transcript)
    payloads = [payload for _, payload in TURN.hook_events()]
    for payload in payloads:
        if payload["hook_event_name"] not in ("Stop", "SessionEnd"):
            machine.hook(machine.placed(payload, transcript))
    session = payloads[0]["session_id"]
    machine.hook(machine.placed({**event("UserPromptSubmit", "later", prompt="x"), "session_id": session}, transcript))
    [trace] = machine.wait_for_traces(1)
    assert tags(trace)["status"] == "completed"
    assert trace["llm_usage"]["prompt_tokens"] == 3_600


# Transcripts that were moved, compressed or replaced


def compressed(path: Path) -> Path:
    target = path.with_name(f"{path.name}.zst")
    target.write_bytes(zstd.compress(path.read_bytes()))
    path.unlink()
    return target


def archived(path: Path) -> Path:
    target = path.parents[4] / "archived_sessions" / path.name
    target.parent.mkdir()
    path.rename(target)
    return target


@pytest.mark.parametrize("moves", [[compressed], [archived], [archived, compressed]], ids=str)
def test_a_compressed_or_archived_transcript_is_read(machine: Machine, moves: list[Any]) -> None:
    """There was no Stop. When the session is closed, Codex has compressed or archived the transcript."""
    transcript = machine.home / ".codex" / "sessions" / "2026" / "11" / "23" / "rollout-1.jsonl"
    transcript.parent.mkdir(parents=True)
    shutil.copy(TURN.transcript, transcript)
    last = [machine.placed(payload, transcript) for _, payload in TURN.hook_events()]
    for payload in last[:-1]:
        if payload["hook_event_name"] != "Stop":
            machine.hook(payload)
    machine.wait_until_idle()
    path = transcript
    for move in moves:
        path = move(path)
    machine.hook(last[-1])
    [trace] = machine.wait_for_traces(1)
    assert trace["llm_usage"]["prompt_tokens"] == 3_600
    assert list(machine.tmp.rglob(".transcript*")) == []


def test_only_what_is_new_in_a_compressed_transcript_takes_room(tmp_path: Path) -> None:
    whole = tmp_path / "transcript.jsonl"
    whole.write_bytes(b"x" * (8 << 20) + b"the end")
    start = TranscriptPosition(offset=8 << 20, head=first_line_checksum(whole))
    compressed(whole)
    with readable(whole, start, tmp_path) as found:
        assert found is not None
        assert found.stat().st_blocks * 512 < 3 << 20
        assert found.read_bytes()[8 << 20 :] == b"the end"


@pytest.mark.parametrize("tail", [b"new\n" * 600_000, b"new\n" * 999_999], ids=["shorter", "longer"])
@pytest.mark.parametrize("first", [b"same\n", b"other\n"])
def test_a_transcript_that_was_replaced_and_compressed_is_read_as_a_whole(
    tmp_path: Path, first: bytes, tail: bytes
) -> None:
    """The old position means nothing in it: no part of it may be missing from the copy."""
    path = tmp_path / "transcript.jsonl"
    path.write_bytes(b"same\n")
    start = TranscriptPosition(offset=3_000_000, head=first_line_checksum(path))
    path.write_bytes(first + tail)
    compressed(path)
    with readable(path, start, tmp_path) as found:
        assert found is not None
        content = found.read_bytes()
    is_the_same = first == b"same\n" and len(tail) > start.offset
    assert content[start.offset :] == (first + tail)[start.offset :]
    assert is_the_same or content == first + tail


@pytest.mark.parametrize("content", [b"", b"no zstd at all", zstd.compress(b'{"a": 1}\n' * 9999)[:-20]])
def test_a_damaged_compressed_transcript_stops_nothing(machine: Machine, content: bytes) -> None:
    (machine.home / "gone.jsonl.zst").write_bytes(content)
    for payload in (event("UserPromptSubmit", prompt="asked"), event("Stop", last_assistant_message="answered")):
        machine.hook(machine.placed(payload, machine.home / "gone.jsonl"))
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], trace["output_summary"]) == ("asked", "answered")


def test_a_transcript_that_was_replaced_is_read_anew(machine: Machine) -> None:
    """A shorter file is in its place. Its records of closed turns are left out."""
    transcript = machine.play(RESUME)
    assert transcript is not None
    before = machine.wait_for_traces(2)
    transcript.write_bytes(TURN.transcript.read_bytes())
    session = RESUME.hook_events()[0][1]["session_id"]
    for _, payload in TURN.hook_events():
        machine.hook(machine.placed({**payload, "session_id": session}, transcript))
    traces = machine.wait_for_traces(3)
    assert traces[:2] == before
    assert traces[2]["llm_usage"]["prompt_tokens"] == 3_600


# Subagents


def line(kind: str, at: str, **payload: Any) -> str:
    when = datetime.now(UTC) + timedelta(hours=1, seconds=float(at))  # behind the hooks, which run now
    return json.dumps({"timestamp": when.isoformat(), "type": kind, "payload": payload}) + "\n"


def command(turn: str, call: str, at: str) -> str:
    item = {"type": "CommandExecution", "id": call, "exit_code": 3, "aggregated_output": "no", "status": "failed"}
    return line("event_msg", at, type="item_completed", turn_id=turn, item=item)


def agent_transcript(machine: Machine, *, copied: bool = False) -> Path:
    """The transcript of a subagent with one failed command and one response; a fork begins with its parent's."""
    path = machine.home / "agent.jsonl"
    history = [
        line("event_msg", "00.000", type="task_started", turn_id="turn-1"),
        command("turn-1", "parents-call", "00.500"),
        line("event_msg", "00.900", type="task_complete", turn_id="turn-1"),
    ]
    usage = {"input_tokens": 40, "output_tokens": 2, "total_tokens": 42}
    own = [
        line("event_msg", "01.000", type="task_started", turn_id="agents-turn"),
        line("turn_context", "01.001", turn_id="agents-turn", model="gpt"),
        command("agents-turn", "agents-call", "02.000"),
        line(
            *("token_usage_record", "03.000"),
            turn_id="agents-turn",
            response_id="r-1",
            usage=usage,
            thread_token_usage=usage,
        ),
        line("event_msg", "04.000", type="task_complete", turn_id="agents-turn"),
    ]
    path.write_text("".join([*(history if copied else []), *own]))
    return path


def agent_events(transcript: Path) -> Iterator[dict[str, Any]]:
    """The hooks of a subagent: its session id is its parent's, its turn and its transcript are its own."""
    own = {"agent_id": AGENT, "agent_type": "explorer", "transcript_path": str(transcript)}
    yield event("SubagentStart", "agents-turn", **own)
    yield event("UserPromptSubmit", "agents-turn", prompt="Count.", **own)
    for name in ("PreToolUse", "PostToolUse"):
        yield event(name, "agents-turn", tool_name="Bash", tool_use_id="agents-call", tool_input={}, **own)
    last = event("SubagentStop", "agents-turn", agent_id=AGENT, agent_type="explorer", last_assistant_message="9")
    yield {**last, "agent_transcript_path": str(transcript)}


def play_agent(machine: Machine, events: list[dict[str, Any]]) -> None:
    for payload in events:
        machine.hook({**payload, "cwd": str(machine.project), "transcript_path": payload.get("transcript_path")})


@pytest.mark.parametrize("copied", [False, True], ids=["fresh", "forked"])
def test_a_subagents_transcript_belongs_to_the_turn_that_spawned_it(machine: Machine, copied: bool) -> None:
    """The trace has its commands, exit codes and tokens once, and nothing of the history that it was forked with."""
    own = list(agent_events(agent_transcript(machine, copied=copied)))
    play_agent(machine, [event("UserPromptSubmit", prompt="have it counted"), *own, event("Stop")])
    [trace] = machine.wait_for_traces(1)
    calls = [step for step in trace["steps"] if step["action"] == "tool_call"]
    assert [(call["metadata"]["call_id"], call["metadata"]["exit_code"]) for call in calls] == [("agents-call", 3)]
    assert trace["llm_usage"]["prompt_tokens"] == 40
    [agent] = [step for step in trace["steps"] if step["action"] == "subagent"]
    assert agent["metadata"]["agent_id"] == AGENT


def test_a_turn_waits_for_a_subagent_that_outlives_it(machine: Machine) -> None:
    transcript = agent_transcript(machine)
    *before, last = agent_events(transcript)
    complete = transcript.read_text("utf-8")
    transcript.write_text("".join(complete.splitlines(keepends=True)[:-1]), "utf-8")
    play_agent(machine, [event("UserPromptSubmit", prompt="have it counted"), *before, event("Stop")])
    assert machine.traces() == []
    transcript.write_text(complete, "utf-8")
    play_agent(machine, [event("UserPromptSubmit", "turn-2", prompt="meanwhile"), last, event("Stop", "turn-2")])
    first, second = machine.wait_for_traces(2)
    assert (first["input_summary"], first["llm_usage"]["prompt_tokens"]) == ("have it counted", 40)
    assert second["input_summary"] == "meanwhile"
    assert "steps" not in second


def test_a_subagent_without_an_end_does_not_keep_its_turn_open(machine: Machine) -> None:
    *before, _ = agent_events(agent_transcript(machine))
    play_agent(machine, [event("UserPromptSubmit", prompt="x"), *before, event("Stop"), event("SessionEnd")])
    [trace] = machine.wait_for_traces(1)
    assert tags(trace)["status"] == "completed"


# Long sessions, and workers that were killed


def test_a_long_spool_is_read_in_slices(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading has one turn and leaves the transcript where the next one begins."""
    transcript = machine.home / "transcript.jsonl"
    shutil.copy(RESUME.transcript, transcript)
    machine.commands = {name: text.replace(f" {name} ", " Quiet ") for name, text in machine.commands.items()}
    for _, payload in RESUME.hook_events():
        machine.hook(machine.placed(payload, transcript))
    [spool] = machine.spools
    monkeypatch.setattr(reading, "SLICE_BYTES", 1)
    first = read_session(CODEX, spool, ReadPosition(), Checkpoint())
    mark = first.position_before([])
    assert (first.more, len(first.ended)) == (True, 1)
    assert 0 < mark.transcript.offset < transcript.stat().st_size
    second = read_session(CODEX, spool, mark, Checkpoint(closed_turns=tuple(first.ended)))
    assert (len(second.ended), first.ended & second.ended) == (1, set())
    ends = [event.turn_id for event in second.events if isinstance(event, TurnEnded) and event.duration_ms]
    assert ends == list(second.ended)


def test_a_slice_leaves_the_next_turns_records_though_its_own_never_ended(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reading looks for the end in the whole transcript. The next reading begins before those records."""
    transcript = machine.home / "transcript.jsonl"
    lines = RESUME.transcript.read_bytes().splitlines(keepends=True)
    ends = [number for number, record in enumerate(lines) if b'"task_complete"' in record]
    transcript.write_bytes(b"".join(record for number, record in enumerate(lines) if number != ends[0]))
    machine.commands = {name: text.replace(f" {name} ", " Quiet ") for name, text in machine.commands.items()}
    for _, payload in RESUME.hook_events():
        machine.hook(machine.placed(payload, transcript))
    [spool] = machine.spools
    monkeypatch.setattr(reading, "SLICE_BYTES", 1)
    first = read_session(CODEX, spool, ReadPosition(), Checkpoint(), patience=0.0)
    assert first.transcript_end.offset == transcript.stat().st_size
    second = read_session(
        CODEX, spool, first.position_before([]), Checkpoint(closed_turns=tuple(first.ended)), patience=0.0
    )
    assert [event.turn_id for event in second.events if isinstance(event, TurnEnded) and event.duration_ms] != []


def test_a_summary_is_the_same_in_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name, slice_bytes in (("whole", reading.SLICE_BYTES), ("sliced", 1)):
        machine = Machine(tmp_path / name)
        machine.set_up("--granularity", "session")
        transcript = tmp_path / "transcript.jsonl"
        shutil.copy(RESUME.transcript, transcript)
        machine.commands = {event: text.replace(f" {event} ", " Quiet ") for event, text in machine.commands.items()}
        for _, payload in RESUME.hook_events():
            machine.hook(machine.placed(payload, transcript))
        [spool] = machine.spools
        monkeypatch.setattr(reading, "SLICE_BYTES", slice_bytes)
        state = machine.home / ".local" / "state" / "infinium-codex"
        places = Places(data=machine.home, state=state, spool=spool.parent)
        readings = 0
        while trace_session(CODEX, SessionFiles(spool), places, machine.environ).state is State.pending:
            readings += 1
        assert readings == (2 if name == "sliced" else 0)
        outbox = Outbox(state / "outbox")
        [waiting] = outbox.pending()
        found.append(json.loads(outbox.read(waiting).body))
    whole, sliced = found
    assert (tags(whole)["turns"], whole["llm_usage"]["api_calls_count"]) == ("2", 2)
    for trace in found:
        del tags(trace)["cwd"]
    assert sliced == whole


def test_a_turn_that_begins_in_the_transcript_before_its_hook_has_run_loses_nothing(machine: Machine) -> None:
    """The worker of the turn before reads its first records and must leave them to the next worker."""
    transcript = machine.home / "transcript.jsonl"
    lines = RESUME.transcript.read_bytes().splitlines(keepends=True)
    starts = [number for number, line in enumerate(lines) if b'"task_started"' in line]
    ends = [number for number, line in enumerate(lines) if b'"task_complete"' in line]
    transcript.write_bytes(b"".join(lines[: ends[-1]]))
    assert ends[0] < starts[-1] < ends[-1]
    hooks = [payload for _, payload in RESUME.hook_events()]
    second = next(i for i, payload in enumerate(hooks) if payload.get("turn_id") != hooks[1].get("turn_id") and i > 1)
    for payload in hooks[:second]:
        machine.hook(machine.placed(payload, transcript))
    machine.wait_until_idle()
    transcript.write_bytes(b"".join(lines))
    for payload in hooks[second:]:
        machine.hook(machine.placed(payload, transcript))
    assert [trace["llm_usage"]["api_calls_count"] for trace in machine.traces()] == [1, 1]


def test_a_worker_killed_after_it_removed_the_spool_loses_no_turn(machine: Machine) -> None:
    """It was killed before it saved that the next spool begins at 0: the next spool is read from its start."""
    for turn in ("turn-1", "turn-2"):
        machine.hook(machine.placed(event("UserPromptSubmit", turn, prompt=turn), None))
        machine.hook(machine.placed(event("Stop", turn), None))
        machine.wait_until_idle()
        assert machine.spools == []
        state = Checkpoint.load(state_of(machine))
        stale = ReadPosition(spool=100, spool_head=4711, transcript=TranscriptPosition())
        replace(state, next_turn=stale, summary_start=stale).save(state_of(machine))
    assert [trace["input_summary"] for trace in machine.traces()] == ["turn-1", "turn-2"]


def test_a_worker_killed_between_summary_and_checkpoint_summarizes_the_same_turns_again(tmp_path: Path) -> None:
    """And with no further turn: that summary's key is used already, so the turn would be in no summary."""
    machine = Machine(tmp_path)
    machine.set_up("--granularity", "session")
    saved = []
    for turn in ("turn-1", "turn-2"):
        machine.hook(machine.placed(event("UserPromptSubmit", turn, prompt=turn), None))
        machine.hook(machine.placed(event("Stop", turn), None))
        machine.wait_until_idle()
        saved.append(Checkpoint.load(state_of(machine)))
    # As if it had begun to sum up behind the first turn and had been killed.
    replace(saved[1], summary_end=saved[0].next_turn, summarized_turns=()).save(state_of(machine))
    machine.hook(machine.placed(event("SessionEnd", reason="other"), None))
    first, second = machine.wait_for_traces(2)
    assert [trace["input_summary"] for trace in (first, second)] == ["turn-1", "turn-2"]
    assert [tags(trace)["part"] for trace in (first, second)] == ["1", "2"]


def test_a_session_resumed_after_its_checkpoint_was_removed_is_summarized_too(tmp_path: Path) -> None:
    """A reboot empties the temp directory. The new summary has a key of its own, though its part is the same."""
    machine = Machine(tmp_path)
    machine.set_up("--granularity", "session")
    for turn in ("turn-1", "turn-2"):
        for payload in (event("UserPromptSubmit", turn, prompt=turn), event("Stop", turn), event("SessionEnd")):
            machine.hook(machine.placed(payload, None))
        machine.wait_until_idle()
        state_of(machine).unlink()
    assert [trace["input_summary"] for trace in machine.traces()] == ["turn-1", "turn-2"]


def test_a_late_event_of_a_closed_turn_opens_no_turn(machine: Machine) -> None:
    """An async hook may write after Stop."""
    machine.hook(machine.placed(event("UserPromptSubmit", prompt="asked"), None))
    machine.hook(machine.placed(event("Stop"), None))
    machine.wait_until_idle()
    late = event("PostToolUse", tool_name="Bash", tool_use_id="c", tool_input={}, tool_response="x")
    machine.hook(machine.placed(late, None))
    machine.hook(machine.placed(event("SessionEnd", reason="other"), None))
    assert len(machine.traces()) == 1
    assert machine.spools == []


@pytest.mark.parametrize("granularity", ["turn", "both"])
def test_what_was_read_is_not_read_again(tmp_path: Path, granularity: str) -> None:
    """The cost of a turn is that of its own records: those of the turn before are not read again."""
    machine = Machine(tmp_path)
    machine.set_up("--granularity", granularity)
    transcript = machine.home / "transcript.jsonl"
    shutil.copy(TURN.transcript, transcript)
    for _, payload in TURN.hook_events():
        if payload["hook_event_name"] != "SessionEnd":
            machine.hook(machine.placed(payload, transcript))
    machine.wait_until_idle()
    first, *others = transcript.read_bytes().splitlines(keepends=True)
    garbage = b"".join(b"?" * (len(other) - 1) + b"\n" for other in others)
    transcript.write_bytes(first + garbage + line("event_msg", "0", type="task_complete", turn_id="next").encode())
    session = TURN.hook_events()[0][1]["session_id"]
    for name in ("UserPromptSubmit", "Stop"):
        machine.hook(machine.placed({**event(name, "next", prompt="x"), "session_id": session}, None))
    _, second = machine.wait_for_traces(2)
    assert "skipped" not in json.dumps(second)


def test_events_of_other_turns_are_not_kept_in_memory(tmp_path: Path) -> None:
    """The memory of a reading depends on the new turns, not on the length of the transcript."""
    transcript = tmp_path / "long.jsonl"
    shutil.copy(RESUME.transcript, transcript)
    spool = tmp_path / "s.spool"
    found = read_session(CODEX, spool, ReadPosition(), Checkpoint(transcript_path=str(transcript)))
    assert [event for event in found.events if isinstance(event, ToolFinished | TurnEnded)] == []
    assert found.transcript_end.offset == transcript.stat().st_size
