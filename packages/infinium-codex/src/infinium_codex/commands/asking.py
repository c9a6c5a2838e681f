"""Questions to a person, and values a person gave on the command line."""

from collections.abc import Callable

from infinium_config import LOCAL, ApprovedOrigins, Secret
from infinium_config.precedence import shown

from infinium_codex.support.result import CommandContext, CommandError

STDIN = "-"
"""In place of a secret: read it from standard input, since an argument shows in process lists."""


def yes(ctx: CommandContext, question: str, *, otherwise: bool = True) -> bool:
    """The answer, `otherwise` for an empty one."""
    answer = ctx.ask(f"{question} {'[Y/n]' if otherwise else '[y/N]'}", False).strip().lower()
    return answer in ("y", "yes") or (otherwise and not answer)


def ask_for(ctx: CommandContext, question: str, parse: Callable[[str], str], *, otherwise: str | None = None) -> str:
    """An answer that `parse` takes, asked for again until it does; `otherwise` for an empty one."""
    asked = f"{question} [{otherwise}]" if otherwise is not None else question
    said = asked
    while True:
        answer = ctx.ask(said, False).strip()
        if not answer and otherwise is not None:
            return otherwise
        try:
            return parse(answer)
        except ValueError as error:
            said = f"{shown(answer)} cannot be used: {error}.\n{asked}"


def choose(ctx: CommandContext, question: str, choices: tuple[str, ...], *, otherwise: int) -> int:
    """The number (from 1) of the choice taken."""
    listed = "\n".join([question, *(f"  {number}  {choice}" for number, choice in enumerate(choices, 1)), "Choose"])

    def parse(answer: str) -> str:
        if answer not in [str(number) for number in range(1, len(choices) + 1)]:
            raise ValueError(f"use a number from 1 to {len(choices)}")
        return answer

    return int(ask_for(ctx, listed, parse, otherwise=str(otherwise)))


def checked(name: str, value: str | None, parse: Callable[[str], str]) -> str | None:
    """An option's value, parsed; None where it was not given."""
    if value is None or not value.strip():
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise CommandError(f"{name} {shown(value)} cannot be used: {error}.", exit_code=2) from None


def given_secret(given: str | None, ctx: CommandContext) -> Secret | None:
    """The secret of `--agent-secret`; None where the option was not given."""
    if given is None:
        return None
    value = ctx.stdin.readline().strip() if given == STDIN else given.strip()
    if not value:
        raise CommandError("The agent secret is empty.", "Pipe it in: --agent-secret - reads one line.", exit_code=2)
    return Secret(value)


def agree_on_address(ctx: CommandContext, agent_id: str, base_url: str, *, stated: bool, interactive: bool) -> None:
    """See that the user allows the agent's secret to go to this address; the caller notes it once all else is decided.

    An address named in this very run (`stated`) is allowed. One that a repository may have brought along has to be.
    """
    if base_url == LOCAL or stated or ApprovedOrigins(ctx.places.origins).is_approved(agent_id, base_url):
        return
    question = f"Send the traces and the secret of agent {agent_id} to {base_url}?"
    if not interactive or not yes(ctx, question, otherwise=False):
        raise CommandError(
            f"The project file names {base_url}, which you never approved for agent {agent_id}.",
            f"If you trust it, say so: --base-url {base_url}. Nothing was changed.",
            exit_code=2,
        )
