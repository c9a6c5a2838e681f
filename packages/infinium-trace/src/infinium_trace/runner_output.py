"""Counts the tests in the output of a command: which runner ran how many, and how many of them passed."""

import re
from collections.abc import Mapping

from msgspec import Struct

from infinium_trace.preview import clean
from infinium_trace.runner_formats import FORMATS, WRAPPING, Counts
from infinium_trace.runner_lines import LINE_READERS

_TAIL = 200_000
"""Characters at the end of an output that are searched for summaries."""
_WATCHING = (
    "Watching for file changes", "Waiting for file changes", "Watch Usage", "RERUN ", "Press `a` to rerun",
    "press h to show help", "[Watching", "watching for changes", "to exit watch mode",
)  # fmt: skip
"""Texts of runners that run the tests again after each change. Only their last run counts."""
_READERS = frozenset((
    "cat", "bat", "head", "tail", "less", "more", "rg", "grep", "egrep", "sed", "awk", "nl", "ls", "find", "fd", "wc",
    "sort", "diff", "jq", "echo", "printf", "Get-Content", "type",
))  # fmt: skip
"""Commands that show texts of others: a summary in their output tells of no test run."""
_GIT_READERS = ("git show", "git log", "git diff", "git grep", "git blame")
_SEPARATORS = r"&&|\|\||[;\n]"
_PREFIX = r"(?:(?:\w+=\S*|sudo|time|env|command|timeout(?: -\S+)* \S+|nice(?: -\S+)*) +)+"


class RunOfTests(Struct, frozen=True, kw_only=True):
    """A test run, as counted by its runner. Skipped tests did not run."""

    runner: str
    """Name of the runner; several are joined by commas."""
    passed: int
    failed: int
    skipped: int = 0
    is_counted: bool = True
    """False if the runner prints no number of passed tests (`go test` without `-v`)."""

    @property
    def run(self) -> int:
        """Number of tests that ran."""
        return self.passed + self.failed


def read_test_run(output: str) -> RunOfTests | None:
    """Return the test run in an output; None if no known runner reports one.

    Several runs of one command (tox, nox, a workspace of packages) are added up, but of a runner that watches files the
    last run alone is returned.
    """
    text = clean(output[-_TAIL:])
    watching = is_watching(text)
    found: dict[str, Counts] = {}
    for test_format in FORMATS:
        counts = test_format.read(text)
        if counts:
            found[test_format.runner] = counts[-1] if watching else sum(counts[1:], counts[0])
    if wrapping := found.keys() & WRAPPING:
        found = {name: found[name] for name in wrapping}  # the programs that it ran print summaries too
    if not found:
        for runner, read in LINE_READERS.items():
            counts_of_lines = read(output if runner == "go" else text)
            if counts_of_lines is not None:
                return _run(runner, counts_of_lines)
        return None
    return _run(", ".join(sorted(found)), sum(found.values(), Counts()))


def is_watching(output: str) -> bool:
    """Whether a runner printed that it waits for changes of files."""
    return any(text in output for text in _WATCHING)


def command_of(arguments: Mapping[str, object] | str | None) -> str | None:
    """Return the command of a call's arguments; None for a call without a command."""
    if not isinstance(arguments, Mapping):
        return None
    command = arguments.get("command") or arguments.get("cmd")
    if isinstance(command, list):
        return " ".join(map(str, command))
    return command if isinstance(command, str) else None


def only_shows_texts(command: str) -> bool:
    """Whether all parts of a shell command are known to run nothing, like `cat` and `grep`."""
    parts = [part.strip() for part in re.split(_SEPARATORS, command)]
    return all(_shows_texts(part) for part in parts if part)


def _shows_texts(part: str) -> bool:
    part = part.partition("|")[0].strip()
    prefix = re.match(_PREFIX, part)
    part = part[prefix.end() :] if prefix else part
    words = part.split(None, 1)
    return not words or words[0] in _READERS or words[0] in ("cd", "pwd", "true") or part.startswith(_GIT_READERS)


def _run(runner: str, counts: Counts) -> RunOfTests:
    return RunOfTests(
        runner=runner,
        passed=counts.passed,
        failed=counts.failed,
        skipped=counts.skipped,
        is_counted=counts.is_counted,
    )
