"""Reading a transcript: forward, from any position, with any content."""

import os
from pathlib import Path

import msgspec
import pytest
from infinium_codex.codex.transcript import skip_turns
from infinium_codex.codex.transcript.reader import Position, Transcript
from infinium_trace import Event, ModelResponded, RecordSkipped, SessionStarted, ToolStarted, TurnEnded, TurnStarted
from recorded import Recording, recordings

NEWEST = recordings("turn")[-1]


def read_in_pieces(source: Path, target: Path, sizes: list[int]) -> list[Event]:
    """Read a transcript while it grows, each time with a fresh reader from the saved position."""
    data, position = source.read_bytes(), Position()
    found: list[Event] = []
    end = 0
    for size in [*sizes, len(data)]:
        end = min(end + size, len(data))
        target.write_bytes(data[:end])
        saved = msgspec.json.encode(position)
        transcript = Transcript(target, msgspec.json.decode(saved, type=Position))
        found += transcript.read()
        position = transcript.position
    return found


IN_PIECES = [
    *recordings("resume"),
    *(one for one in recordings() if one.version == "0.169.0" and one.transcript.exists()),
    *recordings("background"),
    *recordings("patches"),
]


@pytest.mark.parametrize("recording", IN_PIECES, ids=str)
@pytest.mark.parametrize("size", [997, 4_096])
def test_reading_in_pieces_yields_the_same_events(recording: Recording, tmp_path: Path, size: int) -> None:
    """The file may grow between readings by any number of bytes, also by a part of a line."""
    whole = list(Transcript(recording.transcript).read())
    count = recording.transcript.stat().st_size // size
    pieces = read_in_pieces(recording.transcript, tmp_path / "t.jsonl", [size] * count)
    assert pieces == whole


@pytest.mark.parametrize("block", [5_000, 1 << 20])
@pytest.mark.parametrize("recording", [one for one in recordings() if one.transcript.exists()], ids=str)
def test_skipping_other_turns_does_not_change_the_events_of_the_wanted_turn(
    recording: Recording, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tokens, times and calls do not depend on the turns before and after it."""
    monkeypatch.setattr(skip_turns, "_BLOCK_BYTES", block)
    whole = list(Transcript(recording.transcript).read())
    for turn in {event.turn_id for event in whole if isinstance(event, TurnStarted)}:
        wanted = list(Transcript(recording.transcript, wanted=frozenset({str(turn)})).read())
        assert [event for event in wanted if event.turn_id == turn] == [e for e in whole if e.turn_id == turn]


def test_turns_that_are_not_wanted_have_no_events() -> None:
    one = recordings("resume")[-1]
    last = [event.turn_id for event in Transcript(one.transcript).read() if isinstance(event, TurnStarted)][-1]
    found = list(Transcript(one.transcript, wanted=frozenset({str(last)})).read())
    turns = {event.turn_id for event in found if isinstance(event, ToolStarted | ModelResponded | TurnEnded)}
    assert turns == {last}


def test_an_incomplete_last_line_is_left_for_the_next_reading(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    lines = NEWEST.transcript.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:-1])
    transcript = Transcript(path)
    assert [type(event) for event in transcript.read()] == [SessionStarted]
    assert transcript.position.offset == len(lines[0])


def test_unknown_and_invalid_lines_affect_only_themselves(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    good = NEWEST.transcript.read_bytes().splitlines(keepends=True)
    bad = [
        b"not json\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b'{"type": "event_msg", "payload": 5}\n',
        b'{"type": 7}\n',
        b"\n",
        b'{"type": "response_item", "payload": {"type": "tomorrows_record"}}\n',
        b'{"timestamp": 12, "type": "event_msg", "payload": {"type": "token_count", "info": 1}}\n',
        b"[" * 100_000 + b"\n",
    ]
    path.write_bytes(b"".join(line + bad[i % len(bad)] for i, line in enumerate(good)))
    found = list(Transcript(path).read())
    known = [event for event in found if not isinstance(event, RecordSkipped)]
    assert known == [event for event in Transcript(NEWEST.transcript).read() if not isinstance(event, RecordSkipped)]
    assert "transcript:tomorrows_record" in {event.what for event in found if isinstance(event, RecordSkipped)}


def test_a_transcript_that_was_replaced_by_a_shorter_one_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(NEWEST.transcript.read_bytes())
    transcript = Transcript(path)
    whole = list(transcript.read())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    assert 0 < len(list(transcript.read())) < len(whole)


def test_a_line_that_is_too_long_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infinium_codex.codex.transcript.reader.MAX_LINE_BYTES", 5_000)
    path = tmp_path / "t.jsonl"
    lines = NEWEST.transcript.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"x" * 50_000 + b"\n" + b"".join(lines[1:]))
    kinds = [type(event) for event in Transcript(path).read()]
    assert kinds.count(RecordSkipped) == 1
    assert len(kinds) == len(list(Transcript(NEWEST.transcript).read())) + 1


@pytest.mark.parametrize("kind", ["fifo", "directory", "missing", "device"])
def test_only_a_regular_file_is_a_transcript(tmp_path: Path, kind: str) -> None:
    """The path comes from a hook payload: whatever it names must not block the worker."""
    path = tmp_path / "t.jsonl"
    if kind == "fifo" and os.name == "nt":
        pytest.skip("Windows has no FIFOs")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    assert list(Transcript(path).read()) == []
