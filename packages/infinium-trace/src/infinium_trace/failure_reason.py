"""Finds the line of an output that tells best why a command failed."""

import re

from msgspec import Struct

_SEARCHED_HEAD, _SEARCHED_TAIL = 10_000, 20_000
"""Characters at both ends of an output that are searched. A compiler's first error is at the start, a runner's summary
at the end."""
_LINE = 500
"""Characters of a line that are looked at."""

_NOISE = (
    r"(?:Total output lines: \d+|Warning: truncated output.*|.*\[?(?:…|\.\.\.) ?(?:omitted )?[\d,]+ (?:of [\d,]+ )?"
    r"(?:tokens?|chars?|characters|lines)(?: omitted| truncated)? ?(?:…|\.\.\.)\]?.*"  # the agent's own notices
    r"|Exit code: -?\d+|Wall time:? .*|Output:|Chunk ID: .*"
    r"|> .*|\$ .*|\+ .*|[-=_*~#.·⎯━─ ]+|=+ .* =+|-+ .* -+"  # echoed commands, rulers
    r"|Script (?:done|started).*|Command exited with .*"
    r")?"
)
"""Lines that never are the reason: the agent's truncation notices, headers, echoed commands, rulers."""
_WRAPPER = (
    r"^\s*(?:make(?:\[\d+\])?: \*\*\*|npm (?:ERR!|error)|error: (?:could not compile|test (?:run )?failed|recipe "
    r"|aborting due to|script )|\[ERROR\] (?:->|To see|Re-run|For more|\[Help|Failed to execute goal|After correcting)"
    r"|ERROR: (?:InvocationError|Job failed)|ELIFECYCLE|Command failed|nox > Session |FAILED: |ninja: build stopped"
    r"|error Command failed|subprocess\.CalledProcessError|Error: Command failed)"
)
"""Lines of a program that ran the failing one. They tell less than its own."""


class _Rule(Struct, frozen=True):
    """A kind of line. With `last` the last such line is the reason, else the first; `more` lines follow it."""

    pattern: str
    """Compiled when the first command failed: the worker imports this module for every turn. A group is the reason."""
    last: bool = False
    more: int = 0


def _rule(pattern: str, *, last: bool = False, more: int = 0) -> _Rule:
    return _Rule(pattern, last, more)


_EXCEPTION = r"(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Failure|Exit|Interrupt|Timeout|Expired)"
_RULES = (
    _rule(r"^(?:FAILED|ERROR) \S.* - .+$"),  # pytest's short summary
    _rule(r"^E   +\S.*$"),  # pytest's assertion
    _rule(rf"^{_EXCEPTION}(?:: .*)?$", last=True),  # the last line of a traceback
    _rule(r"^[ \t]*thread '.*' (?:\(\d+\) )?panicked at .*$", more=1),
    _rule(r'"Output":" *(\w+_test\.go:\d+: [^"]+?)(?:\\n)?"'),  # go test -json
    _rule(r"^panic: .+$|^[ \t]+\w+_test\.go:\d+: .+$"),
    _rule(r"^[ \t]*(?:Uncaught |Unhandled )?\w*Error(?: \[\w+\])?: .+$"),  # JavaScript
    _rule(r"^[ \t]*expect\(.*\)\..*$", more=2),
    _rule(r"^[ \t]*(?:Failure|Error)/[^\n]*$|^.*\bFailed asserting that\b.*$", more=1),
    _rule(r"^.*\bAssert\w*(?: \w+){0,4}(?:\(\))?[: ]+(?:failed|Failure)\b.*$", more=1),
    _rule(r"^[ \t]*Expected:? .*$|^[ \t]*expected:? .*$", more=1),
    _rule(r"^#?[ \t]*\(in test file .*$|^# +`.*' failed.*$", more=1),  # bats
    _rule(r"^(?:.*[ \t:(])?(?:fatal )?error(?:\[\w+\]| [A-Z]{1,6}\d+)?: +.+$|^fatal: .+$"),  # compilers, linkers, git
    _rule(r"^[ \t]+\d+:\d+[ \t]+error[ \t]+.+$"),  # eslint
    _rule(r"^\[ERROR\] .+$|^(?:ERROR|Error|E)[: ] *.+$|^.*\bERROR\b.+$"),
    _rule(
        r"^.*(?:command not found|No such file or directory|Permission denied|: not found|[Ss]egmentation fault"
        r"|[Ss]yntax error|timed out|Operation not permitted|Connection refused|No space left).*$",
        last=True,
    ),
    _rule(
        r"^.*\b[1-9]\d* (?:failed|failures?|failing|errors?)\b.*$|^.*\b(?:[Ff]ailures|[Ff]ail): *[1-9].*$", last=True
    ),
    _rule(r"^not ok \d+.*$|^[ \t]*(?:FAIL|✗|✖|×|✕) .+$|^--- FAIL: .*$|^.*\*\*\*Failed.*$"),
    _rule(r"^.*\b(?:cannot|could not|unable to|failed|invalid|denied|refused|missing)\b.*$", last=True),
)
"""The most telling kinds first."""


def failure_reason(output: str) -> str:
    """Return the most telling line of a failed command's output; an empty text if no line tells anything.

    That is an assertion, the last line of a traceback, a compiler's first error or a runner's summary, else the last
    line. `output` is cleaned. The truncation notices of an agent and echoed commands are never the reason.
    """
    lines = [line[:_LINE].rstrip() for line in _searched(output).splitlines()]
    lines = [line for line in lines if not re.fullmatch(_NOISE, line.strip())]
    telling = [line for line in lines if not re.match(_WRAPPER, line)]
    text = "\n".join(telling)
    for rule in _RULES:
        if found := _find(rule, text):
            return found
    rest = telling or lines
    return rest[-1].strip() if rest else ""


def _searched(output: str) -> str:
    if len(output) <= _SEARCHED_HEAD + _SEARCHED_TAIL:
        return output
    # The lines at the cuts are incomplete.
    return output[:_SEARCHED_HEAD].rpartition("\n")[0] + "\n" + output[-_SEARCHED_TAIL:].partition("\n")[2]


def _find(rule: _Rule, text: str) -> str:
    matches = re.finditer(rule.pattern, text, re.MULTILINE)
    found = next(matches, None)
    if found is None:
        return ""
    if rule.last:
        for later in matches:
            found = later
    following = text[found.end() + 1 :].split("\n", rule.more)[: rule.more]
    reason = found[1] if found.re.groups else found[0]
    return " ".join(" ".join(line.split()) for line in (reason, *following) if line.strip())
