"""The costs of tracing, next to those of the bare interpreter, of Codex alone, and of the public connector.

`nox -s bench` prints the table of goals with the measured values, and draws what a turn costs as its session grows.
`nox -s bench -- hook worker` measures only these groups.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from backfill import backfill_costs
from connectors import install_ours, install_public
from delivery import thousand_traces
from hooks import hook
from machine import Machine, end_background
from processes import Sample, usage, wall
from reading import transcript_speed
from scaling import draw, public_costs
from scheduler import idle_scheduler
from table import Row, print_table
from turns import hundred_tool_calls
from worker import TURNS, Sessions

Group = Callable[[Machine, Machine | None], Iterator[Row]]


def main(wanted: list[str]) -> None:
    """Measure the named groups, or all of them."""
    with tempfile.TemporaryDirectory(prefix="infinium-bench-") as directory:
        root = Path(directory)
        ours, public = install_ours(root / "ours"), install_public(root / "public")
        if public is None:
            print("The public connector 1.1.0 is not on the registry here: its column stays empty.")
        rows: list[Row] = []
        try:
            for name, group in GROUPS.items():
                if not wanted or name in wanted:
                    rows += group(ours, public)
        finally:
            end_background(ours.root)
            print_table(rows)


def turn(ours: Machine, _public: Machine | None) -> Iterator[Row]:
    """A turn of 100 tool calls on the newest Codex, with our hooks and without any."""
    yield from hundred_tool_calls(ours)


def worker(ours: Machine, public: Machine | None) -> Iterator[Row]:
    """The worker's CPU and memory, in a new session and in one of 300 MiB."""
    sessions = Sessions(ours)
    python = os.path.realpath(ours.data / "python")
    nothing = [python, "-I", "-S", "-c", "pass"]
    sessions.turn(tools=10)  # the first worker of an installation compares the hook's home with it
    pairs = [(usage(nothing, cwd=ours.project, environ=ours.environ).cpu, sessions.turn(tools=10)) for _ in range(25)]
    bare, ten = (Sample(values=values) for values in zip(*pairs, strict=True))
    lengths = [1, 300, 1_000, TURNS]
    theirs = public_costs(public, lengths) if public is not None else {}
    short = theirs[1] / bare.median if theirs else None
    yield Row.ratio("worker CPU, a turn of 10 tools (1.1.0: of 4) / bare interpreter", ten, bare, 7.0, short)
    grown = dict(sessions.growing(lengths, repeat=7))
    first, last = Sample(values=tuple(grown[1])), Sample(values=tuple(grown[TURNS]))
    long = theirs[TURNS] / theirs[1] if TURNS in theirs else None
    yield Row.ratio(f"worker CPU, turn {TURNS:,} / turn 1 of one session (300 MiB)", last, first, 1.15, long)
    peak = sessions.long_transcript(500 << 20)
    yield Row.figure("worker's peak memory, 500 MiB transcript read from its start", peak, 60.0, "MiB")
    peak = sessions.summary(TURNS)
    yield Row.figure(f"worker's peak memory, summary of {TURNS:,} turns", peak, 60.0, "MiB")
    draw({length: Sample(values=tuple(spent)).median for length, spent in grown.items()}, theirs)


def reading(_ours: Machine, _public: Machine | None) -> Iterator[Row]:
    """The transcript reader alone."""
    yield from transcript_speed()


def delivery(_ours: Machine, _public: Machine | None) -> Iterator[Row]:
    """From the outbox to a receiver."""
    yield from thousand_traces()


def scheduler(ours: Machine, _public: Machine | None) -> Iterator[Row]:
    """The process that sleeps until something is due."""
    yield from idle_scheduler(ours)


def cli(ours: Machine, _public: Machine | None) -> Iterator[Row]:
    """The start of the command line, over the import of its library."""
    python = ours.data / "venv" / "bin" / "python"
    cases = {
        "import": f"{python} -c 'import cyclopts'",
        "help": f"{ours.program[0]} --help",
        "status": f"{ours.program[0]} status",
    }
    found = wall(
        {name: f"{command} >/dev/null" for name, command in cases.items()}, cwd=ours.project, environ=ours.environ
    )
    for name in ("help", "status"):
        yield Row.ratio(f"infinium-codex {name} / import cyclopts", found[name], found["import"], 2.0)


def backfill(ours: Machine, _: Machine | None) -> Iterator[Row]:
    """A backfill of many large sessions."""
    yield from backfill_costs(ours)


GROUPS: dict[str, Group] = {
    "hook": hook,
    "turn": turn,
    "worker": worker,
    "reading": reading,
    "delivery": delivery,
    "scheduler": scheduler,
    "cli": cli,
    "backfill": backfill,
}

if __name__ == "__main__":
    main(sys.argv[1:])
