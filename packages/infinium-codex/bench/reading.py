"""How fast a transcript is read, over reading its lines and parsing each with the fastest JSON library there is."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
from infinium_codex.transcript import Transcript
from processes import Sample
from sessions import Session
from table import Row

ROUNDS = 7
MIB = 64


def transcript_speed() -> Iterator[Row]:
    """MiB a second of both, in turn."""
    ours, lines = [], []
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
            with session.transcript.open("rb") as file:
                for line in file:
                    orjson.loads(line)
            lines.append(size / (time.perf_counter() - start))
    yield Row.ratio(
        "transcript reading, MiB/s / lines parsed with orjson",
        Sample(values=tuple(ours)),
        Sample(values=tuple(lines)),
        0.8,
        least=True,
        unit="MiB/s",
    )
