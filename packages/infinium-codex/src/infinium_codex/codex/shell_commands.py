"""Reads shell commands as a person would type them: without the shell that Codex starts to run them."""

import re
from collections.abc import Sequence

from infinium_trace.lazy_pattern import lazy_pattern

_POSIX_SHELL = r"(?:bash|zsh|sh|dash|ash|ksh|fish)"
_POWERSHELL = r"(?:powershell|pwsh)"
_PROGRAM = lazy_pattern(rf"(?:.*[\\/])?(?:({_POSIX_SHELL})|({_POWERSHELL})|(cmd))(?:\.exe)?", re.IGNORECASE)
"""A shell's program, by its name or its path."""
_SHELL_ENDINGS = ("sh", "shell", "cmd", ".exe")
"""Endings of the programs above. Most commands start with another word, and need no pattern to see that."""
_COMMAND_LINE = lazy_pattern(
    r"""("[^"]+"|'[^']+'|\S+)((?:\s+[-/]\w+(?:\s+(?:Bypass|Unrestricted|RemoteSigned|Text))?)*?)\s+([-/]\w+)\s+(.*)""",
    re.IGNORECASE | re.DOTALL,
)
"""Program, options, the option before the script, and the script, of a PowerShell or cmd command line."""
_SCRIPT_OPTION = lazy_pattern(r"-[a-z]*c", re.ASCII)
_POWERSHELL_SCRIPT_OPTIONS = frozenset({"-c", "-command"})
_CMD_SCRIPT_OPTIONS = frozenset({"/c", "/k"})
_ENCODING = lazy_pattern(
    r"\s*(?:try\s*\{\s*)?\[Console\]::OutputEncoding\s*=\s*\[System\.Text\.(?:Encoding\]::UTF8|UTF8Encoding\]::new\(\$?\w*\))"
    r"\s*(?:\}\s*catch\s*\{\s*\})?;?\s*"
)
"""Codex puts this before a script for PowerShell."""
_LONGEST_PROGRAM = 300
_MOST_SHELLS = 3
"""A command may start a shell in a shell. More levels are left as they are."""


def readable_command(command: object) -> str | None:
    """Return the command without the shell around it, from a command line or a list of words; None if it is neither.

    `["bash", "-lc", "make test"]` and `bash -lc 'make test'` are both `make test`.
    """
    if isinstance(command, list | tuple):
        words = [word for word in command if isinstance(word, str)]
        if not words or len(words) != len(command):
            return None
        inner = _script(words)
        command = _join(words) if inner is None else inner
    if not isinstance(command, str) or not command:
        return None
    for _ in range(_MOST_SHELLS):
        inner = _unwrapped(command)
        if inner is None:
            return command
        command = inner
    return command


def _join(words: list[str]) -> str:
    import shlex

    return shlex.join(words)


def _unwrapped(line: str) -> str | None:
    """Return the script that a command line has a shell run; None if it does something else."""
    program = _first_word(line)
    if not program.endswith(_SHELL_ENDINGS) and not program.lower().endswith(_SHELL_ENDINGS):
        return None
    if _PROGRAM.fullmatch(program) is None:
        return None
    import shlex  # few commands of new versions have a shell around them

    try:
        script = _script(shlex.split(line)) if "\\" not in line.split("-", 1)[0] else None
    except ValueError:  # a quote that is not closed
        script = None
    return script if script is not None else _windows_script(line)


def _first_word(line: str) -> str:
    """Return the first word of a command line, without the quotes around it."""
    if line[:1] in ('"', "'"):
        return line[1:].partition(line[0])[0]
    return line[:_LONGEST_PROGRAM].split(None, 1)[0] if not line[:1].isspace() else ""


def _script(words: Sequence[str]) -> str | None:
    """Return the script that these words have a shell run; None if they do something else."""
    program = _PROGRAM.fullmatch(words[0])
    if program is None:
        return None
    if program[1]:
        return words[2] if len(words) == 3 and _SCRIPT_OPTION.fullmatch(words[1]) else None
    options = _POWERSHELL_SCRIPT_OPTIONS if program[2] else _CMD_SCRIPT_OPTIONS
    at = next((number for number, word in enumerate(words) if word.lower() in options), None)
    if at is None or at + 1 == len(words):
        return None
    return _without_encoding(" ".join(words[at + 1 :]))


def _windows_script(line: str) -> str | None:
    """Return the script of a command line with a Windows path, in which a backslash quotes nothing."""
    found = _COMMAND_LINE.fullmatch(line)
    if found is None:
        return None
    program = _PROGRAM.fullmatch(found[1].strip("\"'"))
    if program is None or program[1]:
        return None
    options = _POWERSHELL_SCRIPT_OPTIONS if program[2] else _CMD_SCRIPT_OPTIONS
    if found[3].lower() not in options:
        return None
    script = found[4].strip()
    if len(script) > 1 and script[0] == script[-1] and script[0] in "\"'":
        quote = script[0]
        # Quoted by PowerShell ('' is a quote), or by the shell rules with which Codex joins words ('"'"').
        script = script[1:-1].replace(f'{quote}"{quote}"{quote}', quote).replace(quote * 2, quote)
    return _without_encoding(script)


def _without_encoding(script: str) -> str:
    found = _ENCODING.match(script)
    return script[found.end() :] if found else script
