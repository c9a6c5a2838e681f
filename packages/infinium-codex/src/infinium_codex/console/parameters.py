"""Parameters that several commands have."""

from collections.abc import Sequence
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
