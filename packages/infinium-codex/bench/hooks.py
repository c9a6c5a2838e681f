"""The hook as Codex runs it: its time and instructions, alone, beside others, and for parallel calls of the real Codex.

The hooks are started by this process, as Codex starts all hooks of a session: the shell records tool events only for
the process whose prompt was recorded.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from codex_install import NEWEST, CodexUnavailableError, install_codex
from connectors import WORKSPACE
from infinium_codex.capture.inbox import collect_events
from infinium_codex.capture.records import Record, read_records
from infinium_codex.demo.scripted_model import Reply, Say, ScriptedModel, Shell, Usage, codex_config
from machine import Machine
from processes import Sample, wall
from sessions import SESSION
from table import Row

PLOT = WORKSPACE / "docs" / "hook-concurrency.png"
ROUNDS = 60
AT_ONCE = (1, 2, 4, 8, 16, 32)
"""Codex runs at most 32 async hooks of a session at once."""
CALLS = 80
TRUE = shutil.which("true") or "/bin/true"


def hook(ours: Machine, public: Machine | None) -> Iterator[Row]:
    """The registered commands through `sh -c`, over `/bin/true` and over the bare interpreter."""
    # The worker is measured on its own: these hooks start a program that ends at once.
    with ours.idle_hooks():
        payload = _begin_turn(ours)
        python = os.path.realpath(ours.data / "python")
        cases = {
            "true": TRUE,
            "bare": f"{python} -I -S -c pass",
            "tool": ours.commands["PostToolUse"],
            "stop": ours.commands["Stop"],
        }
        found = measure(cases, ours, payload)
        yield Row.ratio("hook, tool event / `/bin/true`, both through `sh -c`", found["tool"], found["true"], 1.8)
        theirs = _public_ratio(public, python, payload) if public is not None else None
        yield Row.ratio("hook, tool event / bare interpreter", found["tool"], found["bare"], 1.15, theirs)
        yield Row.ratio("hook, Stop / bare interpreter", found["stop"], found["bare"], 0.9)
        yield from _instructions(cases, ours, payload)
        _draw(_at_once(ours, payload))
    shutil.rmtree(ours.spool(SESSION).parent)
    yield from _parallel_calls(ours)


def _begin_turn(machine: Machine) -> Path:
    """Run the hook of a prompt; returns a file with the payload of a tool event."""
    common = {"session_id": SESSION, "turn_id": "t", "hook_event_name": "UserPromptSubmit", "prompt": "x"}
    machine.hook(machine.placed(common, None))
    payload = machine.home / "event.json"
    payload.write_text(json.dumps({**common, "tool_response": "x" * 1_500}), "utf-8")
    return payload


def measure(cases: Mapping[str, str], machine: Machine, payload: Path, rounds: int = ROUNDS) -> dict[str, Sample]:
    """Measure the seconds of each command, all of them in each round."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 2):
        for name, command in cases.items():
            started = time.perf_counter()
            with _start(command, machine, payload) as process:
                process.wait()
            if number >= 2:  # the first ones warm up
                found[name].append(time.perf_counter() - started)
    return {name: Sample(values=tuple(values)) for name, values in found.items()}


def _start(command: str, machine: Machine, payload: Path) -> "subprocess.Popen[bytes]":
    with payload.open("rb") as stdin:
        return subprocess.Popen(["sh", "-c", command], stdin=stdin, cwd=machine.project, env=machine.environ)


def _public_ratio(public: Machine, python: str, payload: Path) -> float:
    cases = {
        "bare": f"exec <{payload}; {python} -I -S -c pass",
        "public": f"exec <{payload}; {public.program[0]} -m infinium_codex_connector.hook",
    }
    found = wall(cases, cwd=public.project, environ=public.environ)
    return found["public"].median / found["bare"].median


