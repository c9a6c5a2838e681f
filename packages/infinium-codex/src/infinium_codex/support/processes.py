"""What other processes of the user do: which files they have open, and how they were started.

psutil answers on every system. Its import takes a while, so it is imported where it is asked: never at a prompt.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

END_SECONDS = 5.0
"""How long a process may take to end before it is killed."""


class Process(Struct, frozen=True, kw_only=True):
    """A running process of this user."""

    pid: int
    arguments: tuple[str, ...]


def own_processes() -> Iterator[Process]:
    """Yield the processes of this user whose command line can be read."""
    import psutil

    me = psutil.Process()
    for process in psutil.process_iter():
        try:
            if process.pid != me.pid and process.username() == me.username():
                yield Process(pid=process.pid, arguments=tuple(process.cmdline()))
        except psutil.Error:
            continue  # it has ended, or is protected


def works_in(process: Process, directory: Path) -> bool:
    """Return whether a process runs in this directory, or names it in its command line."""
    import psutil

    if str(directory) in process.arguments:
        return True
    try:
        return os.path.samefile(psutil.Process(process.pid).cwd(), directory)  # noqa: PTH121
    except (psutil.Error, OSError):
        return False


def environ_of(pid: int) -> Mapping[str, str] | None:
    """Return the variables a process was started with; None if the system does not tell, or the process has ended."""
    import psutil

    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return None


def is_stopped(pid: int) -> bool:
    """Return whether a signal stopped this process. False if the system does not tell, or the process has ended."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except (psutil.Error, OSError):
        return False


def started_at(pid: int) -> float | None:
    """Return when a process was started, in seconds since the epoch; None if the system does not tell, or it ended."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, OSError):
        return None


def is_held_open(path: Path) -> bool:
    """Return whether a process of this user has this file open. False if the system does not tell."""
    return any(_is_same(opened, path) for opened in open_files())


def open_files() -> Iterator[str]:
    """Yield the paths of the files that processes of this user have open, as far as the system tells them."""
    import psutil

    for process in psutil.process_iter():
        try:
            yield from (opened.path for opened in process.open_files())
        except (psutil.Error, OSError):
            continue  # it has ended, or belongs to another user


def _is_same(opened: str, path: Path) -> bool:
    """Whether two paths lead to the same file; names are compared first, without case as macOS does."""
    return os.path.basename(opened).casefold() == path.name.casefold() and os.path.samefile(opened, path)  # noqa: PTH119, PTH121


def end_processes(*arguments: str) -> int:
    """End the processes of this user that have one of these arguments in their command line; return how many."""
    import psutil

    found = [psutil.Process(one.pid) for one in own_processes() if any(each in one.arguments for each in arguments)]
    for process in found:
        process.terminate()
    _, alive = psutil.wait_procs(found, timeout=END_SECONDS)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=END_SECONDS)
    return len(found)
