"""Shows long text page by page, with the user's pager."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence


def show_paged(lines: Sequence[str]) -> bool:
    """Show the lines in a pager if they are more than the terminal has. False if they were not shown.

    The pager is `$PAGER`, else `less`. An empty `$PAGER`, or `cat`, turns it off.
    """
    if not sys.stdout.isatty() or len(lines) < shutil.get_terminal_size().lines:
        return False
    try:
        command = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # a quotation mark is not closed
        return False
    program = shutil.which(command[0]) if command else None
    if program is None or command[0] == "cat":
        return False
    # R: colours. F: end at once if one screen is enough. X: leave the text on the screen.
    environ = {"LESS": "-RFX", **os.environ}
    text = "\n".join(lines).encode(sys.stdout.encoding or "utf-8", "backslashreplace") + b"\n"
    done = subprocess.run([program, *command[1:]], input=text, env=environ, check=False)
    return done.returncode == 0
