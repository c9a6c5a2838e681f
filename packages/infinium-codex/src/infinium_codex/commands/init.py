"""`infinium-codex init`: set up tracing in this project. Everything is decided before anything is written."""

from typing import Annotated, Literal

from cyclopts import Parameter
from infinium_config import Granularity

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.setup.choices import InitOptions
from infinium_codex.support.result import Result


def init(
    *,
    agent_id: Annotated[str | None, Parameter(help="UUID of the agent.")] = None,
    agent_secret: Annotated[
        str | None,
        Parameter(allow_leading_hyphen=True, help="Secret of the agent; '-' reads it from standard input."),
    ] = None,
    base_url: Annotated[str | None, Parameter(help="Address of the API, or 'local'.")] = None,
    granularity: Annotated[
        Literal["turn", "session", "both"] | None,
        Parameter(help="Send one trace per turn, per session, or both (default: turn)."),
    ] = None,
    trust: Annotated[
        bool | None,
        Parameter(help="Trust the infinium-codex hooks in Codex (default: ask; yes without a terminal)."),
    ] = None,
    user_hooks: Annotated[
        bool | None,
        Parameter(
            help="Register the hooks for all your projects, in Codex's own directory, instead of in this project. Each "
            "project is still traced only after init."
        ),
    ] = None,
    local: Annotated[
        bool, Parameter(negative="", help="Keep the traces on this machine; no account or secret needed.")
    ] = False,
    gitignore: Annotated[bool, Parameter(negative="", help="Add .infinium/ to .gitignore.")] = False,
    interactive: Annotated[bool, Parameter(help="Ask for missing values.")] = True,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Write the project file and hooks.json, trust the hooks where wanted, and show which hooks Codex will run."""
    options = InitOptions(
        agent_id=agent_id,
        agent_secret=agent_secret,
        base_url=base_url,
        granularity=Granularity(granularity) if granularity else None,
        trust=trust,
        user_hooks=user_hooks,
        local=local,
        gitignore=gitignore,
        interactive=interactive and not json and ctx.interactive,
    )
    from infinium_codex.setup.run import set_up_project  # imports Codex's side; help does not need it

    return set_up_project(options, ctx)
