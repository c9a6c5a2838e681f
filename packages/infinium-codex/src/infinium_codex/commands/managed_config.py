"""`infinium-codex managed-config`: print a requirements.toml that installs the hooks as managed hooks.

Managed hooks need no trust, run in every project, and users cannot turn them off. They still record only where a
project was set up or the environment names an agent.
"""

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from infinium_codex.background.schedule import SAVED_VARIABLES
from infinium_codex.capture import install as hook_home
from infinium_codex.capture.hook_command import hook_command
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.program import CodexProgram, find_codex
from infinium_codex.codex.project_hooks import wanted_hooks
from infinium_codex.codex.settings import FLAG
from infinium_codex.codex.versions import HOOKS_ON_SINCE, format_version
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.support.paths import APP, Places
from infinium_codex.support.result import CommandError, Result

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9:/._,=@%+-]+")
"""Values that mean nothing to a shell."""
DIRECTORY = Path(f"/opt/{APP}")


def managed_config(
    *,
    directory: Annotated[
        Path, Parameter(help=f"Directory the hooks run from on every machine. [default: {DIRECTORY}]")
    ] = DIRECTORY,
    set_: Annotated[
        tuple[str, ...],
        Parameter(
            name="--set", negative="", help="NAME=VALUE: a variable of the hooks, unless the user's environment has it."
        ),
    ] = (),
    only: Annotated[bool, Parameter(negative="", help="Allow managed hooks only.")] = False,
    prepare: Annotated[
        bool, Parameter(negative="", help="Create the directory on this machine from this installation.")
    ] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Print the file; with `prepare`, also create the directory the hooks run from."""
    if directory.name != APP or not directory.is_absolute() or "\n" in str(directory):
        hint = f"Use a path such as {DIRECTORY}: init and uninstall recognize the hooks by this name."
        raise CommandError(f"--directory must be an absolute path that ends in /{APP}.", hint, exit_code=2)
    places = Places(data=directory, state=ctx.places.state, spool=ctx.places.spool)
    if prepare:
        hook_home.install(places, CODEX, mode=0o644)
        directory.chmod(0o755)
    codex = find_codex(ctx.environ)
    variables = "".join(map(_export, set_))
    wanted = wanted_hooks(codex, lambda event: variables + hook_command(event.name, directory))
    hooks = {hook.event: [hook.to_group()] for hook in wanted}
    document = {
        **({"allow_managed_hooks_only": True} if only else {}),
        "features": {FLAG: True},
        "hooks": {"managed_dir": str(directory), **hooks},
    }
    text = _with_comments(document, directory, codex)
    data = {"directory": str(directory), "requirements": document}
    return Result(ok=True, exit_code=0, lines=tuple(text.splitlines()), data=data, verbatim=True)


def _export(assignment: str) -> str:
    """Return the shell command that sets a variable of the settings or of the OTLP export, unless it is set."""
    name, _, value = assignment.partition("=")
    if name not in SAVED_VARIABLES:
        hint = f"Use one of {', '.join(sorted(SAVED_VARIABLES))}. Credentials are in no file."
        raise CommandError(f"--set does not take the variable {name!r}.", hint, exit_code=2)
    if not _PLAIN_VALUE.fullmatch(value):
        raise CommandError(f"--set {name}: use letters, digits and :/._,=@%+- only.", exit_code=2)
    return f'export {name}="${{{name}:-{value}}}"; '


def _with_comments(document: dict[str, object], directory: Path, codex: CodexProgram | None) -> str:
    import tomlkit

    oldest = format_version(HOOKS_ON_SINCE)
    made = f"Generated for Codex {codex.version_text}" if codex else "Generated without a Codex on PATH"
    if codex is not None and codex.can_async:
        made += "; its tool hooks are asynchronous, which Codex before 0.150 skips"
    return "\n".join(
        (
            "# infinium-codex as managed hooks. Install as /etc/codex/requirements.toml on every machine.",
            f"# {made}.",
            f"# Codex {oldest} and later run managed hooks. If you have other requirements, merge the tables.",
            f"# {directory} must exist: 'infinium-codex managed-config --prepare' creates it from an",
            "# installation that every user can read. Projects set up with 'infinium-codex init' are traced,",
            "# or all projects where INFINIUM_AGENT_ID and INFINIUM_BASE_URL, or CONNECTOR_OTLP_ENDPOINT, are set.",
            "# On Windows, add windows_managed_dir to [hooks]; 'infinium-codex' must be on PATH.",
            "",
            tomlkit.dumps(document),
        )
    )
