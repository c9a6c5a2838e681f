"""Fourth stage of `init`: write the files, in an order in which a failure leaves as little behind as possible."""

from pathlib import Path

from infinium_config import (
    LOCAL,
    SECRET_VARIABLE,
    ApprovedOrigins,
    KeyringUnavailable,
    ProjectFile,
    Secret,
    SecretFound,
    Source,
    find_secret,
    resolve,
    store_secret,
    write_project_file,
)
from msgspec import Struct

from infinium_codex.background.deliveries import schedule_delivery
from infinium_codex.background.schedule import Schedule
from infinium_codex.capture import install as hook_home
from infinium_codex.codex import features
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.project_hooks import Answer
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.setup import gitignore
from infinium_codex.setup.choices import Choices
from infinium_codex.setup.inspection import Inspection
from infinium_codex.setup.known_projects import KnownProjects
from infinium_codex.setup.plan import SetupPlan
from infinium_codex.support.result import CommandContext, CommandError


class Applied(Struct, frozen=True, kw_only=True):
    """What was done."""

    feature: str
    """Change of Codex's feature flag; empty where none was needed."""
    settings: tuple[str, ...]
    """Lines about the traces' destination and the secret."""
    has_secret: bool
    """Whether traces can be sent: the secret was found or stored, or none is needed."""
    gitignore: str
    """Change of .gitignore; empty where none was wanted."""
    covered_worktrees: tuple[Path, ...]
    """Linked worktrees in which Codex did not read the hooks before."""
    answer: Answer
    """Which hooks Codex will run now."""


def apply_setup(found: Inspection, plan: SetupPlan, choices: Choices, ctx: CommandContext, *, trust: bool) -> Applied:
    """Write everything. Raises CommandError where a file or Codex refuses."""
    feature = _set_feature_flag(found, ctx)
    hook_home.install(ctx.places, CODEX)
    settings, has_secret = _write_settings(found, choices, ctx)
    KnownProjects(ctx.places, ctx.environ).add(found.root)
    ignored = gitignore.ignore(found.root) if choices.gitignore else ""
    try:
        found.hooks.apply(plan.hooks, trust=trust)
        covered = () if found.managed else tuple(found.hooks.cover_worktrees())
        answer = found.hooks.ask()
    except AppServerError as error:
        hint = "The hooks are written. Run 'infinium-codex doctor' when Codex answers."
        raise CommandError(str(error), hint) from None
    return Applied(
        feature=feature,
        settings=settings,
        has_secret=has_secret,
        gitignore=ignored,
        covered_worktrees=covered,
        answer=answer,
    )


def _set_feature_flag(found: Inspection, ctx: CommandContext) -> str:
    """Turn hooks on where this Codex needs a flag. Runs first, so that a failure leaves nothing behind."""
    try:
        if found.codex is not None and features.needs_flag(found.codex, ctx.environ):
            return features.turn_on(found.codex, ctx.cwd, ctx.environ)
        if found.codex is not None and found.survey.settings.old_flag:
            return features.rename(found.codex, found.survey.settings, ctx.cwd, ctx.environ)
    except (ConfigTomlError, AppServerError) as error:
        raise CommandError(f"{error}", "Nothing was changed.") from None
    return ""


def _write_settings(found: Inspection, choices: Choices, ctx: CommandContext) -> tuple[tuple[str, ...], bool]:
    """Store the secret, approve its address, write the project file. Returns lines, and whether there is a secret."""
    file, secret = choices.file, choices.secret
    if file.base_url == LOCAL or file.base_url is None or file.agent_id is None:
        write_project_file(found.config, file)
        return (f"Traces     are stored on this machine, in {ctx.places.local}",), True
    ApprovedOrigins(ctx.places.origins).approve(file.agent_id, file.base_url)
    line, has_secret = _store_secret(ctx, file.agent_id, secret) if secret is not None else _look_up_secret(ctx, file)
    write_project_file(found.config, file)
    _try_refused_secret(ctx, file)
    return (f"Traces     go to {file.base_url}, agent {file.agent_id}", f"Secret     {line}"), has_secret


def _try_refused_secret(ctx: CommandContext, file: ProjectFile) -> None:
    """Have traces sent soon that wait because the server refused the secret: the user has just looked at it."""
    outbox, settings = open_outbox(ctx.places), resolve(ctx.environ, None, file)
    if any(note.agent_id == file.agent_id for note in outbox.parked()):
        outbox.probe_now()
        schedule_delivery(ctx.places, ctx.environ, settings, Schedule(str(ctx.places.schedule)))


def _store_secret(ctx: CommandContext, agent_id: str, secret: Secret) -> tuple[str, bool]:
    stored = store_secret(agent_id, secret)
    if not isinstance(stored, KeyringUnavailable):
        return "stored in the system keyring", True
    if ctx.environ.get(SECRET_VARIABLE, "").strip():
        return f"not stored: {stored.reason}. Used instead: {SECRET_VARIABLE}, which is set in this shell", True
    hint = f"Set {SECRET_VARIABLE} in the environment Codex runs in; hook and worker read it there."
    return f"not stored: {stored.reason}.\n           {hint}", False


def _look_up_secret(ctx: CommandContext, file: ProjectFile) -> tuple[str, bool]:
    """Where the secret is, for a set-up that does not change it, and whether there is one."""
    settings, origins = resolve(ctx.environ, None, file), ApprovedOrigins(ctx.places.origins)
    found = find_secret(settings, file.agent_id, file.base_url, origins=origins)
    if isinstance(found, SecretFound):
        return (
            f"from {SECRET_VARIABLE}" if found.source is Source.ENVIRONMENT else "found in the system keyring"
        ), True
    return f"not found: {found.reason}.\n           {found.hint}", False
