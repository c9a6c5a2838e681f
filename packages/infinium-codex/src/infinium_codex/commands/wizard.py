"""What `init` asks a person: everything in an empty project, what is to change in one that was set up."""

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
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.commands.asking import ask_for, choose, yes
from infinium_codex.support.result import CommandContext


class Choices(Struct, frozen=True, kw_only=True):
    """What is to be written, decided before anything is."""

    file: ProjectFile
    secret: Secret | None = None
    """None keeps the one there is."""
    stated: bool = False
    """Whether the address was typed just now: the secret may go there then."""
    gitignore: bool = False


def set_up(
    ctx: CommandContext, told: ProjectFile, secret: Secret | None, *, ask_secret: bool = True, ask_gitignore: bool
) -> Choices:
    """Ask for whatever `told` leaves open."""
    base_url = told.base_url or ask_for(
        ctx, "API address, or 'local' to keep the traces on this machine", parse_base_url, otherwise=DEFAULT_BASE_URL
    )
    agent_id = told.agent_id
    if base_url != LOCAL:
        agent_id = agent_id or ask_for(ctx, "Agent id (a UUID)", parse_agent_id)
        secret = secret or (_ask_secret(ctx) if ask_secret else None)
    flags = (told.flush_on_stop, told.flush_on_session_end)
    if flags == (None, None):
        flags = granularity_flags(_ask_granularity(ctx, Granularity.TURN))
    return Choices(
        file=replace(told, agent_id=agent_id, base_url=base_url, flush_on_stop=flags[0], flush_on_session_end=flags[1]),
        secret=secret,
        stated=told.base_url is None,
        gitignore=ask_gitignore and yes(ctx, "Add .infinium/ to .gitignore?"),
    )


def change(ctx: CommandContext, where: str, old: ProjectFile, *, ask_gitignore: bool) -> Choices | None:
    """Ask what is to change in a project that was set up; None to leave it as it is."""
    base_url = old.base_url or DEFAULT_BASE_URL
    granularity = _granularity(old)
    to = "stay on this machine" if base_url == LOCAL else f"go to {base_url}, agent {old.agent_id}"
    question = f"{where} is set up: its traces {to}. What is to change?"
    choices = (
        "The address and the credentials",
        "The hooks: repair them, and trust them in Codex",
        f"What becomes a trace (now: {granularity or 'as its file says'})",
        "Everything: start over",
        "Nothing",
    )
    match choose(ctx, question, choices, otherwise=2):
        case 1:
            return _new_credentials(ctx, old, base_url)
        case 2:
            return Choices(file=old)
        case 3:
            flags = granularity_flags(_ask_granularity(ctx, granularity or Granularity.TURN))
            return Choices(file=replace(old, flush_on_stop=flags[0], flush_on_session_end=flags[1]))
        case 4:
            return set_up(ctx, ProjectFile(redaction=old.redaction, extra=old.extra), None, ask_gitignore=ask_gitignore)
        case _:
            return None


def _new_credentials(ctx: CommandContext, old: ProjectFile, base_url: str) -> Choices:
    typed = ask_for(ctx, "API address, or 'local'", parse_base_url, otherwise=base_url)
    if typed == LOCAL:
        return Choices(file=replace(old, base_url=LOCAL))
    agent_id = ask_for(ctx, "Agent id (a UUID)", parse_agent_id, otherwise=old.agent_id)
    file = replace(old, base_url=typed, agent_id=agent_id)
    return Choices(file=file, secret=_ask_secret(ctx), stated=typed != base_url)


def _ask_secret(ctx: CommandContext) -> Secret | None:
    given = bool(ctx.environ.get(SECRET_VARIABLE, "").strip())
    kept = f"the one in {SECRET_VARIABLE}" if given else "the one in the system keyring"
    typed = ctx.ask(f"Agent secret (not shown; enter takes {kept})", True).strip()
    return Secret(typed) if typed else None


def _ask_granularity(ctx: CommandContext, now: Granularity) -> Granularity:
    def parse(answer: str) -> str:
        if answer not in list(Granularity):
            raise ValueError(f"use one of {', '.join(Granularity)}")
        return answer

    question = "What becomes a trace: every turn, one summary a session, or both (turn, session, both)"
    return Granularity(ask_for(ctx, question, parse, otherwise=now))


def _granularity(file: ProjectFile) -> Granularity | None:
    flags = (file.flush_on_stop, file.flush_on_session_end)
    return next((one for one in Granularity if granularity_flags(one) == flags), None)
