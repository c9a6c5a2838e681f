"""Says on standard error what a command is doing, and how much of a long task is done."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from infinium_codex.console.safe_text import safe
from infinium_codex.console.streams import write


def progress(message: str) -> None:
    """Print a line for a person. CONNECTOR_QUIET turns it off."""
    if not is_quiet():
        write(sys.stderr, safe(message))


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar for a task of `total` steps. The returned function takes the number of steps that are done.

    Where standard error is not a terminal, one line with the label and the total is printed instead. Nothing is shown
    for a task without steps.
    """
    if total == 0:
        yield lambda _: None
        return
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or is_quiet():
        progress(f"{label}: {total:,}")
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(safe(label), total=total)
        yield lambda done: bar.update(task, completed=done)


@cache
def is_quiet() -> bool:
    """Whether this user wants no progress messages: the setting `quiet`, which only the environment holds."""
    from infinium_config import resolve  # help does not need it

    return resolve(os.environ, None, None).quiet.value
