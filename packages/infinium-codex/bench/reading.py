"""The speed of the transcript reader, over reading the lines and parsing each with the same JSON library."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from infinium_codex.codex.transcript.reader import Transcript
from processes import Sample
from sessions import Session, turn_id
from table import Row

ROUNDS = 7
MIB = 64


def transcript_speed() -> Iterator[Row]:
    """MiB per second of a whole transcript, of one turn of it, and of its lines alone, in turn."""
    decode = msgspec.json.Decoder().decode
    ours, one_turn, lines = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        session = Session(spool=root / "spool", transcript=root / "t.jsonl", project=root)
        number = 0
        while not session.transcript.exists() or session.transcript.stat().st_size < MIB << 20:
            session.append_turn(number, tools=10, filler=4_000)
            number += 1
        size = session.transcript.stat().st_size / (1 << 20)
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _event in Transcript(session.transcript).read():
                pass
            ours.append(size / (time.perf_counter() - start))
            start = time.perf_counter()
            for _event in Transcript(session.transcript, wanted=frozenset({turn_id(number - 2)})).read():
                pass
            one_turn.append(size / (time.perf_counter() - start))
            start = time.perf_counter()
            with session.transcript.open("rb") as file:
                for line in file:
                    decode(line)
            lines.append(size / (time.perf_counter() - start))
    for what, found, goal in (("one turn wanted, as after a turn", one_turn, 0.8), ("every turn wanted", ours, 0.5)):
        yield Row.ratio(
            f"transcript reading ({what}), MiB/s / lines parsed with msgspec",
            Sample(values=tuple(found)),
            Sample(values=tuple(lines)),
            goal,
            least=True,
            unit="MiB/s",
        )
