"""`infinium-codex update-credentials`: store a new secret for this project's agent, then send its queued traces."""

from collections.abc import Mapping
from typing import Annotated

from cyclopts import Parameter
from infinium_config import (
    DEFAULT_BASE_URL,
    LOCAL,
    SECRET_VARIABLE,
    ApprovedOrigins,
    KeyringUnavailable,
    ProjectFile,
    Secret,
    load,
    parse_agent_id,
    parse_base_url,
    read_project_file,
    store_secret,
    write_project_file,
)
from infinium_transport import DeliveryReport
from msgspec.structs import replace

from infinium_codex.background.deliveries import schedule_next_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.console.formatting import plural
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.console.prompts import confirm_origin, parse_option, prompt, secret_option
from infinium_codex.delivery.send import deliver_queued
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.support.held_secrets import AGENT_ID_VARIABLE, BASE_URL_VARIABLE
from infinium_codex.support.project_files import require_project
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


def update_credentials(
    *,
    agent_id: Annotated[str | None, Parameter(help="UUID of another agent.")] = None,
    agent_secret: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="The new secret; '-' reads it from standard input.")
    ] = None,
    base_url: Annotated[
        str | None, Parameter(help="The project's address, to approve sending the secret to it.")
    ] = None,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Store the secret in the system keyring and deliver the agent's queued traces. Nothing is written on an error.

    Where no keyring can store it, the queued traces are sent with it once, and the command fails.
    """
    project = require_project(ctx)
    file = read_project_file(project.config_path)
    address = _address(file, base_url)
    agent = parse_option("--agent-id", agent_id, parse_agent_id) or file.agent_id
    if agent is None:
        if not ctx.interactive:
            raise CommandError(f"No agent id in {project.config_path}.", "Pass --agent-id.", exit_code=2)
        agent = prompt(ctx, "Agent id (UUID)", parse_agent_id)
    confirm_origin(ctx, agent, address, stated=base_url is not None, interactive=ctx.interactive)
    secret = secret_option(agent_secret, ctx) or _ask_secret(agent, address, ctx)
    stored = store_secret(agent, secret)
    if isinstance(stored, KeyringUnavailable):
        return _not_stored(stored, agent, address, secret, ctx)
    ApprovedOrigins(ctx.places.origins).approve(agent, address)
    write_project_file(project.config_path, replace(file, agent_id=agent))
    report = _deliver(agent, ctx, ctx.environ)
    lines = [f"Secret     stored in the system keyring for agent {agent} and {address}", *_summary(report)]
    if ctx.environ.get(SECRET_VARIABLE, "").strip():
        lines.append(f"Note       {SECRET_VARIABLE} is set in this shell; where it is set, it overrides the keyring.")
    data = {"agent_id": agent, "base_url": address, "sent": report.sent, "waiting": report.queued}
    return Result.success(tuple(lines), data)


def _address(file: ProjectFile, option: str | None) -> str:
    """The project's address; the option may only repeat it."""
    address = file.base_url or DEFAULT_BASE_URL
    if address == LOCAL:
        hint = "To send traces to the API, run: infinium-codex init --base-url ADDRESS --agent-id ID"
        raise CommandError("This project stores its traces on this machine and needs no credentials.", hint)
    stated = parse_option("--base-url", option, parse_base_url)
    if stated not in (None, address):
        hint = f"To change the project's address, run: infinium-codex init --base-url {stated}"
        raise CommandError(f"This project sends to {address}, not to {stated}.", hint, exit_code=2)
    return address


def _ask_secret(agent_id: str, base_url: str, ctx: CommandContext) -> Secret:
    question = f"Secret of agent {agent_id} for {base_url} (input is hidden)"
    typed = ctx.ask(question, True).strip() if ctx.interactive else ""
    if not typed:
        hint = "Pass it on standard input: --agent-secret - reads one line."
        raise CommandError("No secret given.", hint, exit_code=2)
    return Secret(typed)


def _not_stored(
    unavailable: KeyringUnavailable, agent_id: str, base_url: str, secret: Secret, ctx: CommandContext
) -> Result:
    """The result where no keyring can store the secret: the queued traces are sent with it once."""
    variables = {AGENT_ID_VARIABLE: agent_id, BASE_URL_VARIABLE: base_url, SECRET_VARIABLE: secret.reveal()}
    report = _deliver(agent_id, ctx, {**ctx.environ, **variables})
    what = f"The secret was not stored: {unavailable.reason}."
    data = {"error": what, "hint": unavailable.hint, "sent": report.sent, "waiting": report.queued}
    lines = (what, *_summary(report), unavailable.hint)
    return Result(ok=False, exit_code=1, lines=lines, data=data)


def _deliver(agent_id: str, ctx: CommandContext, environ: Mapping[str, str]) -> DeliveryReport:
    """Unpark the agent's queue and send it with the secret that this environment, or else the keyring, has."""
    outbox = open_outbox(ctx.places)
    outbox.unpark(agent_id)
    settings = load(ctx.cwd, environ, home=home_directory(environ))
    if any(outbox.pending()):
        ctx.progress(f"Sending the queued traces of agent {agent_id} …")
    report = deliver_queued(ctx.places, settings)
    schedule_next_delivery(report, ctx.places, environ, settings, Schedule(str(ctx.places.schedule)))
    return report


def _summary(report: DeliveryReport) -> list[str]:
    lines = [f"Sent       {plural(report.sent, 'queued trace')}"] if report.sent else []
    lines += (
        [f"Queued     {plural(report.queued, 'trace')}; 'infinium-codex errors' shows why"] if report.queued else []
    )
    return lines
