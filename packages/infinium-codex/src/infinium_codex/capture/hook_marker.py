"""Marks a session as traced, so that the shell records its tool events without an interpreter. A part of the hook.

The hook of each prompt sets or removes the marker, and `tool_event.sh` reads it. It is a directory below the hook's
home, `traced/AGENT_PROCESS/WORKING_DIRECTORY/.marker`, with

- `inbox`: a link to the directory that the shell writes its event files to;
- `file` and `folder`: links to the project file and to the directory around it;
- `file-`, `file+`, `folder-`, `folder+`: empty files that were modified a second before and a second after these.

So the shell sees that the project file was edited, replaced or removed since the prompt: recording may be paused now.
Then it runs the hook, until the next prompt. The distance is a second because some shells compare whole seconds.
The agent's process is a part of the path because its environment, too, decides what is recorded and where.
"""

import posix
from time import time_ns

SECOND_NS = 1_000_000_000
SETTLED_NS = 2 * SECOND_NS
"""A project file that changed more recently gets no marker: the time of a next change could be too close to it."""


def marker_path(home: str, agent_process: str) -> str:
    """The marker for sessions of a process of the agent in the working directory."""
    return f"{home}/traced/{agent_process}{posix.getcwd()}/.marker"


def set_marker(marker: str, inbox: str, config: str) -> None:
    """Mark the session: its project file is `config`, and its events go to `inbox`. Raises OSError."""
    links = {"inbox": inbox, "file": config, "folder": config.rpartition("/")[0]}
    times = {name: posix.stat(links[name]).st_mtime_ns for name in ("file", "folder")}
    if _is_set(marker, links, times):
        return
    remove_marker(marker)
    if max(times.values()) > time_ns() - SETTLED_NS:
        return
    make_directories(inbox)
    made = f"{marker}.{posix.getpid()}"
    make_directories(made)
    for name, target in links.items():
        posix.symlink(target, f"{made}/{name}")
    for name, at in times.items():
        for sign, modified in (("-", at - SECOND_NS), ("+", at + SECOND_NS)):
            path = f"{made}/{name}{sign}"
            posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_CLOEXEC, 0o600))
            posix.utime(path, ns=(modified, modified))
    try:
        posix.rename(made, marker)
    except OSError:  # another hook of the same prompt was faster
        _remove(made)


def remove_marker(marker: str) -> None:
    """Have the shell run the hook for each event. Does nothing if there is no marker. Raises OSError."""
    removed = f"{marker}.{posix.getpid()}-"
    try:
        posix.rename(marker, removed)
    except (FileNotFoundError, NotADirectoryError):
        return
    _remove(removed)


def make_directories(path: str) -> None:
    """Create a directory and its missing parents, but none in the root directory."""
    first, *others = path.split("/")[1:]
    made = f"/{first}"
    for part in others:
        made += f"/{part}"
        try:
            posix.mkdir(made, 0o700)
        except FileExistsError:
            continue


def _is_set(marker: str, links: dict[str, str], times: dict[str, int]) -> bool:
    try:
        return (
            all(posix.readlink(f"{marker}/{name}") == target for name, target in links.items())
            and all(posix.stat(f"{marker}/{name}+").st_mtime_ns == at + SECOND_NS for name, at in times.items())
            and posix.access(links["inbox"], posix.W_OK)
        )
    except OSError:
        return False


def _remove(directory: str) -> None:
    for name in posix.listdir(directory):
        posix.unlink(f"{directory}/{name}")
    posix.rmdir(directory)
