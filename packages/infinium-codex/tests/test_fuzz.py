"""Unknown and damaged hook payloads and transcripts: nothing is raised, and the valid rest is read."""

import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from infinium_codex.codex.events import translate_hook
from infinium_codex.codex.transcript.reader import Transcript
from infinium_codex.session.checkpoint import Checkpoint
from infinium_trace import (
    Event,
    RecordSkipped,
    SummaryBuilder,
    ToolFinished,
    ToolStarted,
    build_turn_trace,
    fold,
)
from recorded import CONTEXT, OPTIONS, Recording, recording, recordings

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
NEWEST = [one for one in recordings() if one.version == "0.169.0" and one.transcript.exists()]
NAMES = [
    "type", "id", "turn_id", "call_id", "name", "namespace", "arguments", "output", "item", "changes", "duration",
    "secs", "nanos", "status", "usage", "thread_token_usage", "info", "total_token_usage", "input_tokens", "session_id",
    "agent_id", "command", "message", "content", "started_at_ms", "completed_at_ms", "exit_code", "result", "error",
    "action", "source", "git", "root_turn_id", "receiver_thread_ids",
]  # fmt: skip

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**300, 10**310)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["{", '{"agent_id": 1, "nickname": 2}', '{"status": {"a": {"completed": "x"}}, "timed_out": 0}'])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)


@cache
def lines_of(one: Recording) -> tuple[bytes, ...]:
    return tuple(one.transcript.read_bytes().splitlines(keepends=True))


@cache
def hook_payloads() -> tuple[dict[str, Any], ...]:
    return tuple(payload for one in NEWEST for _, payload in one.hook_events())


def can_be_sent(events: list[Event]) -> None:
    """Build every trace up to the bytes that are sent."""
    session = fold(events)
    for turn in session.turns:
        json.loads(build_turn_trace(session, turn, CONTEXT, OPTIONS).body)
    summary = SummaryBuilder(CONTEXT, OPTIONS)
    summary.add(session, session.turns)
    json.loads(summary.build().body)


def replaced(value: Any, path: random.Random, new: Any) -> Any:
    """Return the value with `new` at a random place."""
    if isinstance(value, dict) and value and path.random() < 0.9:
        key = path.choice(sorted(value))
        return {**value, key: replaced(value[key], path, new)}
    if isinstance(value, list) and value and path.random() < 0.9:
        index = path.randrange(len(value))
        return [*value[:index], replaced(value[index], path, new), *value[index + 1 :]]
    return new


@FUZZ
@given(st.data())
def test_hook_events_with_anything_in_them(data: st.DataObject) -> None:
    payload = data.draw(st.sampled_from(hook_payloads()))
    for _ in range(data.draw(st.integers(1, 3))):
        payload = replaced(payload, data.draw(st.randoms(use_true_random=False)), data.draw(values))
    if isinstance(payload, dict):
        can_be_sent(list(translate_hook(payload, data.draw(st.integers(0, 2**62)))))


@FUZZ
@given(st.dictionaries(st.sampled_from(["hook_event_name", "tool_input", "tool_response", *NAMES]), values))
def test_hook_events_of_no_known_shape(payload: dict[str, object]) -> None:
    can_be_sent(list(translate_hook(payload, 0)))


@FUZZ
@given(st.data())
def test_transcripts_with_anything_in_them(tmp_path: Path, data: st.DataObject) -> None:
    lines = list(lines_of(data.draw(st.sampled_from(NEWEST))))
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(lines) - 1))
        try:
            record = replaced(json.loads(lines[index]), data.draw(st.randoms(use_true_random=False)), data.draw(values))
        except ValueError:
            continue
        lines[index] = json.dumps(record).encode() + b"\n"
    can_be_sent(read(tmp_path, b"".join(lines)))


