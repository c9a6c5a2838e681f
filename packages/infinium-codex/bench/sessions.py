"""Sessions of any length made of one recorded turn, with spool and transcript as the hook and Codex write them."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from infinium_codex.capture.frame import encode

RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "0.169.0" / "turn"
SESSION = "01a2088e-0000-7000-8000-000000000000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """The files of a session."""

    spool: Path
    transcript: Path
    project: Path

    def append_turn(self, number: int, *, tools: int, filler: int = 0) -> None:
        """Add a turn with this many shell calls, whose outputs have `filler` bytes."""
        with self.spool.open("ab") as spool:
            for payload in _hook_payloads(self, number, tools, filler):
                spool.write(frame(payload))
        with self.transcript.open("a", encoding="utf-8") as transcript:
            for record in _records(number, tools, filler):
                transcript.write(json.dumps(record) + "\n")

    def end(self) -> None:
        """Append the session's end to the spool."""
        ended = {"session_id": SESSION, "transcript_path": str(self.transcript), "cwd": str(self.project)}
        with self.spool.open("ab") as spool:
            spool.write(frame({**ended, "hook_event_name": "SessionEnd", "reason": "other"}))


def frame(payload: dict[str, Any]) -> bytes:
    """A spool record as the hook writes it."""
    body = json.dumps(payload).encode()
    return encode(payload["hook_event_name"], time.time_ns(), len(body), body)


def turn_id(number: int) -> str:
    """The id of a turn by its number."""
    return f"01a2088e-0000-7000-8000-{number:012d}"


def _hook_payloads(session: Session, number: int, tools: int, filler: int) -> Iterator[dict[str, Any]]:
    common = {
        "session_id": SESSION,
        "turn_id": turn_id(number),
        "transcript_path": str(session.transcript),
        "cwd": str(session.project),
        "model": "gpt-5.5",
        "permission_mode": "default",
    }
    yield {**common, "hook_event_name": "UserPromptSubmit", "prompt": f"question {number}"}
    for call in range(tools):
        tool = {"tool_name": "Bash", "tool_use_id": f"call_{number}_{call}", "tool_input": {"command": "make test"}}
        yield {**common, "hook_event_name": "PreToolUse", **tool}
        yield {**common, "hook_event_name": "PostToolUse", **tool, "tool_response": "x" * filler}
    yield {**common, "hook_event_name": "Stop", "stop_hook_active": False, "last_assistant_message": "done"}


@cache
def _recorded() -> tuple[str, ...]:
    return tuple((RECORDING / "transcript.jsonl").read_text("utf-8").splitlines())


def _records(number: int, tools: int, filler: int) -> Iterator[dict[str, Any]]:
    """The records of the recorded turn; those of its shell call are repeated for every call."""
    calls: list[dict[str, Any]] = []
    for record in map(json.loads, _recorded()):
        if record["type"] == "session_meta" and number:
            continue
        kind, item = record["payload"].get("type"), record["payload"].get("item", {})
        if record["payload"].get("call_id") == PATCH or item.get("id") == PATCH:
            continue  # a patch: the turn here is one of shell calls
        if record["payload"].get("call_id") == SHELL or item.get("id") == SHELL or _counts(record):
            calls.append(record)
            continue
        if kind == "task_complete":
            for call in range(tools):
                for each in calls:
                    yield _renumbered(each, number, call, filler)
        yield _renumbered(record, number, 0, filler)


SHELL, PATCH = "call_0_0", "call_1_0"
"""The ids of the two calls in the recorded turn."""


def _counts(record: dict[str, Any]) -> bool:
    """Whether a record has the tokens of the first response."""
    if record["type"] == "token_usage_record":
        return bool(record["payload"]["response_id"] == "resp_0")
    info = record["payload"].get("info")
    return bool(info) and info["total_token_usage"]["input_tokens"] == 1_000


def _renumbered(record: dict[str, Any], number: int, call: int, filler: int) -> dict[str, Any]:
    payload = dict(record["payload"])
    if "turn_id" in payload:
        payload["turn_id"] = turn_id(number)
    if payload.get("call_id") == SHELL:
        payload["call_id"] = f"call_{number}_{call}"
    if "output" in payload:
        payload["output"] += "x" * filler
    if payload.get("item", {}).get("id") == SHELL:
        more = {"id": f"call_{number}_{call}", "aggregated_output": "x" * filler}
        payload["item"] = {**payload["item"], **more}
    total = {"input_tokens": 1_000 * (100 * number + call), "output_tokens": 100 * number + call}
    if "thread_token_usage" in payload:
        payload["response_id"] = f"resp_{number}_{call}"
        payload["thread_token_usage"] = {**payload["thread_token_usage"], **total}
    elif payload.get("type") == "token_count":
        info = payload["info"]
        payload["info"] = {**info, "total_token_usage": {**info["total_token_usage"], **total}}
    return {**record, "payload": payload}
