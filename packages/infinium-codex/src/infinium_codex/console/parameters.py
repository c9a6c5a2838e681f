"""Parameters that several commands have."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from infinium_codex.support.result import CommandContext


def whole_number(_: object, tokens: Sequence[Token]) -> int:
    """Convert an option's value. cyclopts alone would take 1.5 for 1."""
    text = tokens[0].value.strip()
    if not text.lstrip("+-").isdecimal():
        raise ValueError(f'"{text}" is not a whole number')
    return int(text)


_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def point_in_time(_: object, tokens: Sequence[Token]) -> float:
    """Convert an option's value to seconds since the epoch: `today`, `3d` (ago), or a date or time in ISO 8601."""
    text = tokens[0].value.strip()
    now = datetime.now().astimezone()
    if text.lower() in ("today", "yesterday"):
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return (midnight - timedelta(days=text.lower() == "yesterday")).timestamp()
    if ago := _AGO.fullmatch(text.lower()):
        return max(now.timestamp() - int(ago[1]) * _SECONDS[ago[2]], 0.0)
    try:
        return max(datetime.fromisoformat(text).astimezone().timestamp(), 0.0)  # without a zone: the user's own
    except (ValueError, OverflowError, OSError):
        raise ValueError(f'"{text}" is no time. Use "today", "12h", "7d", or a date such as 2026-01-31') from None


Since = Annotated[
    float,
    Parameter(
        converter=point_in_time,
        help='Only what began since then: "today", "yesterday", an age such as 12h, 7d or 2w, or a date.',
    ),
]
Context = Annotated[CommandContext, Parameter(parse=False)]
"""The environment a command runs in; `run_command` passes it, the user does not."""
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
"""`run_command` reads this one; a command only declares it."""
Count = Annotated[
    int,
    Parameter(
        name=["--count", "-n"],
        show_default=True,
        converter=whole_number,
        validator=Number(gte=1),
        help="Number of entries to show, newest first.",
    ),
]
AllProjects = Annotated[bool, Parameter(name="--all", negative="", help="Show every project of this user.")]
