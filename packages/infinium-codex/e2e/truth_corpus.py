"""Compare what the reader says of real transcripts with an independent count: `nox -s truth -- --corpus DIR`.

The counter shares no code with the reader. It reads every line as JSON and follows the plainest rule for each number.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infinium_codex.codex.transcript.reader import Transcript
from infinium_trace import fold

_CALLS = ("function_call", "custom_tool_call", "local_shell_call", "tool_search_call")
_EXIT_CODE = re.compile(r"^(?:Exit code: |Process exited with code )(-?\d+)$", re.MULTILINE)


@dataclass(slots=True)
class Count:
    """What a transcript contains."""

    turns: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    failures: set[str] = field(default_factory=set)
    """Calls of commands that ended with another exit code than 0."""
    tokens: int = 0

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        """Turns, calls, failures and tokens."""
        return len(self.turns), len(self.calls), len(self.failures), self.tokens


def count_lines(path: Path) -> Count:
    """Count a transcript without the reader."""
    found, own_id, turn, total, copied = Count(), "", "", 0, False
    for record in _records(path):
        payload = record.get("payload") or {}
        kind = payload.get("type") if record["type"] in ("event_msg", "response_item") else record["type"]
        if kind == "session_meta":
            copied = bool(own_id) and payload.get("id") != own_id
            own_id = own_id or str(payload.get("id"))
        elif kind in ("task_started", "turn_context") and payload.get("turn_id"):
            turn = str(payload["turn_id"])
            copied = copied and turn <= own_id
            if not copied and kind == "turn_context":  # without it, the turn ended before it began
                found.turns.add(turn)
        elif kind in ("user_message", "compacted") and turn and not copied:
            found.turns.add(turn)
        elif kind == "token_count":
            usage = (payload.get("info") or {}).get("total_token_usage") or {}
            now = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
            found.tokens += max(now - total, 0) if not copied else 0
            total = max(now, total)
        elif not copied and turn:
            _count_call(found, turn, str(kind), payload)
    return found


def _count_call(found: Count, turn: str, kind: str, payload: dict[str, Any]) -> None:
    call = str(payload.get("call_id") or payload.get("id") or "")
    if kind in _CALLS:
        found.calls.add(call)
    elif kind == "web_search_call":
        found.calls.add(call or f"{turn}-search-{len(found.calls)}")
    elif kind == "patch_apply_end":
        found.calls.add(call)
    elif kind in ("function_call_output", "custom_tool_call_output") and (code := _exit_code(payload.get("output"))):
        found.failures.add(f"{call}: {code}")


def _exit_code(output: object) -> int:
    if isinstance(output, str) and output.startswith("{"):
        try:
            return int(json.loads(output).get("metadata", {}).get("exit_code") or 0)
        except (ValueError, AttributeError):
            return 0
    if not isinstance(output, str):
        return 0
    head, marker, _ = output[:2_000].partition("Output:\n")
    code = _EXIT_CODE.search(head) if marker else None
    return int(code[1]) if code else 0


def read_with_reader(path: Path) -> Count:
    """Count a transcript with the reader and the fold."""
    session = fold(Transcript(path).read())
    found = Count()
    for turn in session.turns:
        found.turns.add(turn.id)
        found.tokens += turn.usage.total
        calls = [step for step in turn.tool_calls if step.tool != "unknown"]
        found.calls |= {
            call.call_id if call.call_id[:11] != "web_search-" else f"{turn.id}-{call.call_id}" for call in calls
        }
        found.failures |= {f"{call.call_id}: {call.exit_code}" for call in calls if call.exit_code}
    return found


def compare(directory: Path) -> bool:
    """Print both counts of every session that differs, and the sums; return whether all are equal."""
    sums = {"independent": [0] * 4, "reader": [0] * 4}
    differing = compared = without_turns = 0
    for path in sorted(directory.rglob("rollout*.jsonl")):
        independent, reader = count_lines(path).numbers, read_with_reader(path).numbers
        if independent[0] == 0:
            without_turns += 1  # from before Codex had turn ids and hooks, or without a turn
            continue
        compared += 1
        for name, numbers in (("independent", independent), ("reader", reader)):
            sums[name] = [one + more for one, more in zip(sums[name], numbers, strict=True)]
        if independent != reader:
            differing += 1
            print(f"{path.name}: independent {independent}, reader {reader}")
    print(f"\n{'':12} {'turns':>8} {'calls':>8} {'failures':>8} {'tokens':>14}")
    for name, (turns, calls, failures, tokens) in sums.items():
        print(f"{name:12} {turns:8,} {calls:8,} {failures:8,} {tokens:14,}")
    print(f"{compared} sessions compared, {differing} differ; {without_turns} without turn ids left out")
    return differing == 0


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and isinstance(record.get("type"), str):
                yield record
