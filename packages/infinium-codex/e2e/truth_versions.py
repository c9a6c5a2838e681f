"""Play the same scenarios on many versions of the real Codex, and compare the traces with what the model server said.

Each session is recorded with the real Codex, then its hooks are played through the installed hook and worker, because
that is what a user's trace comes from. The table has a row a version and a column a scenario.
"""

import json
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codex_install import CodexUnavailableError

E2E = Path(__file__).parent
sys.path.append(str(E2E.parent / "tests"))  # pytest has it from pyproject.toml

from infinium_codex.codex.threads import thread_id  # noqa: E402
from machine import Machine, wait_for  # noqa: E402
from record import record  # noqa: E402
from recorded import Recording  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402


@dataclass(frozen=True, slots=True)
class Expected:
    """What the traces of a scenario's turns must say, beside the tokens."""

    statuses: tuple[str, ...] = ("completed",)
    """The status of each turn, in order."""
    tools: tuple[str, ...] = ()
    """The tools of the user's own turns, in order; a subagent's are not listed."""
    failed: int = 0
    subagents: int = 0
    tests: tuple[int, int] = (0, 0)
    """Tests that ran, and tests that passed."""


EXPECTED = {
    "turn": Expected(tools=("shell", "apply_patch"), failed=1),
    "tests-commit": Expected(tools=("shell", "shell"), failed=1, tests=(2, 1)),
    "plan": Expected(tools=("update_plan",)),
    "resume": Expected(statuses=("completed",) * 2),
    "interrupted": Expected(statuses=("interrupted", "completed"), tools=("shell",)),
    "searches": Expected(tools=("web_search",) * 3),
    "subagent": Expected(tools=("spawn_agent", "wait_agent"), subagents=1),
    "subagent-left": Expected(tools=("spawn_agent",), subagents=1),
    "subagent-resumed": Expected(statuses=("completed",) * 2, tools=("spawn_agent", "wait_agent"), subagents=1),
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
        waiting = _trace(machine, one, len(EXPECTED[name].statuses))
        return ", ".join(_problems(machine, one, EXPECTED[name]) + (["late"] if waiting else [])) or "true"


def _trace(machine: Machine, one: Recording, turns: int) -> bool:
    """Play the hooks of a recording; return whether a turn was traced only when its session was closed by force.

    Outside of this table such a turn waits for `CONNECTOR_SESSION_TTL`.
    """
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "24"
    day.mkdir(parents=True)
    for thread in (one.sessions[0], *(path.stem[-36:] for path in one.path.glob("thread-*.jsonl"))):
        if one.transcript_of(thread).exists():
            shutil.copy(one.transcript_of(thread), day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl")
    hooks = [payload for _, payload in one.hook_events()]
    ended = {payload["session_id"] for payload in hooks if payload["hook_event_name"] == "SessionEnd"}
    open_sessions = sorted({str(payload["session_id"]) for payload in hooks} - ended)  # they would time out
    forced = [{"session_id": name, "hook_event_name": "SessionEnd", "reason": "other"} for name in open_sessions]
    _play_hooks(machine, day, hooks)
    with suppress(AssertionError):  # of a turn whose end no hook reports, the scheduler sees the end soon
        wait_for(lambda: len(_turn_traces(machine)) >= turns, "the turns")
    in_time = len(_turn_traces(machine))
    _play_hooks(machine, day, forced)
    return len(_turn_traces(machine)) > in_time


def _play_hooks(machine: Machine, day: Path, hooks: list[dict[str, Any]]) -> None:
    for payload in hooks:
        thread = thread_id(str(payload.get("transcript_path"))) or str(payload["session_id"])
        placed = machine.placed(payload, day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl")
        if payload.get("agent_transcript_path"):
            agent = thread_id(str(payload["agent_transcript_path"]))
            placed["agent_transcript_path"] = str(day / f"rollout-2026-11-24T10-00-00-{agent}.jsonl")
        machine.hook(placed)
        if payload["hook_event_name"] in ("Stop", "SubagentStop"):
            machine.wait_until_idle()


def _turn_traces(machine: Machine) -> list[dict[str, Any]]:
    traces = [trace for trace in machine.traces() if trace["environment"]["custom_tags"]["kind"] == "turn"]
    return sorted(traces, key=lambda trace: str(trace["current_datetime"]))


def _problems(machine: Machine, one: Recording, expected: Expected) -> list[str]:
    traces = _turn_traces(machine)
    steps = [step for trace in traces for step in trace.get("steps", [])]
    calls = [step for step in steps if step["action"] == "tool_call" and "agent_id" not in step["metadata"]]
    tools = tuple(step["tool_call"]["tool_name"] for step in calls)
    tokens = sum(trace.get("llm_usage", {}).get("total_tokens", 0) for trace in traces)
    reported = sum(each["total_tokens"] for each in one.about["reported"])
    problems = {
        "turns": (len(traces), len(expected.statuses)),
        "status": (tuple(trace["environment"]["custom_tags"]["status"] for trace in traces), expected.statuses),
        "tools": (tools, expected.tools),
        "failed": (sum("error" in step for step in calls), expected.failed),
        "subagents": (sum(step["action"] == "subagent" for step in steps), expected.subagents),
        "tests": (_tests(traces), expected.tests),
        "tokens": (tokens, reported),
        "errors": (machine.errors(), []),
    }
    wrong: list[tuple[str, Any]] = [(what, found) for what, (found, right) in problems.items() if found != right]
    for what, found in wrong:
        print(f"  {one}: {what}: {json.dumps(found, default=list)}", file=sys.stderr, flush=True)
    return [what for what, _ in wrong]


def _tests(traces: list[dict[str, Any]]) -> tuple[int, int]:
    counts = [trace["sections"].get("development", {}) for trace in traces]
    return sum(one.get("tests_run", 0) for one in counts), sum(one.get("tests_passed", 0) for one in counts)
