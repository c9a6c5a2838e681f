"""Sessions of any length, made of one recorded turn: spool and transcript as hook and Codex would have written them."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "0.169.0" / "turn"
SESSION = "01a2088e-0000-7000-8000-000000000000"
_TOOL_TYPES = ("function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output")


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """Where a session's files are, and how far a worker has read them."""

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


def frame(payload: dict[str, Any]) -> bytes:
    """One spool record, as the hook writes it."""
    body = json.dumps(payload).encode()
    head = f"\x1eI2 {payload['hook_event_name']} {time.time_ns()} {len(body)} {len(body)} {crc32(body)}\n"
    return head.encode() + body + b"\n"


def _turn(number: int) -> str:
    return f"01a2088e-0000-7000-8000-{number:012d}"


def _hook_payloads(session: Session, number: int, tools: int, filler: int) -> Iterator[dict[str, Any]]:
    common = {
        "session_id": SESSION,
        "turn_id": _turn(number),
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


def _records(number: int, tools: int, filler: int) -> Iterator[dict[str, Any]]:
    """The recorded turn's own records; its shell call is repeated, with other ids and outputs."""
    recorded = [json.loads(line) for line in (RECORDING / "transcript.jsonl").read_text("utf-8").splitlines()]
    total = 1_000 * (number + 1)
    for record in recorded:
        payload = record["payload"]
        kind = payload.get("type")
        if record["type"] == "session_meta" and number:
            continue
        if kind in _TOOL_TYPES or (
            kind == "item_completed" and payload["item"]["type"] in ("CommandExecution", "FileChange")
        ):
            continue
        if kind == "task_complete":
            for call in range(tools):
                yield from _tool_records(record, number, call, filler)
        if "thread_token_usage" in payload:
            payload["thread_token_usage"] = {
                **payload["thread_token_usage"],
                "input_tokens": total,
                "output_tokens": total,
            }
        if "turn_id" in payload:
            payload["turn_id"] = _turn(number)
        yield record


def _tool_records(like: dict[str, Any], number: int, call: int, filler: int) -> Iterator[dict[str, Any]]:
    call_id = f"call_{number}_{call}"
    arguments = json.dumps({"cmd": "make test"})
    started = {"type": "function_call", "name": "exec_command", "arguments": arguments, "call_id": call_id}
    head = "Chunk ID: 0\nWall time: 0.2000 seconds\nProcess exited with code 0\nOutput:\n"
    ended = {"type": "function_call_output", "call_id": call_id, "output": head + "x" * filler}
    for payload in (started, ended):
        yield {**like, "type": "response_item", "payload": payload}
