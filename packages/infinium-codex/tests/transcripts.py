"""Write transcripts by hand: records of which no recording exists."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infinium_codex.codex.transcript.reader import Transcript
from infinium_trace import Session, build_turn_trace, fold
from recorded import CONTEXT, OPTIONS

START_MS = 1_780_000_000_000
SESSION_ID = "019e6000-0000-7000-8000-000000000000"
VERSION = "0.140.0"

Record = dict[str, Any]


def meta(version: str = VERSION, **more: object) -> Record:
    """The first record of a transcript."""
    payload = {"id": SESSION_ID, "cwd": "/repo", "cli_version": version, "originator": "codex-tui", **more}
    return {"type": "session_meta", "payload": payload}


def event(kind: str, /, **payload: object) -> Record:
    """An `event_msg` record."""
    return {"type": "event_msg", "payload": {"type": kind, **payload}}


def response(kind: str, /, **payload: object) -> Record:
    """A `response_item` record."""
    return {"type": "response_item", "payload": {"type": kind, **payload}}


def item(kind: str, /, **fields: object) -> Record:
    """An `item_completed` record."""
    return event("item_completed", item={"type": kind, **fields})


def turn(number: int, prompt: str, *records: Record, answer: str | None = "Done.") -> list[Record]:
    """The records of one turn."""
    return [
        event("task_started", turn_id=turn_id(number)),
        event("user_message", message=prompt),
        *records,
        event("task_complete", turn_id=turn_id(number), last_agent_message=answer),
    ]


def turn_id(number: int) -> str:
    """The id of a turn, younger than the session."""
    return f"019e6001-0000-7000-8000-{number:012}"


def write(path: Path, records: list[Record]) -> Path:
    """Write a transcript with a second between its records."""
    lines = []
    for number, record in enumerate(records):
        moment = datetime.fromtimestamp(START_MS / 1000 + number, UTC).isoformat(timespec="milliseconds")
        lines.append(json.dumps({"timestamp": moment.replace("+00:00", "Z"), **record}))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def session_of(tmp_path: Path, *records: Record) -> Session:
    """The session of a transcript with these records behind its first."""
    first = [] if records and records[0]["type"] == "session_meta" else [meta()]
    return fold(Transcript(write(tmp_path / "rollout.jsonl", [*first, *records])).read())


def traces_of(session: Session) -> list[dict[str, Any]]:
    """The payload of every turn."""
    return [json.loads(build_turn_trace(session, turn, CONTEXT, OPTIONS).body) for turn in session.turns]