def _instructions(cases: Mapping[str, str], machine: Machine, payload: Path) -> Iterator[Row]:
    """Instructions of a command and its children: they do not depend on what else the machine does."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("Instructions were not counted: valgrind is not installed.")
        return
    counted = {name: _count(valgrind, command, machine, payload) for name, command in cases.items()}
    numbers = ", ".join(f"{name} {value:.1f}" for name, value in counted.items())
    print(f"Million instructions outside of the kernel: {numbers}\n")
    value = counted["stop"] / counted["bare"]
    yield Row(
        what="hook, Stop / bare interpreter, instructions outside of the kernel",
        measured=f"{value:.2f}",
        goal="≤ 0.9",
        met=value <= 0.9,
    )


def _count(valgrind: str, command: str, machine: Machine, payload: Path) -> float:
    """Millions of instructions of a command and its children."""
    with tempfile.TemporaryDirectory() as directory, payload.open("rb") as stdin:
        options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", "--trace-children=yes"]
        counting = [valgrind, *options, f"--log-file={directory}/%p", "sh", "-c", command]
        subprocess.run(counting, stdin=stdin, cwd=machine.project, env=machine.environ, check=True)
        logs = [path.read_text("utf-8", "replace") for path in Path(directory).iterdir()]
    found = [re.findall(r"I +refs: +([\d,]+)", log) for log in logs]
    return sum(int(counts[-1].replace(",", "")) for counts in found if counts) / 1e6


def _at_once(machine: Machine, payload: Path) -> dict[str, list[float]]:
    """The seconds from the start of the first to the end of the last of several hooks, by the number of hooks."""
    tool = machine.commands["PostToolUse"]
    cases = {
        "/bin/true": TRUE,
        "recorded by the shell": tool,
        "recorded by the program": tool.replace("command . ", "false && . "),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for count in AT_ONCE:
        rounds: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(15):
            for name, command in cases.items():
                started = time.perf_counter()
                running = [_start(command, machine, payload) for _ in range(count)]
                for process in running:
                    process.wait()
                rounds[name].append(time.perf_counter() - started)
        for name, values in rounds.items():
            found[name].append(Sample(values=tuple(values)).median)
    return found


def _draw(found: Mapping[str, list[float]]) -> None:
    """Draw the time of all hooks against their number."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for (name, seconds), style in zip(found.items(), ("^:", "o-", "s--"), strict=True):
        axes.plot(AT_ONCE, [1000 * value for value in seconds], style, label=name)
    axes.set(xlabel="hooks started at once", ylabel="until the last one has ended (ms)", ylim=(0, None))
    axes.set_xscale("log", base=2)
    axes.set_xticks(AT_ONCE, list(map(str, AT_ONCE)))
    axes.legend()
    figure.savefig(PLOT, dpi=120)
    print(f"Drawn: {PLOT.relative_to(WORKSPACE)}\n")


def _parallel_calls(ours: Machine) -> Iterator[Row]:
    """How many hooks of parallel tool calls arrive while both cores are busy. Codex drops hooks above its limit."""
    try:
        codex = install_codex(NEWEST)
    except CodexUnavailableError as error:
        print(f"Parallel calls were not measured: {error}.")
        return
    usage = Usage(input_tokens=100, output_tokens=5)
    script = [Reply([Shell("true")] * CALLS, usage), Reply([Say("done")], usage)]
    project = ours.home / "parallel"
    (project / ".git").mkdir(parents=True)
    usual, ours.project = ours.project, project
    environ, ours.environ = ours.environ, {**ours.environ, "PATH": f"{codex}:{ours.environ['PATH']}"}
    venv = ours.data / "venv"
    environment = venv.readlink()
    try:
        with ScriptedModel(script) as model:
            ours.codex_home.mkdir(exist_ok=True)
            (ours.codex_home / "config.toml").write_text(codex_config(model.base_url, str(project), NEWEST), "utf-8")
            ours.set_up("--trust")
            _replace_link(venv, ours.home / "no-worker")  # the events stay in the inbox, where they are counted
            busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
            try:
                ours.execute(["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "go"])
            finally:
                for process in busy:
                    process.kill()
                    process.wait()
    finally:
        _replace_link(venv, environment)
        ours.project, ours.environ = usual, environ
    arrived = _tool_events(ours)
    what = f"hooks that arrived, of {CALLS} parallel calls with both cores busy (Codex {NEWEST})"
    yield Row(what=what, measured=f"{arrived} of {2 * CALLS}", goal=f"{2 * CALLS}", met=arrived == 2 * CALLS)


def _replace_link(link: Path, target: Path) -> None:
    link.unlink()
    link.symlink_to(target)


def _tool_events(machine: Machine) -> int:
    directory = machine.spool(SESSION).parent
    collect_events(str(directory))
    found = 0
    for spool in directory.glob("*.spool"):
        with spool.open("rb") as file:
            records = [record.event for record in read_records(file) if isinstance(record, Record)]
            found += sum(event in ("PreToolUse", "PostToolUse") for event in records)
    return found
