"""Finds secrets among the arguments of commands (`mysql -pVALUE`, `redis-cli -a VALUE`, `echo VALUE | sudo -S`)."""

import re
from collections.abc import Iterator

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_data import load
from infinium_trace.redact_spans import Rank, Span, compiled
from infinium_trace.redact_values import is_placeholder

_OPTIONS: dict[str, tuple[str, str]] = {
    command: (letters, form)
    for form, options in load("secret_commands.json")["options"].items()
    for letters, commands in options.items()
    for command in commands
}
"""Letters of a command's options whose value is a secret, and how the value is written.

attached: `-pVALUE` only. separate: `-p VALUE` or `-pVALUE`. pair: `user:VALUE`. percent: `user%VALUE`.
comma: `user,VALUE`. last: the last argument.
"""
_ALL_OPTIONS = frozenset(letter.lower().encode() for letters, _ in _OPTIONS.values() for letter in letters)
_COMMAND = (
    r"(?:\A|(?<=[\s;&|(`\"'$/>+]))(?P<name>"
    + "|".join(
        sorted((name.replace(" ", r"[ \t](?:[^\n|;&]{0,80}[ \t])?") for name in _OPTIONS), key=len, reverse=True)
    )
    + r")(?:\.exe)?(?=[ \t])"
)
_VALUE = lazy_pattern(
    r"(?P<gap>[ \t=]{0,4}+)(?:'(?P<single>[^'\n]{1,1024}+)'|\"(?P<double>[^\"\n]{1,1024}+)\""
    r"|(?P<bare>[^\s\"'|;&<>()]{1,1024}+))"
)
_OTHERS = (
    # literal in lower case, pattern whose group is the secret
    (
        b"rabbitmqctl ",
        r"rabbitmqctl[ ](?:[^\n]{0,60}?)(?:add_user|change_password)[ ]\S{1,64}+[ ][\"']?([^\s\"']{4,}+)",
    ),
    (b"net use", r"(?i:net[ ]use)(?:[^\n]{0,200}?/user:\S{1,128}+|r[ ]\w[\w.-]{0,64}+)[ ][\"']?([^\s\"']{4,}+)"),
    (b" alias set ", r"[ ]alias[ ]set[ ]\S{1,64}+[ ]https?://\S{1,256}+[ ]\S{1,128}+[ ][\"']?([^\s\"']{4,}+)"),
    (b"vault login ", r"vault[ ]login[ ](?:-\S{1,40}+[ ]){0,4}+[\"']?([^\s\"'=-][^\s\"'=]{5,}+)(?=\s|\Z|[\"'])"),
    (b" /rp ", r"[ ]/[rR][pP][ ][\"']?([^\s\"']{4,}+)"),
)
_ON_LINE = (
    r"PASSWORD[ ]FOR[ ][^=\n]{1,128}?=[ ]{0,2}(?:PASSWORD\()?'([^'\n]{3,512}+)'",
    r"rclone[ ][^\n]{0,120}?[ ]pass[ ][\"']?([^\s\"']{4,1024}+)",
    r"cmdkey[ ][^\n]{0,200}?/pass:[\"']?([^\s\"']{3,512}+)",
    r"-pass(?:in|out)?[ =][\"']?pass:([^\s\"']{3,1024}+)",
    (
        r"(?:gh|glab)[ ]secret[ ]set[ ][^\n]{0,120}?--body[ =]"
        r"(?:'([^'\n]{4,1024}+)|\"([^\"\n]{4,1024}+)|([^\s\"']{4,1024}+))"
    ),
    r"secret[ ](?:put|set)[ ][^\n]{0,80}?<<<[ ]?[\"']?([^\s\"'|$<>]{4,256}+)",
    (
        r"(?:echo|printf)[ ](?:-\w{1,3}[ ]|[\"']%s(?:\\n)?[\"'][ ]){0,3}+[\"']?(?:[\w.-]{1,64}:)?"
        r"([^\s\"'|$<>:]{4,256}+)[\"']?[ ]{0,3}\|[ ]{0,3}(?:(?:sudo[ ])?(?:chpasswd|passwd)"
        r"|[^\n|]{0,120}?(?:--?[a-z-]{0,20}stdin|--with-token|secrets?[ ]set|secret[ ]put|-fd))"
    ),
)
NAMES = frozenset(
    (
        "PASSWORD",
        "-passin",
        "-passout",
        "-pass",
        "secret",
        "secrets",
        "chpasswd",
        "passwd",
        "pass",
        "--password-stdin",
        "--with-token",
    )
)
"""Names on whose line `named_commands` finds secrets."""
_ECHOED = 300
"""Characters before `sudo -S` in which the password is echoed."""
_SUDO = r"(?:echo|printf)[ ](?:-\w{1,3}[ ]){0,3}+[\"']?([^\s\"'|$<>]{4,256}+)[\"']?[ ]{0,3}\|[ ]{0,3}sudo[ ]-S"

