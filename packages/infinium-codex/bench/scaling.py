"""The cost of a turn as its session grows: the public connector's worker, and a plot of it and ours."""

import json
from collections.abc import Mapping
from pathlib import Path

from api import receive
from connectors import WORKSPACE
from machine import Machine
from processes import Sample, usage
from sessions import SESSION

PLOT = WORKSPACE / "docs" / "turn-cost.png"
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def draw(ours: Mapping[int, float], theirs: Mapping[int, float]) -> None:
    """Draw CPU seconds of one turn against the number of turns before it."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(list(ours), list(ours.values()), "o-", label="infinium-codex 2.0")
    if theirs:
        axes.plot(list(theirs), list(theirs.values()), "s--", label="public connector 1.1.0")
    axes.set(xlabel="turns in the session", ylabel="worker CPU for one turn (s)", xscale="log", ylim=(0, None))
    axes.legend()
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, dpi=120)
    print(f"Drawn: {PLOT.relative_to(WORKSPACE)}\n")


def public_costs(public: Machine, lengths: list[int]) -> dict[int, float]:
    """CPU seconds of the public connector's worker on its own session file; empty where it does not run."""
    directory = Path(public.environ["TMPDIR"]) / "infinium-codex-sessions"
    directory.mkdir(exist_ok=True)
    command = [str(public.program[0]), "-m", "infinium_codex_connector.flush_worker", "--session-id", SESSION]
    command += ["--event-name", "Stop", "--cwd", str(public.project)]
    found: dict[int, float] = {}
    with receive() as receiver:
        environ = {
            **public.environ,
            "INFINIUM_AGENT_ID": AGENT,
            "INFINIUM_AGENT_SECRET": "bench-secret",
            "INFINIUM_BASE_URL": receiver.base_url,
        }
        for length in lengths:
            values = []
            for _ in range(3):
                (directory / f"{SESSION}.jsonl").write_text("".join(map(_turn_lines, range(length))), "utf-8")
                try:
                    values.append(usage(command, cwd=public.project, environ=environ).cpu)
                except RuntimeError:
                    return found
            found[length] = Sample(values=tuple(values)).median
    return found


def _turn_lines(number: int) -> str:
    """One turn of four tool calls, 12 KiB of output each, as the public connector's hook stores it."""
    common = {"session_id": SESSION, "turn_id": f"t{number}", "timestamp": "2026-01-01T00:00:00Z", "cwd": "/"}
    events: list[dict[str, object]] = [{"hook_event_name": "UserPromptSubmit", "prompt": f"question {number}"}]
    for call in range(4):
        tool = {"tool_name": "Bash", "tool_use_id": f"{number}-{call}", "tool_input": {"command": "make test"}}
        events.append({"hook_event_name": "PreToolUse", **tool})
        events.append({"hook_event_name": "PostToolUse", **tool, "tool_response": "x" * 12_000})
    events.append({"hook_event_name": "Stop", "last_assistant_message": "done"})
    return "".join(json.dumps({**common, **event}) + "\n" for event in events)
