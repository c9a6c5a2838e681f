"""Whole processes: wall time by pyperf, in rounds so that all meet the same load; CPU and memory by the kernel."""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyperf


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Measured values of one case."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median of the values."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, as a part of the median."""
        low, _, high = statistics.quantiles(self.values, n=4)
        return (high - low) / 2 / self.median


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """The CPU time and memory of one process."""

    cpu: float
    """Seconds of user and system time."""
    peak: float
    """Peak memory in MiB."""


def wall(
    cases: Mapping[str, str], *, cwd: Path, environ: Mapping[str, str], rounds: int = 12, values: int = 5
) -> dict[str, Sample]:
    """Measure the seconds of each command through `sh -c`, all of them in each round."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(rounds):
            for index, (name, command) in enumerate(cases.items()):
                output = Path(directory) / f"{number}-{index}.json"
                options = [
                    "--processes=1",
                    f"--values={values}",
                    "--warmups=1",
                    "--loops=1",
                    "--quiet",
                    "-o",
                    str(output),
                ]
                inherited = f"--inherit-environ={','.join(environ)}"
                program = [sys.executable, "-m", "pyperf", "command", *options, inherited, "--", "sh", "-c", command]
                subprocess.run(program, cwd=cwd, env=dict(environ), check=True, stdout=subprocess.DEVNULL)
                found[name] += pyperf.Benchmark.load(str(output)).get_values()
    return {name: Sample(values=tuple(values)) for name, values in found.items()}


def usage(command: Sequence[str], *, cwd: Path, environ: Mapping[str, str]) -> Usage:
    """Measure CPU time and peak memory of a process and the children it waited for."""
    watched = [sys.executable, "-I", "-S", "-c", _WATCH, *command]
    done = subprocess.run(
        watched, cwd=cwd, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[:4]} ended with {done.returncode}: {done.stderr}")
    seconds, kib = done.stdout.splitlines()[-1].split()
    return Usage(cpu=float(seconds), peak=int(kib) / 1024)


_WATCH = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, spent = os.wait4(pid, 0)
print(spent.ru_utime + spent.ru_stime, spent.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts the process from a small parent: memory of the parent before `exec` counts in the peak."""
