"""Checks of the secret: whether it may go to the project's address, and whether this shell can read it."""

from infinium_config import LOCAL, SECRET_VARIABLE, ApprovedOrigins, SecretFound, Settings, Source, may_send_secret

from infinium_codex.delivery.secrets import find_secret
from infinium_codex.doctor.checks import Check, ok, problem, see, unknown
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.settings import NOT_NEEDED


def address(context: CheckContext) -> Check:
    """Check that the user approved sending the secret to the project's address."""
    name = "address"
    if context.settings is None:
        return see(name, "settings")
    base_url, agent_id = context.settings.base_url, context.settings.agent_id.value
    if base_url.value == LOCAL:
        return ok(name, "Local: traces stay on this machine.")
    if agent_id is None:
        return unknown(name, f"{base_url}")
    if not _is_approved(context, context.settings):
        evidence = f"{base_url.value} is not approved for agent {agent_id}, so it gets no secret."
        fix = f"If you trust it, run 'infinium-codex update-credentials --base-url {base_url.value}'."
        return problem(name, evidence, fix)
    return ok(name, f"{base_url}")


def secret(context: CheckContext) -> Check:
    """Check that this shell can read the secret."""
    name = "secret"
    skipped = skip_lookup(name, context)
    if skipped is not None:
        return skipped
    assert context.settings is not None
    found = find_secret(context.places, context.settings)
    if not isinstance(found, SecretFound):
        return problem(name, f"{found.reason[:1].upper()}{found.reason[1:]}.", found.hint)
    if found.source is Source.ENVIRONMENT:
        return ok(name, f"Read from {SECRET_VARIABLE}. Start Codex in a shell that has this variable too.")
    return ok(name, "Read from the system keyring.")


def skip_lookup(name: str, context: CheckContext) -> Check | None:
    """The result of a secret check that does not need to read the secret; None where it does."""
    if context.settings is None:
        return see(name, "settings")
    if context.settings.base_url.value == LOCAL:
        return ok(name, NOT_NEEDED)
    if context.settings.agent_id.value is None:
        return see(name, "agent" if context.is_set_up else "settings")
    if not _is_approved(context, context.settings):
        return see(name, "address")
    return None


def _is_approved(context: CheckContext, settings: Settings) -> bool:
    return may_send_secret(settings, origins=ApprovedOrigins(context.places.origins))
