"""Finds the secret of a trace's agent, and decides whether it may be sent to the trace's address."""

import sys
from collections.abc import Mapping

from infinium_config import (
    SECRET_VARIABLE,
    ApprovedOrigins,
    KeyringUnavailable,
    SecretFound,
    SecretMissing,
    SecretRefused,
    Settings,
    Source,
    get_secret,
)
from msgspec.structs import replace

from infinium_codex.support.paths import Places

OTHER_AGENT_HINT = (
    "Run 'infinium-codex retry' in this agent's project, in a shell that has its secret, or store the secret in the "
    "keyring for every process with 'infinium-codex update-credentials'."
)


def find_secret(
    places: Places, environ: Mapping[str, str], settings: Settings, agent_id: str, base_url: str
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    """Find the secret of an agent for a base URL.

    The environment's secret belongs to the agent that the settings name, and is used for no other agent.
    """
    source = settings.base_url.source if settings.base_url.value == base_url else Source.PROJECT_FILE
    other_agent = settings.agent_id.value != agent_id and bool(environ.get(SECRET_VARIABLE, "").strip())
    if other_agent:
        environ = {name: value for name, value in environ.items() if name != SECRET_VARIABLE}
    if not environ.get(SECRET_VARIABLE):
        _make_keyring_importable()
    origins = ApprovedOrigins(places.origins)
    found = get_secret(agent_id, base_url, environ, origins=origins, base_url_source=source)
    if other_agent and isinstance(found, SecretMissing | KeyringUnavailable):
        return _explain_other_agent(found, settings.agent_id.value)
    return found


def _make_keyring_importable() -> None:
    """Run the site step where the interpreter skipped it: a keyring's back end may be in any site directory."""
    if sys.flags.no_site:
        import site

        site.main()


def _explain_other_agent(
    found: SecretMissing | KeyringUnavailable, owner: str | None
) -> SecretMissing | KeyringUnavailable:
    """Give the reason when the environment has a secret, but that of another agent."""
    belongs = f"belongs to agent {owner}" if owner else "belongs to no agent that INFINIUM_AGENT_ID or a project names"
    keyring = found.reason if isinstance(found, KeyringUnavailable) else "the keyring has no secret for this agent"
    return replace(found, reason=f"{SECRET_VARIABLE} {belongs}, and {keyring}", hint=OTHER_AGENT_HINT)
