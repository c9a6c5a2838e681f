"""Says on standard error what a command is doing, and how much of a long task is done. CONNECTOR_QUIET turns it off."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from infinium_codex.console.safe_text import safe
from infinium_codex.console.streams import write

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

_REFRESH_SECONDS = 0.2


def progress(message: str) -> None:
    """Print a line for a person."""
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
    if not _is_live():
        progress(f"{label}: {total:,}")
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console(), transient=True) as bar:
        task = bar.add_task(safe(label), total=total)
        yield lambda done: bar.update(task, completed=done)


def run_with_status(work: Callable[[], T], describe: Callable[[], str], *, seconds: float) -> T | None:
    """Run `work` for at most `seconds`, and show the line that `describe` returns on a terminal meanwhile.

    Returns None at the timeout: the work then continues on a daemon thread until the process exits. An exception of
    `work` is raised.
    """
    import threading
    import time

    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    with _status_line(describe) as refresh:
        while thread.is_alive() and (remaining := deadline - time.monotonic()) > 0:
            refresh()
            thread.join(min(_REFRESH_SECONDS, remaining))
    if failure:
        raise failure[0]
    return outcome[0] if outcome else None


@contextmanager
def _status_line(describe: Callable[[], str]) -> Iterator[Callable[[], None]]:
    """A line on the terminal that is written anew when the returned function is called; nothing elsewhere."""
    if not _is_live():
        yield lambda: None
        return
    from rich.text import Text

    with _console().status(Text(safe(describe()))) as line:
        yield lambda: line.update(Text(safe(describe())))


@cache
def is_quiet() -> bool:
    """Whether this user wants no progress messages: the setting `quiet`, which only the environment holds."""
    from infinium_config import resolve  # help does not need it

    return resolve(os.environ, None, None).quiet.value


def _is_live() -> bool:
    """Whether lines can be replaced: standard error is a terminal that can do it, and progress is wanted."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and not is_quiet()


def _console() -> "Console":
    from rich.console import Console

    return Console(stderr=True)
