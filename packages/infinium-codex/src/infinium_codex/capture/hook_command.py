"""The shell command that the agent runs for an event, on every system but Windows.

It is the same for every user, so that a project can commit it: the shell finds the hook's home below `HOME`.
"""

import os
import re
import shlex
from pathlib import Path
from typing import Final

from infinium_codex.capture import launcher_windows
from infinium_codex.support.paths import APP, HOOK_HOME

SOURCE: Final = "hook.py"
"""The hook's program."""
COMPILED: Final = "hook.pyc"
SCRIPT: Final = "tool_event.sh"
"""Records an event without an interpreter, while the session is traced."""
FOR_USER: Final = "user"
"""The hook's last argument where it is registered for all projects of the user."""


def hook_command(event: str, directory: Path | None = None, *, for_user: bool = False, by_shell: bool = False) -> str:
    """The shell command that the agent runs for `event`. It prints nothing and exits 0, even without a hook's home.

    With `directory` the hook runs from there, for all users of a machine. `for_user` is the command to register for all
    projects of the user. With `by_shell`, for an event that starts no worker, the shell itself records the event while
    the session is traced. A home for all users has no room for what the shell must know.

    It does not `exec` the interpreter, because Python exits with 2 if its program is missing, which would block the
    user's tool. The hook itself always exits 0. So what follows `||` runs only if nothing has read the event: the
    program if the shell does not record it, its source if the compiled program is damaged or of another Python version,
    and another interpreter if an upgrade removed the first one. The worker then repairs the home. Without a home, `cat`
    reads the event: an agent may report a hook as failed that exits without reading it.
    """
    home = f'"$HOME/{HOOK_HOME}"' if directory is None else shlex.quote(str(directory))
    set_home = f"{_SET_HOME} " if directory is None else ""
    arguments = " ".join((event, *(() if directory else ("$PPID",)), *((FOR_USER,) if for_user else ())))
    programs = ('"$h/python"', COMPILED), ('"$h/python"', SOURCE), ("python3", SOURCE)
    attempts = [f'{python} -I -S "$h/{program}" {arguments}' for python, program in programs]
    if by_shell and directory is None:
        name = f"{event}.{FOR_USER}" if for_user else event
        # A plain `.` ends the shell, with 2, if there is no such file.
        attempts.insert(0, f'e={name} && command . "$h/{SCRIPT}"')
    return (
        f"{set_home}h={home}; {{ {_IS_INSTALLED} && {{ {' || '.join(attempts)}; }} || cat; }} >/dev/null 2>&1; exit 0"
    )


_SET_HOME: Final = '[ "$HOME" ] || { eval "HOME=~$(id -un)"; export HOME; } 2>/dev/null;'
"""Sets `HOME` from the user database where the agent has no such variable."""
_IS_INSTALLED: Final = f'[ -f "$h/{SOURCE}" ]'
_OUR_COMMAND: Final = re.compile(rf"/{APP}(?:/{re.escape(SOURCE)}|[\"']?; {{ {re.escape(_IS_INSTALLED)})")
"""Text that is in every command of the connector. Builds before 2.0.0 wrote the home's path before each program."""


def home_of(command: str) -> Path:
    """The directory that a hook command of the connector runs from."""
    assigned = re.search(rf"\bh=(.*); {{ {re.escape(_IS_INSTALLED)}", command)
    if assigned is None:  # a build before 2.0.0
        return Path(shlex.split(command.removeprefix("{ "))[0]).parent
    return Path(os.path.expandvars(shlex.split(assigned[1])[0]))


def is_our_command(command: str) -> bool:
    """Whether a hook command is the connector's, of this or an earlier build and of any user."""
    return command.startswith(f"{launcher_windows.NAME} ") or _OUR_COMMAND.search(command) is not None


def is_for_user(command: str) -> bool:
    """Whether a hook command of the connector is the one to register for all projects of the user."""
    return f" {FOR_USER} ||" in command or f" {FOR_USER};" in command
