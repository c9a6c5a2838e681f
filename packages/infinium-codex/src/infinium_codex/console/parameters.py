"""Parameters that several commands have."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from infinium_codex.support.result import CommandContext

Context = Annotated[CommandContext, Parameter(parse=False)]
"""The environment a command runs in; `run_command` passes it, the user does not."""
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON.")]
"""`run_command` reads this one; a command only declares it."""
Count = Annotated[
    int,
    Parameter(
        name=["--count", "-n"],
        show_default=True,
        validator=Number(gte=1),
        help="Number of entries to show, newest first.",
    ),
]
AllProjects = Annotated[bool, Parameter(name="--all", negative="", help="Show every project of this user.")]
