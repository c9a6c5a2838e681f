"""Runs one command and prints its result. No other module prints or catches for a command."""

import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from cyclopts import App

from infinium_codex.support.paths import find_places
from infinium_codex.support.result import CommandContext, CommandError, Result, failure_of

STOPPED = 130
"""Exit code after Ctrl-C, as shells use it."""


def run_command(app: App, arguments: Sequence[str]) -> NoReturn:
    """Parse the arguments, run the command they name, print its result and exit with its exit code.

    cyclopts prints help and parse errors itself; a parse error exits with 2.
    """
    command, bound, unparsed = app.parse_args(arguments)
    result = _call(lambda: command(*bound.args, **bound.kwargs, **_injected(app, unparsed)))
    if result is None:  # cyclopts' own commands, which print help or the version
        sys.exit(0)
    _print(result, as_json=bound.arguments.get("json", False))
    sys.exit(result.exit_code)


def _injected(app: App, unparsed: dict[str, object]) -> dict[str, object]:
    """Arguments for the parameters that are not on the command line, chosen by type."""
    return {name: app if wanted is App else _context() for name, wanted in unparsed.items()}


def _call(command: Callable[[], Result | None]) -> Result | None:
    try:
        return command()
    except CommandError as error:
        return error.result
    except (KeyboardInterrupt, EOFError):  # Ctrl-C, or Ctrl-D at a question
        return Result.failure("Stopped.", exit_code=STOPPED)
    except Exception as error:
        if os.environ.get("INFINIUM_DEBUG"):
            raise
        return failure_of(error)


def _print(result: Result, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False, default=str))
    else:
        stream = sys.stdout if result.ok or result.to_stdout else sys.stderr
        print("\n".join(result.lines), file=stream)


def _context() -> CommandContext:
    return CommandContext(
        environ=dict(os.environ),
        cwd=Path.cwd(),
        places=find_places(os.environ),
        stdin=sys.stdin,
        interactive=sys.stdin.isatty() and sys.stdout.isatty(),
        ask=_ask,
    )


def _ask(question: str, hidden: bool) -> str:
    return getpass.getpass(f"{question}: ") if hidden else input(f"{question}: ")
