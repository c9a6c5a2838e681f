"""Finds the secret of a trace's agent, and decides whether it may be sent to the trace's address."""

import sys

import infinium_config
from infinium_config import (
    ApprovedOrigins,
    KeyringUnavailable,
    SecretFound,
    SecretMissing,
    SecretRefused,
    Settings,
)
from msgspec.structs import replace

from infinium_codex.support.paths import Places

OTHER_AGENT_HINT = (
    "Run 'infinium-codex retry' in this agent's project, in a shell that has its secret, or store the secret in the "
    "keyring for every process with 'infinium-codex update-credentials'."
)


def find_secret(
    places: Places, settings: Settings, agent_id: str | None = None, base_url: str | None = None
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    """Find the secret of an agent for a base URL; by default those of the settings."""
    other_agent = agent_id is not None and settings.agent_id.value != agent_id
    has_secret = settings.environment_secret is not None
    if other_agent or not has_secret:
        _make_keyring_importable()
    found = infinium_config.find_secret(settings, agent_id, base_url, origins=ApprovedOrigins(places.origins))
    if other_agent and has_secret and isinstance(found, SecretMissing | KeyringUnavailable):
        return replace(found, hint=OTHER_AGENT_HINT)
    return found


def _make_keyring_importable() -> None:
    """Run the site step where the interpreter skipped it: a keyring's back end may be in any site directory."""
    if sys.flags.no_site:
        import site

        site.main()
