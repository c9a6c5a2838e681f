"""`infinium-codex update-credentials`: another agent or another secret, and what waited for it is sent."""

from infinium_config import (
    DEFAULT_BASE_URL,
    LOCAL,
    SECRET_VARIABLE,
    ApprovedOrigins,
    KeyringUnavailable,
    ProjectFile,
    Secret,
    find_project,
    load,
    parse_agent_id,
    parse_base_url,
    read_project_file,
    store_secret,
    write_project_file,
)
from infinium_transport import DeliveryReport
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.background.deliveries import schedule_next_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.commands.asking import agree_on_address, ask_for, checked, given_secret
from infinium_codex.delivery.send import deliver_queued
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


class NewCredentials(Struct, frozen=True, kw_only=True):
    """What the user said on the command line."""

    agent_id: str | None = None
    agent_secret: str | None = None
    """The secret, or `-` for standard input; None is asked for."""
    base_url: str | None = None
    """States the project's address, where nobody can be asked whether the secret may go there."""


def run(given: NewCredentials, ctx: CommandContext) -> Result:
    """Store the secret, read it back, and let the agent's waiting traces go."""
    home = home_directory(ctx.environ)
    project = find_project(ctx.cwd, home=home)
    if project is None:
        raise CommandError(f"{ctx.cwd} is in no project that was set up.", "Run 'infinium-codex init' first.")
    old = read_project_file(project.config_path)
    base_url = _base_url(old, given)
    agent_id = checked("--agent-id", given.agent_id, parse_agent_id) or old.agent_id
    if agent_id is None:
        if not ctx.interactive:
            raise CommandError(f"{project.config_path} names no agent.", "Give --agent-id.", exit_code=2)
        agent_id = ask_for(ctx, "Agent id (a UUID)", parse_agent_id)
    agree_on_address(ctx, agent_id, base_url, stated=given.base_url is not None, interactive=ctx.interactive)
    secret = given_secret(given.agent_secret, ctx) or _asked_secret(agent_id, base_url, ctx)
    stored = store_secret(agent_id, secret)
    if isinstance(stored, KeyringUnavailable):
        raise CommandError(f"Nothing was changed: {stored.reason}.", stored.hint)
    ApprovedOrigins(ctx.places.origins).approve(agent_id, base_url)
    write_project_file(project.config_path, replace(old, agent_id=agent_id))
    open_outbox(ctx.places).unpark(agent_id)
    settings = load(ctx.cwd, ctx.environ, home=home)
    report = deliver_queued(ctx.places, ctx.environ, settings)
    schedule_next_delivery(report, ctx.environ, settings, Schedule(str(ctx.places.schedule)))
    lines = [f"Secret     of agent {agent_id} is in the system keyring, for {base_url}", *_told(report)]
    if ctx.environ.get(SECRET_VARIABLE, "").strip():
        lines.append(f"Note       {SECRET_VARIABLE} is set here and wins over the keyring where it is set.")
    data = {"agent_id": agent_id, "base_url": base_url, "sent": report.sent, "waiting": report.queued}
    return Result.success(tuple(lines), data)


def _base_url(file: ProjectFile, given: NewCredentials) -> str:
    base_url = file.base_url or DEFAULT_BASE_URL
    if base_url == LOCAL:
        hint = "To send them to the API: infinium-codex init --base-url ADDRESS --agent-id ID."
        raise CommandError("This project keeps its traces on this machine: it needs no credentials.", hint)
    stated = checked("--base-url", given.base_url, parse_base_url)
    if stated not in (None, base_url):
        hint = f"To change the project's address: infinium-codex init --base-url {stated}"
        raise CommandError(f"This project sends to {base_url}, not to {stated}.", hint, exit_code=2)
    return base_url


def _asked_secret(agent_id: str, base_url: str, ctx: CommandContext) -> Secret:
    typed = ctx.ask(f"Secret of agent {agent_id} for {base_url} (not shown)", True).strip() if ctx.interactive else ""
    if not typed:
        raise CommandError("No secret was given.", "Pipe it in: --agent-secret - reads one line.", exit_code=2)
    return Secret(typed)


def _told(report: DeliveryReport) -> list[str]:
    if report.busy:
        return ["Waiting    another process is sending right now; it takes what waits"]
    lines = [f"Sent       {report.sent} that waited"] if report.sent else []
    lines += [f"Waiting    {report.queued}: 'infinium-codex errors' says why"] if report.queued else []
    return lines
