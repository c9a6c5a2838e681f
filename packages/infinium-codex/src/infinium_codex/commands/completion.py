"""`infinium-codex completion`: print a shell completion script."""

from typing import Annotated, Literal

from cyclopts import App, Parameter

from infinium_codex.support.result import Result


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Shell to generate completion for.")],
    /,
    *,
    app: Annotated[App, Parameter(parse=False)],
) -> Result:
    """Print a script that completes the commands and options in `shell`."""
    lines = tuple(app.generate_completion(shell=shell).splitlines())
    return Result(ok=True, exit_code=0, lines=lines, verbatim=True)