_FAR = 1_000
"""Characters between a command and its option, at most."""
_SEPARATOR = lazy_pattern(r"[;|&](?=\s)")

PATTERNS = (_SUDO, *_ON_LINE, *(pattern for _, pattern in _OTHERS), _COMMAND, _VALUE.pattern)


def command_arguments(text: str, low: bytes) -> Iterator[Span]:
    """Return the secrets that are arguments of known commands."""
    yield from _options(text, low)
    for literal, pattern in _OTHERS:
        at = low.find(literal)
        while at >= 0:
            match = compiled(pattern).match(text, at)
            if match and not is_placeholder(match[1]):
                yield Span(*match.span(1), Rank.ANCHORED, "password")
            at = low.find(literal, at + len(literal))


def named_commands(text: str, start: int, end: int) -> Iterator[Span]:
    """Return the secrets of the commands on a line that has one of `NAMES`."""
    for pattern in _ON_LINE:
        for match in compiled(pattern).finditer(text, start, end):
            yield from _argument(match)


def _argument(match: re.Match[str]) -> Iterator[Span]:
    group = match.lastindex or 0
    if not is_placeholder(match[group]):
        yield Span(*match.span(group), Rank.ANCHORED, "password")


def _options(text: str, low: bytes) -> Iterator[Span]:
    command: re.Match[str] | None = None
    searched = 0
    at = low.find(b" -")
    while at >= 0:
        if low[at + 2 : at + 3] in _ALL_OPTIONS:
            begin = max(searched, text.rfind("\n", searched, at) + 1)
            if begin > searched:
                command = None
            # the last command before the option counts
            command = [command, *compiled(_COMMAND).finditer(text, begin, at + 1)][-1]
            searched = at
            if command is not None:
                yield from _option(text, at, command)
            if low.startswith(b"| sudo -s", at - 6):
                for match in compiled(_SUDO).finditer(text, max(0, at - _ECHOED), at + 3):
                    yield from _argument(match)
        at = low.find(b" -", at + 2)


def _option(text: str, at: int, command: re.Match[str]) -> Iterator[Span]:
    """Return the secret that the option at this place has, if it is one of the command's options for secrets."""
    name = next(name for name in sorted(_OPTIONS, key=len, reverse=True) if _same(command["name"], name))
    letters, form = _OPTIONS[name]
    if text[at + 2] not in letters or at - command.end() > _FAR or _SEPARATOR.search(text, command.end(), at):
        return
    found = _last_argument(text, at) if form == "last" else _option_value(text, at + 3, form)
    if found is not None and _is_argument(text[slice(*found)]):
        yield Span(*found, Rank.ANCHORED, "password")


def _last_argument(text: str, at: int) -> tuple[int, int] | None:
    """Return the last argument of `htpasswd -b`."""
    end = text.find("\n", at, at + _FAR)
    words = compiled(r"\S{1,400}").findall(text, at, end if end >= 0 else at + _FAR)
    if "b" not in words[0] or len(words) < 3:
        return None
    value = words[-1].strip("\"'")
    start = text.rindex(value, at, end if end >= 0 else at + _FAR)
    return start, start + len(value)


def _option_value(text: str, at: int, form: str) -> tuple[int, int] | None:
    """Return start and end of the secret in an option's value."""
    match = _VALUE.match(text, at)
    if match is None or (form == "attached" and match["gap"]):
        return None
    start, end = next(match.span(group) for group in ("single", "double", "bare") if match[group] is not None)
    separator = {"pair": ":", "percent": "%", "comma": ","}.get(form)
    if separator is not None:
        user, found, value = text[start:end].partition(separator)
        if not found or not user or user.startswith("$"):
            return None
        start = end - len(value)
    return start, end


def _is_argument(value: str) -> bool:
    """Return whether an argument may be a secret: no placeholder, no further option, no port or address."""
    if len(value) < 3 or is_placeholder(value) or value.startswith("-"):
        return False
    return not value.replace(".", "").replace(":", "").isdigit() or (value.isdigit() and len(value) >= 7)


def _same(found: str, name: str) -> bool:
    """Return whether the words of a command are those of this name, with options between them or not."""
    words, parts = name.split(), found.split()
    return parts[0] == words[0] and parts[-1] == words[-1] and len(parts) >= len(words)
