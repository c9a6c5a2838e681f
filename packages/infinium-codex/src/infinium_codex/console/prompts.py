"""Questions to the user, and checks of values given as options."""

from collections.abc import Callable

from infinium_config import LOCAL, ApprovedOrigins, Secret
from infinium_config.precedence import shown

from infinium_codex.support.result import CommandContext, CommandError

STDIN = "-"
"""Given instead of a secret: read it from standard input, because arguments are visible in process lists."""


def confirm(ctx: CommandContext, question: str, *, default: bool = True) -> bool:
    """Ask a yes-or-no question; an empty answer means `default`."""
    answer = ctx.ask(f"{question} {'[Y/n]' if default else '[y/N]'}", False).strip().lower()
    return answer in ("y", "yes") or (default and not answer)


def confirm_or_yes(ctx: CommandContext, question: str, *, yes: bool, kept: str) -> None:
    """Ask before something is deleted. `yes` is the option `--yes`, `kept` says that nothing was done.

    Raises CommandError where the user declines or cannot be asked.
    """
    if yes:
        return
    if not ctx.interactive:
        raise CommandError("Not interactive; pass --yes.", exit_code=2)
    if not confirm(ctx, question, default=False):
        raise CommandError(kept)


def prompt(ctx: CommandContext, question: str, parse: Callable[[str], str], *, default: str | None = None) -> str:
    """Ask until `parse` accepts the answer; an empty answer means `default`."""
    asked = f"{question} [{default}]" if default is not None else question
    text = asked
    while True:
        answer = ctx.ask(text, False).strip()
        if not answer and default is not None:
            return default
        try:
            return parse(answer)
        except ValueError as error:
            text = f"Invalid value {shown(answer)}: {error}.\n{asked}"


def choose(ctx: CommandContext, question: str, choices: tuple[str, ...], *, default: int) -> int:
    """Ask for one of several choices; returns its number, from 1."""
    menu = "\n".join([question, *(f"  {number}  {choice}" for number, choice in enumerate(choices, 1)), "Choose"])

    def parse(answer: str) -> str:
        if answer not in [str(number) for number in range(1, len(choices) + 1)]:
            raise ValueError(f"use a number from 1 to {len(choices)}")
        return answer

    return int(prompt(ctx, menu, parse, default=str(default)))


def parse_option(name: str, value: str | None, parse: Callable[[str], str]) -> str | None:
    """Parse an option's value; None where the option was not given. Raises CommandError naming the option."""
    if value is None or not value.strip():
        return None
    try:
        return parse(value)
    except ValueError as error:
        raise CommandError(f"Invalid {name} {shown(value)}: {error}.", exit_code=2) from None


def secret_option(value: str | None, ctx: CommandContext) -> Secret | None:
    """Read the secret of `--agent-secret`; None where the option was not given."""
    if value is None:
        return None
    secret = ctx.stdin.readline().strip() if value == STDIN else value.strip()
    if not secret:
        raise CommandError(
            "The agent secret is empty.", "Pass it on standard input: --agent-secret - reads one line.", exit_code=2
        )
    return Secret(secret)


def confirm_origin(ctx: CommandContext, agent_id: str, base_url: str, *, stated: bool, interactive: bool) -> None:
    """Ask for permission to send the agent's secret to an address that was not approved before.

    An address the user states in this run (`stated`) is approved. An address from the project file may come from a
    repository, so the user has to approve it. The caller stores the approval once everything is decided.
    Raises CommandError where the user declines or cannot be asked.
    """
    if base_url == LOCAL or stated or ApprovedOrigins(ctx.places.origins).is_approved(agent_id, base_url):
        return
    question = f"Send the traces and the secret of agent {agent_id} to {base_url}?"
    if not interactive or not confirm(ctx, question, default=False):
        raise CommandError(
            f"The project file sends agent {agent_id} to {base_url}, which you have not approved.",
            f"If you trust this address, pass --base-url {base_url}. Nothing was changed.",
            exit_code=2,
        )
