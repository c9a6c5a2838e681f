"""Play the same scenarios on many versions of the real Codex, and compare the traces with what the model server said.

Each session is recorded with the real Codex, then its hooks are played through the installed hook and worker, because
that is what a user's trace comes from. The table has a row a version and a column a scenario.
"""

import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_install import CodexUnavailableError

E2E = Path(__file__).parent
sys.path.append(str(E2E.parent / "tests"))  # pytest has it from pyproject.toml

from infinium_codex.codex.threads import thread_id  # noqa: E402
from machine import Machine  # noqa: E402
from record import record  # noqa: E402
from recorded import Recording  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402


@dataclass(frozen=True, slots=True)
class Expected:
    """What the traces of a scenario's turns must say, beside the tokens."""

    turns: int = 1
    tools: tuple[str, ...] = ()
    """The tools of the user's own turns, in order; a subagent's are not listed."""
    failed: int = 0
    subagents: int = 0


EXPECTED = {
    "turn": Expected(tools=("shell", "apply_patch"), failed=1),
    "resume": Expected(turns=2),
    "searches": Expected(tools=("web_search",) * 3),
    "subagent": Expected(tools=("spawn_agent", "wait_agent"), subagents=1),
    "subagent-left": Expected(tools=("spawn_agent",), subagents=1),
    "subagent-resumed": Expected(turns=2, tools=("spawn_agent", "wait_agent"), subagents=1),
    "review": Expected(tools=("shell",)),
}
"""Scenarios of the table."""


def print_table(versions: list[str], scenarios: list[str]) -> bool:
    """Print the table row by row; return whether every trace is true."""
    print(f"{'version':9}" + "".join(f" {name:>17}" for name in scenarios), flush=True)
    good = True
    for version in versions:
        cells = [_play(version, name) for name in scenarios]
        good = good and all(cell in ("true", "-") for cell in cells)
        print(f"{version:9}" + "".join(f" {cell:>17}" for cell in cells), flush=True)
    return good


def _play(version: str, name: str) -> str:
    """Record a scenario and trace it; return "true", what is wrong, or "-" if this Codex cannot play it."""
    with tempfile.TemporaryDirectory() as root:
        one = Recording(Path(root) / "recordings" / version / name)
        try:
            record(version, SCENARIOS[name], one.path)
        except (CodexUnavailableError, AssertionError, OSError) as error:
            print(f"  {version}-{name}: not played: {error}", file=sys.stderr, flush=True)
            return "-"
        machine = Machine(Path(root))
        machine.set_up()
        _trace(machine, one)
        return _check(machine, one, EXPECTED[name])


def _trace(machine: Machine, one: Recording) -> None:
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "24"
    day.mkdir(parents=True)
    for thread in (one.sessions[0], *(path.stem[-36:] for path in one.path.glob("thread-*.jsonl"))):
        if one.transcript_of(thread).exists():
            shutil.copy(one.transcript_of(thread), day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl")
    hooks = [payload for _, payload in one.hook_events()]
    ended = {payload["session_id"] for payload in hooks if payload["hook_event_name"] == "SessionEnd"}
    open_sessions = sorted({str(payload["session_id"]) for payload in hooks} - ended)  # they would time out
    hooks += [{"session_id": name, "hook_event_name": "SessionEnd", "reason": "other"} for name in open_sessions]
    for payload in hooks:
        thread = thread_id(str(payload.get("transcript_path"))) or str(payload["session_id"])
        placed = machine.placed(payload, day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl")
        if payload.get("agent_transcript_path"):
            agent = thread_id(str(payload["agent_transcript_path"]))
            placed["agent_transcript_path"] = str(day / f"rollout-2026-11-24T10-00-00-{agent}.jsonl")
        machine.hook(placed)
        if payload["hook_event_name"] in ("Stop", "SubagentStop"):
            machine.wait_until_idle()


def _check(machine: Machine, one: Recording, expected: Expected) -> str:
    traces = [trace for trace in machine.traces() if trace["environment"]["custom_tags"]["kind"] == "turn"]
    steps = [step for trace in traces for step in trace.get("steps", [])]
    calls = [step for step in steps if step["action"] == "tool_call" and "agent_id" not in step["metadata"]]
    tools = tuple(step["tool_call"]["tool_name"] for step in calls)
    tokens = sum(trace.get("llm_usage", {}).get("total_tokens", 0) for trace in traces)
    reported = sum(each["total_tokens"] for each in one.about["reported"])
    problems = {
        "turns": (len(traces), expected.turns),
        "status": ({trace["environment"]["custom_tags"]["status"] for trace in traces}, {"completed"}),
        "tools": (tools, expected.tools),
        "failed": (sum("error" in step for step in calls), expected.failed),
        "subagents": (sum(step["action"] == "subagent" for step in steps), expected.subagents),
        "tokens": (tokens, reported),
        "errors": (machine.errors(), []),
    }
    wrong: list[tuple[str, Any]] = [(what, found) for what, (found, right) in problems.items() if found != right]
    for what, found in wrong:
        print(f"  {one}: {what}: {json.dumps(found, default=list)}", file=sys.stderr, flush=True)
    return ", ".join(what for what, _ in wrong) or "true"
