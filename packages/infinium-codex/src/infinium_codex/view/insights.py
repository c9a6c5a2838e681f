"""Compares the steps and files of several turns: slowest and most failing commands, files that changed most."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from infinium_codex.view.model import Outcome, StepKind, StepView, TurnView

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_WORD = re.compile(r"[A-Za-z][\w:-]*")
_STARTERS = frozenset({"sudo", "env", "time", "nohup", "exec", "command"})


class SlowStep(Struct, frozen=True, kw_only=True):
    """One of the slowest tool calls. `turn` counts from 0."""

    turn: int
    step: StepView


class FailingCommand(Struct, kw_only=True):
    """A command that failed at least once. `turn` and `step` are those of its last failure."""

    command: str
    failures: int = 0
    runs: int = 0
    turn: int = 0
    step: int = 0


class ChangedFile(Struct, kw_only=True):
    """A file with its changed lines over all turns, and the number of turns that changed it."""

    path: str
    added: int = 0
    removed: int = 0
    turns: int = 0


def slowest_steps(turns: Sequence[TurnView], count: int) -> list[SlowStep]:
    """Return the `count` slowest tool calls, the slowest first."""
    found = [
        SlowStep(turn=at, step=step)
        for at, turn in enumerate(turns)
        for step in _tools(turn.walk())
        if step.duration_ms
    ]
    return sorted(found, key=lambda one: -(one.step.duration_ms or 0))[:count]


def failing_commands(turns: Sequence[TurnView], count: int) -> list[FailingCommand]:
    """Return the `count` commands that failed most often."""
    found: dict[str, FailingCommand] = {}
    for at, turn in enumerate(turns):
        for step in _tools(turn.walk()):
            name = command_name(step)
            one = found.setdefault(name, FailingCommand(command=name))
            one.runs += 1
            if step.outcome is Outcome.FAILED:
                one.failures += 1
                one.turn, one.step = at, step.number
    failed = [one for one in found.values() if one.failures]
    return sorted(failed, key=lambda one: (-one.failures, one.runs))[:count]


def most_changed_files(turns: Sequence[TurnView], count: int) -> list[ChangedFile]:
    """Return the `count` files with the most changed lines."""
    found: dict[str, ChangedFile] = {}
    for turn in turns:
        for change in turn.files:
            path = change.moved_to or change.path
            one = found.setdefault(path, ChangedFile(path=path))
            one.added += change.lines_added or 0
            one.removed += change.lines_removed or 0
            one.turns += 1
    return sorted(found.values(), key=lambda one: (-(one.added + one.removed), one.path))[:count]


def command_name(step: StepView) -> str:
    """Return what runs of the same command have in common: the program and its first word, else the tool's name."""
    if step.name != "shell":
        return step.name
    try:
        words = shlex.split(step.title[:500], comments=False)
    except ValueError:  # a quotation that ends on another line
        words = step.title[:500].split()
    words = [word for word in words if not _ASSIGNMENT.match(word)]
    while len(words) > 1 and words[0] in _STARTERS:
        words = words[1:]
    if len(words) > 3 and words[0] == "cd" and words[2] == "&&":
        words = words[3:]
    if not words:
        return step.name
    program = PurePosixPath(words[0]).name or words[0]
    if len(words) > 2 and words[1] == "-m":
        return f"{program} -m {words[2]}"
    return f"{program} {words[1]}" if len(words) > 1 and _WORD.fullmatch(words[1]) else program


def _tools(steps: Iterable[StepView]) -> Iterable[StepView]:
    return (step for step in steps if step.kind is StepKind.TOOL)
