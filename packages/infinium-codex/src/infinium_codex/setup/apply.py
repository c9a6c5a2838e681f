"""Fourth stage of `init`: write the files, in an order in which a failure leaves as little behind as possible."""

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

from infinium_codex.capture import install as hook_home
from infinium_codex.codex import features
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.project_hooks import Answer
from infinium_codex.setup import gitignore
from infinium_codex.setup.choices import Choices
from infinium_codex.setup.inspection import Inspection
from infinium_codex.setup.plan import SetupPlan
from infinium_codex.support.result import CommandContext, CommandError


class Applied(Struct, frozen=True, kw_only=True):
    """What was done."""

    feature: str
    """Change of Codex's feature flag; empty where none was needed."""
    settings: tuple[str, ...]
    """Lines about the traces' destination and the secret."""
    gitignore: str
    """Change of .gitignore; empty where none was wanted."""
    answer: Answer
    """Which hooks Codex will run now."""


def apply_setup(found: Inspection, plan: SetupPlan, choices: Choices, ctx: CommandContext, *, trust: bool) -> Applied:
    """Write everything. Raises CommandError where a file or Codex refuses."""
    feature = _set_feature_flag(found, ctx)
    hook_home.install(ctx.places, CODEX)
    settings = tuple(_write_settings(found, choices, ctx))
    ignored = gitignore.ignore(found.root) if choices.gitignore else ""
    try:
        found.hooks.apply(plan.hooks, trust=trust)
        answer = found.hooks.ask()
    except AppServerError as error:
        hint = "The hooks are written. Run 'infinium-codex doctor' when Codex answers."
        raise CommandError(str(error), hint) from None
    return Applied(feature=feature, settings=settings, gitignore=ignored, answer=answer)


def _set_feature_flag(found: Inspection, ctx: CommandContext) -> str:
    """Turn hooks on where this Codex needs a flag. Runs first, so that a failure leaves nothing of ours behind."""
    try:
        if found.codex is not None and features.needs_flag(found.codex, ctx.environ):
            return features.turn_on(found.codex, ctx.cwd, ctx.environ)
        if found.codex is not None and found.survey.settings.old_flag:
            return features.rename(found.codex, found.survey.settings, ctx.cwd, ctx.environ)
    except (ConfigTomlError, AppServerError) as error:
        raise CommandError(f"{error}", "Nothing was changed.") from None
    return ""


def _write_settings(found: Inspection, choices: Choices, ctx: CommandContext) -> list[str]:
    """Store the secret, approve its address, write the project file."""
    file, secret = choices.file, choices.secret
    if file.base_url == LOCAL or file.base_url is None or file.agent_id is None:
        write_project_file(found.config, file)
        return [f"Traces     are stored on this machine, in {ctx.places.local}"]
    ApprovedOrigins(ctx.places.origins).approve(file.agent_id, file.base_url)
    secret_line = _store_secret(file.agent_id, secret) if secret is not None else _describe_secret(ctx, file)
    write_project_file(found.config, file)
    return [f"Traces     go to {file.base_url}, agent {file.agent_id}", f"Secret     {secret_line}"]


def _store_secret(agent_id: str, secret: Secret) -> str:
    stored = store_secret(agent_id, secret)
    if isinstance(stored, KeyringUnavailable):
        return (
            f"not stored: {stored.reason}.\n"
            f"           Set {SECRET_VARIABLE} in the environment Codex runs in; hook and worker read it there."
        )
    return "stored in the system keyring"


def _describe_secret(ctx: CommandContext, file: ProjectFile) -> str:
    """Where the secret is, for a set-up that does not change it."""
    settings, origins = resolve(ctx.environ, None, file), ApprovedOrigins(ctx.places.origins)
    found = find_secret(settings, file.agent_id, file.base_url, origins=origins)
    if isinstance(found, SecretFound):
        return f"from {SECRET_VARIABLE}" if found.source is Source.ENVIRONMENT else "found in the system keyring"
    return f"not found: {found.reason}.\n           {found.hint}"
