"""Progress of long work, shown on the terminal while the work runs."""

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_REFRESH_SECONDS = 0.2
_CLEAR_LINE = "\r\x1b[K"


def run_with_progress(work: Callable[[], T], describe: Callable[[], str], *, seconds: float, quiet: bool) -> T | None:
    """Run `work` for at most `seconds`, and show what `describe` returns on the terminal meanwhile.

    Returns None at the timeout: the work then continues on a daemon thread until the process exits. An exception of
    `work` is raised.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    shown = not quiet and sys.stderr.isatty()
    remaining = seconds
    while thread.is_alive() and remaining > 0:
        if shown:
            sys.stderr.write(f"{_CLEAR_LINE}{describe()}")
            sys.stderr.flush()
        thread.join(min(_REFRESH_SECONDS, remaining))
        remaining -= _REFRESH_SECONDS
    if shown:
        sys.stderr.write(_CLEAR_LINE)
    if failure:
        raise failure[0]
    return outcome[0] if outcome else None