HOSTILE: list[Any] = [
    10**310, -(10**310), float("inf"), float("nan"), -1, True, None, "", [], {}, "9" * 5_000,
    f'{{"metadata": {{"exit_code": 1, "duration_seconds": {10**310}}}}}',
    f"Wall time: 1 seconds\nProcess exited with code {'9' * 5_000}\nOutput:\nx",
    "Wall time: 9.9.9 seconds\naborted by user",
    "Script completed\nWall time 1.1.1 seconds\nOutput:\nx",
]  # fmt: skip


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a record."""
    if isinstance(value, dict | list) and value:
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from paths(value[key], (*path, key))
    else:
        yield path


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return the value with `new` at this path."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize(("version", "name"), [("0.118.0", "turn"), ("0.140.0", "patches"), ("0.169.0", "mcp")])
def test_every_value_of_a_transcript_replaced_by_an_invalid_one(tmp_path: Path, version: str, name: str) -> None:
    """One at a time: by numbers that cannot be converted, texts that cannot be parsed, and wrong types."""
    for line in lines_of(recording(version, name)):
        record = json.loads(line)
        changed = [put(record, path, new) for path in paths(record) for new in HOSTILE]
        can_be_sent(read(tmp_path, b"".join(json.dumps(one).encode() + b"\n" for one in changed)))


@FUZZ
@given(st.data())
def test_invalid_lines_affect_only_themselves(tmp_path: Path, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(NEWEST))
    lines = list(lines_of(one))
    junk = st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"") + b"\n") | values.map(
        lambda value: json.dumps({"type": "unheard_of", "payload": value}).encode() + b"\n"
    )
    for _ in range(data.draw(st.integers(1, 6))):
        lines.insert(data.draw(st.integers(0, len(lines))), data.draw(junk))
    known = [event for event in read(tmp_path, b"".join(lines)) if not isinstance(event, RecordSkipped)]
    assert known == list(Transcript(one.transcript).read())


@FUZZ
@given(st.data())
def test_a_truncated_transcript_is_read_up_to_its_end(tmp_path: Path, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from(NEWEST))
    raw = b"".join(lines_of(one))
    whole = list(Transcript(one.transcript).read())
    found = read(tmp_path, raw[: data.draw(st.integers(0, len(raw)))])
    assert found == whole[: len(found)]
    can_be_sent(found)


@FUZZ
@given(values, st.sampled_from(["next_turn", "closed_turns", "summary_part", "cwd", "schema"]))
def test_a_checkpoint_of_any_shape_reads_as_one(tmp_path: Path, value: object, key: str) -> None:
    path = tmp_path / "a.state"
    for damaged in (
        value,
        {key: value},
        {"next_turn": {"transcript": value}},
        {"next_turn": {"transcript": {"offset": value}}},
    ):
        path.write_text(json.dumps(damaged))
        found = Checkpoint.load(path)
        assert found.next_turn.spool >= 0
        assert found.next_turn.transcript.offset >= 0
        found.save(path)
        assert Checkpoint.load(path) == found


def read(directory: Path, raw: bytes) -> list[Event]:
    path = directory / "t.jsonl"
    path.write_bytes(raw)
    return list(Transcript(path).read())


@pytest.mark.parametrize("name", ["turn", "subagent", "background", "permission", "compact", "code-mode"])
@settings(max_examples=15, deadline=None)
@given(shuffle=st.randoms(use_true_random=False))
def test_the_order_in_which_real_events_arrive_does_not_matter(name: str, shuffle: random.Random) -> None:
    """As long as no tool call ends before it starts."""
    one = recording("0.169.0", name)
    events = one.events()
    arrived = list(events)
    shuffle.shuffle(arrived)
    assert fold(list(tools_in_order(arrived))) == fold(events)


def tools_in_order(events: list[Event]) -> Iterator[Event]:
    held: dict[str, list[Event]] = {}
    for event in events:
        if isinstance(event, ToolStarted | ToolFinished):
            held.setdefault(event.call_id, []).append(event)
    for of_call in held.values():
        of_call.sort(key=lambda event: isinstance(event, ToolStarted))
    for event in events:
        yield held[event.call_id].pop() if isinstance(event, ToolStarted | ToolFinished) else event
