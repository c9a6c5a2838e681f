"""Puts recorded sessions where Codex keeps its transcripts."""

import json
from pathlib import Path

from machine import Machine


def keep(machine: Machine, recording: Path, *, at: str = "2026/11/23") -> str:
    """Put the transcripts of a recorded session where Codex keeps them, as of this project; return its id."""
    directory = machine.codex_home / "sessions" / at
    directory.mkdir(parents=True, exist_ok=True)
    ids = []
    for source in [recording / "transcript.jsonl", *sorted(recording.glob("thread-*.jsonl"))]:
        text = source.read_text("utf-8").replace("/home/dev/project", str(machine.project))
        ids.append(json.loads(text.split("\n", 1)[0])["payload"]["id"])
        (directory / f"rollout-2026-11-23T14-00-00-{ids[-1]}.jsonl").write_text(text, "utf-8")
    return str(ids[0])
