"""Play the same scenarios on many versions of the real Codex, and compare the traces with what the model server said.

Each session is recorded with the real Codex, then its hooks are played through the installed hook and worker, because
that is what a user's trace comes from. The table has a row a version and a column a scenario.
"""

import json
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from codex_install import CodexUnavailableError

E2E = Path(__file__).parent
sys.path.append(str(E2E.parent / "tests"))  # pytest has it from pyproject.toml

from infinium_codex.codex.app_server import AppServerError  # noqa: E402
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
    "guardian": Expected(tools=("shell",) * 2),
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
        good = good and all(cell in ("true", "true*", "-") for cell in cells)
        print(f"{version:9}" + "".join(f" {cell:>17}" for cell in cells), flush=True)
    return good


def _play(version: str, name: str) -> str:
    """Record a scenario and trace it; return what is wrong, or "true".

    It is "true*" if Codex did not write a response's usage, and "-" if this Codex cannot play the scenario.
    """
    with tempfile.TemporaryDirectory() as root:
        one = Recording(Path(root) / "recordings" / version / name)
        if not _recorded(version, name, one):
            return "-"
        machine = Machine(Path(root))
        machine.set_up()
        waiting = _trace(machine, one, len(EXPECTED[name].statuses))
        wrong = _problems(machine, one, EXPECTED[name]) + (["late"] if waiting else [])
        return ", ".join(wrong) or ("true" if len(_written(one)) == len(one.about["reported"]) else "true*")


def _recorded(version: str, name: str, one: Recording) -> bool:
    """Record a scenario, with a second attempt: the terminal UI may miss a key while the machine is busy."""
    for attempt in (1, 2):
        try:
            record(version, SCENARIOS[name], one.path)
        except (CodexUnavailableError, AppServerError, AssertionError, OSError) as error:
            text = str(error).partition("\n")[0]
            print(f"  {version}-{name}: not played (attempt {attempt}): {text}", file=sys.stderr, flush=True)
        else:
            return True
    return False


def _trace(machine: Machine, one: Recording, turns: int) -> bool:
    """Play the hooks of a recording; return whether a turn was traced only when its session was closed by force.

    Outside of this table such a turn waits for `CONNECTOR_SESSION_TTL`.
    """
    hooks = one.hook_events()
    ended = {payload["session_id"] for _, payload in hooks if payload["hook_event_name"] == "SessionEnd"}
    open_sessions = sorted({str(payload["session_id"]) for _, payload in hooks} - ended)
    transcripts = _Transcripts(machine, one)
    for (_, payload), following in zip(hooks, [*(at_ms for at_ms, _ in hooks[1:]), None], strict=True):
        transcripts.write_until(following)
        _play_hook(machine, transcripts, payload)
    with suppress(AssertionError):  # of a turn whose end no hook reports, the scheduler sees the end soon
        wait_for(lambda: len(_turn_traces(machine)) >= turns, "the turns")
    in_time = len(_turn_traces(machine))
    for name in open_sessions:
        _play_hook(machine, transcripts, {"session_id": name, "hook_event_name": "SessionEnd", "reason": "other"})
    return len(_turn_traces(machine)) > in_time


class _Transcripts:
    """The transcripts of a recording in Codex's directory, each as long as it was at a time."""

    def __init__(self, machine: Machine, one: Recording) -> None:
        self._day = machine.home / ".codex" / "sessions" / "2026" / "11" / "24"
        self._day.mkdir(parents=True)
        threads = {one.sessions[0], *(path.stem[-36:] for path in one.path.glob("thread-*.jsonl"))}
        paths = {thread: one.transcript_of(thread) for thread in threads}
        self._lines = {
            thread: path.read_text("utf-8").splitlines(keepends=True) for thread, path in paths.items() if path.exists()
        }

    def path(self, thread: str) -> Path:
        """The path of a thread's transcript."""
        return self._day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl"

    def write_until(self, at_ms: int | None) -> None:
        """Write the records up to a time, or all of them."""
        for thread, lines in self._lines.items():
            written = [line for line in lines if at_ms is None or _time_ms(line) <= at_ms]
            if written:
                self.path(thread).write_text("".join(written), "utf-8")


def _time_ms(line: str) -> int:
    return round(datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp() * 1_000)


def _play_hook(machine: Machine, transcripts: _Transcripts, payload: Mapping[str, Any]) -> None:
    thread = thread_id(str(payload.get("transcript_path"))) or str(payload["session_id"])
    placed = machine.placed(payload, transcripts.path(thread))
    if payload.get("agent_transcript_path"):
        agent = thread_id(str(payload["agent_transcript_path"]))
        placed["agent_transcript_path"] = str(transcripts.path(str(agent)))
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
    reported = sum(each["total_tokens"] for each in _written(one))
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


def _written(one: Recording) -> list[dict[str, int]]:
    """The reported usages that are in the transcripts: Codex writes none of a response during which it ends."""
    texts = [path.read_text("utf-8") for path in one.path.glob("t*.jsonl")]
    found = {int(number) for text in texts for number in re.findall(r'"input_tokens": (\d+)', text)}
    return [usage for usage in one.about["reported"] if usage["input_tokens"] in found]


def _tests(traces: list[dict[str, Any]]) -> tuple[int, int]:
    counts = [trace["sections"].get("development", {}) for trace in traces]
    return sum(one.get("tests_run", 0) for one in counts), sum(one.get("tests_passed", 0) for one in counts)
