"""The questions of `init`: all of them for a new project, a menu for one that is set up."""

from infinium_config import (
    DEFAULT_BASE_URL,
    LOCAL,
    SECRET_VARIABLE,
    Granularity,
    ProjectFile,
    Secret,
    granularity_flags,
    parse_agent_id,
    parse_base_url,
)
from msgspec.structs import replace

from infinium_codex.console.prompts import choose, confirm, prompt
from infinium_codex.setup.choices import Choices, InitOptions
from infinium_codex.setup.inspection import Inspection
from infinium_codex.support.result import CommandContext


def offers_user_hooks(found: Inspection, options: InitOptions) -> bool:
    """Whether the user may choose where the hooks are registered: in a new project, if no option says it."""
    undecided = options.user_hooks is None and not found.hooks.for_user and not found.managed
    return options.interactive and undecided and not found.config.exists()


def ask_user_hooks(ctx: CommandContext) -> bool:
    """Ask where the hooks are registered; True for all projects of the user."""
    choices = (
        "This project: its .codex/hooks.json, which a team can commit",
        "All your projects: Codex's own hooks.json, which also covers new clones and worktrees",
    )
    return choose(ctx, "Where should the hooks be registered?", choices, default=1) == 2


def ask_missing(
    ctx: CommandContext, given: ProjectFile, secret: Secret | None, *, ask_secret: bool = True, ask_gitignore: bool
) -> Choices:
    """Ask for every value that `given` and `secret` leave open."""
    base_url = given.base_url or prompt(
        ctx, "API address, or 'local' to keep the traces on this machine", parse_base_url, default=DEFAULT_BASE_URL
    )
    agent_id = given.agent_id
    if base_url != LOCAL:
        agent_id = agent_id or prompt(ctx, "Agent id (UUID)", parse_agent_id)
        secret = secret or (_ask_secret(ctx) if ask_secret else None)
    flags = (given.flush_on_stop, given.flush_on_session_end)
    if flags == (None, None):
        flags = granularity_flags(_ask_granularity(ctx, Granularity.TURN))
    return Choices(
        file=replace(
            given, agent_id=agent_id, base_url=base_url, flush_on_stop=flags[0], flush_on_session_end=flags[1]
        ),
        secret=secret,
        stated=given.base_url is None,
        gitignore=ask_gitignore and confirm(ctx, "Add .infinium/ to .gitignore?"),
    )


def ask_changes(ctx: CommandContext, root: str, old: ProjectFile, *, ask_gitignore: bool) -> Choices | None:
    """Ask what to change in a project that is set up; None to change nothing."""
    base_url = old.base_url or DEFAULT_BASE_URL
    granularity = _granularity(old)
    target = "are stored on this machine" if base_url == LOCAL else f"go to {base_url}, agent {old.agent_id}"
    question = f"{root} is already set up: its traces {target}. What do you want to change?"
    choices = (
        "Address and credentials",
        "Hooks: repair them, and trust them in Codex",
        f"Granularity: one trace per turn, per session, or both (now: {granularity or 'set by its flush options'})",
        "Everything: start over",
        "Nothing",
    )
    match choose(ctx, question, choices, default=2):
        case 1:
            return _ask_credentials(ctx, old, base_url)
        case 2:
            return Choices(file=old)
        case 3:
            on_stop, on_end = granularity_flags(_ask_granularity(ctx, granularity or Granularity.TURN))
            return Choices(file=replace(old, flush_on_stop=on_stop, flush_on_session_end=on_end))
        case 4:
            empty = ProjectFile(redaction=old.redaction, extra=old.extra)
            return ask_missing(ctx, empty, None, ask_gitignore=ask_gitignore)
        case _:
            return None


def _ask_credentials(ctx: CommandContext, old: ProjectFile, base_url: str) -> Choices:
    typed = prompt(ctx, "API address, or 'local'", parse_base_url, default=base_url)
    if typed == LOCAL:
        return Choices(file=replace(old, base_url=LOCAL))
    agent_id = prompt(ctx, "Agent id (UUID)", parse_agent_id, default=old.agent_id)
    file = replace(old, base_url=typed, agent_id=agent_id)
    return Choices(file=file, secret=_ask_secret(ctx), stated=typed != base_url)


def _ask_secret(ctx: CommandContext) -> Secret | None:
    in_environment = bool(ctx.environ.get(SECRET_VARIABLE, "").strip())
    kept = f"the secret in {SECRET_VARIABLE}" if in_environment else "the secret in the system keyring"
    typed = ctx.ask(f"Agent secret (input is hidden; press Enter to use {kept})", True).strip()
    return Secret(typed) if typed else None


def _ask_granularity(ctx: CommandContext, default: Granularity) -> Granularity:
    def parse(answer: str) -> str:
        if answer not in list(Granularity):
            raise ValueError(f"use one of {', '.join(Granularity)}")
        return answer

    question = "Send one trace per turn, one per session, or both (turn, session, both)"
    return Granularity(prompt(ctx, question, parse, default=default))


def _granularity(file: ProjectFile) -> Granularity | None:
    flags = (file.flush_on_stop, file.flush_on_session_end)
    return next((one for one in Granularity if granularity_flags(one) == flags), None)
