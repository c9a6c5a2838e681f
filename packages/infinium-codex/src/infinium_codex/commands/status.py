"""`infinium-codex status`: whether this project is traced, the state of delivery, settings and their sources."""

from infinium_config import LOCAL, SECRET_VARIABLE, ApprovedOrigins, Settings, load, may_send_secret

from infinium_codex.codex.daemon import find_daemon
from infinium_codex.codex.hooks_status import read_hooks_status
from infinium_codex.console.parameters import AllProjects, AsJson, Context
from infinium_codex.delivery.overview import read_overview
from infinium_codex.delivery.projects import project_directory
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.session.elsewhere import sessions_elsewhere
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory, is_set_up
from infinium_codex.view.project_status import ProjectStatus, SecretStatus, status_json, status_rows


def status(*, all_projects: AllProjects = False, ctx: Context, json: AsJson = False) -> Result:
    """Show the state of this project; with `--all`, the delivery of every project.

    Codex is asked about the hooks; keyring and network are not used.
    """
    found = _read(ctx, all_projects=all_projects)
    return Result(ok=True, exit_code=0, rows=tuple(status_rows(found)), data=status_json(found))


def _read(ctx: CommandContext, *, all_projects: bool) -> ProjectStatus:
    home = home_directory(ctx.environ)
    settings = load(ctx.cwd, ctx.environ, home=home)
    root = project_directory(ctx.cwd, home)
    return ProjectStatus(
        root=root,
        settings=settings,
        is_set_up=is_set_up(settings, ctx.environ),
        secret=_secret(settings, ctx),
        hooks=read_hooks_status(ctx.cwd, home, ctx.places, ctx.environ),
        delivery=read_overview(
            open_outbox(ctx.places),
            open_ledger(ctx.places),
            root,
            settings,
            secret_in_environment=settings.environment_secret is not None,
            all_projects=all_projects,
        ),
        untraced=tuple(files.directory for files in sessions_elsewhere(ctx.places, settings.session_ttl.value)),
        all_projects=all_projects,
        daemon=find_daemon(ctx.environ),
    )


def _secret(settings: Settings, ctx: CommandContext) -> SecretStatus:
    agent_id, base_url = settings.agent_id.value, settings.base_url.value
    if base_url == LOCAL:
        return SecretStatus(text="not needed")
    if agent_id is None:
        return SecretStatus(text="unknown: no agent id configured", problem="no agent id is configured")
    if not may_send_secret(settings, origins=ApprovedOrigins(ctx.places.origins)):
        text = f"withheld: {base_url} is not approved for this agent"
        return SecretStatus(text=text, problem=f"{base_url} is not approved")
    if settings.environment_secret is not None:
        return SecretStatus(text=f"from {SECRET_VARIABLE}")
    return SecretStatus(text="system keyring (not read; 'infinium-codex doctor' reads it)")
