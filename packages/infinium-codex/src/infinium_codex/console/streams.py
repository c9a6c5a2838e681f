"""Standard streams that never end a command with a traceback: closed ones, a pipe closed early, a full disk."""

import os
import sys
from typing import TextIO

from infinium_codex.console.safe_text import encodable


def prepare_streams() -> None:
    """Replace closed standard streams by the null device, and let every stream print what it cannot encode."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: `>&-`
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end
        elif mode == "w":
            stream.reconfigure(errors="backslashreplace")


def write(stream: TextIO, text: str) -> bool:
    """Write a line and flush it. Returns False, having said why, if the reader has gone or the disk is full."""
    try:
        stream.write(encodable(text, stream.encoding) + "\n")
    except OSError as error:
        _give_up(stream, error)
        return False
    return flush(stream)


def flush(stream: TextIO) -> bool:
    """Write what is buffered. Returns False as `write` does."""
    try:
        stream.flush()
    except OSError as error:
        _give_up(stream, error)
        return False
    return True


def _give_up(stream: TextIO, error: OSError) -> None:
    """Discard what is still buffered, so that the interpreter does not fail on it at its end, and say why."""
    with open(os.devnull, "w", encoding="utf-8") as null:  # noqa: PTH123
        os.dup2(null.fileno(), stream.fileno())
    if stream is sys.stderr or isinstance(error, BrokenPipeError):
        return  # `| head -1` has read all it wants
    write(sys.stderr, f"The output cannot be written: {error.strerror or error}.")
