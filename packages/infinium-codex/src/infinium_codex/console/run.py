"""Runs one command, and turns every failure into a result. No other module catches for a command."""

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from cyclopts import App, CycloptsError, UnusedCliTokensError

from infinium_codex.console.layout import wrap
from infinium_codex.console.output import OUTPUT_LOST, WIDTH_OF_FILES, print_result, terminal_width
from infinium_codex.console.progress import progress, progress_bar
from infinium_codex.console.safe_text import encodable, safe
from infinium_codex.console.streams import flush, prepare_streams
from infinium_codex.support.paths import find_places
from infinium_codex.support.result import CommandContext, CommandError, Result, failure_of

STOPPED = 130
"""Exit code after Ctrl-C, as shells use it."""
USAGE_ERROR = 2


def run_command(app: App, arguments: Sequence[str]) -> NoReturn:
    """Parse the arguments, run the command they name, print its result and exit with its exit code."""
    prepare_streams()
    as_json = "--json" in arguments
    result = _call(lambda: _parse_and_run(app, arguments))
    if result is None:  # cyclopts' own commands, which print help or the version
        sys.exit(0 if flush(sys.stdout) else OUTPUT_LOST)
    try:
        code = print_result(result, as_json=as_json)
    except KeyboardInterrupt:  # while lines are followed
        code = STOPPED
    sys.exit(code)


def _parse_and_run(app: App, arguments: Sequence[str]) -> Result | None:
    command, bound, unparsed = app.parse_args(arguments, print_error=False, exit_on_error=False)
    result: Result | None = command(*bound.args, **bound.kwargs, **_injected(app, unparsed))
    return result


def _injected(app: App, unparsed: dict[str, object]) -> dict[str, object]:
    """Arguments for the parameters that are not on the command line, chosen by type."""
    return {name: app if wanted is App else _context() for name, wanted in unparsed.items()}


def _call(command: Callable[[], Result | None]) -> Result | None:
    try:
        return command()
    except CommandError as error:
        return error.result
    except CycloptsError as error:
        return _usage_error(error)
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D at a question
        return Result.failure("Stopped.", exit_code=STOPPED)
    except Exception as error:
        if isinstance(error, OSError) and not flush(sys.stdout):  # help could not be printed
            return Result(ok=False, exit_code=OUTPUT_LOST)
        if os.environ.get("INFINIUM_DEBUG"):
            raise
        return failure_of(error)


def _usage_error(error: CycloptsError) -> Result:
    words = ("infinium-codex", *(error.command_chain or ()))
    what = str(error)
    if isinstance(error, UnusedCliTokensError):
        what = f"Unexpected argument: {' '.join(error.unused_tokens or ())}."
    return Result.failure(what, f"See '{' '.join(words)} --help'.", exit_code=USAGE_ERROR)


def _context() -> CommandContext:
    return CommandContext(
        environ=dict(os.environ),
        cwd=Path.cwd(),
        places=find_places(os.environ),
        stdin=sys.stdin,
        interactive=sys.stdin.isatty() and sys.stdout.isatty(),
        width=terminal_width(sys.stdout) or WIDTH_OF_FILES,
        to_terminal=sys.stdout.isatty(),
        ask=_ask,
        progress=progress,
        progress_bar=progress_bar,
    )


def _ask(question: str, hidden: bool) -> str:
    width = terminal_width(sys.stdout) or 80
    lines = [part for line in safe(f"{question}:").split("\n") for part in wrap(line, width)]
    text = encodable("\n".join(lines), sys.stdout.encoding) + " "
    return getpass.getpass(text) if hidden else input(text)
