"""Finds the secret of a trace's agent: to remove it from the trace, and to send it where it may be sent."""

import sys
import time
from collections.abc import Mapping

import infinium_config
from infinium_config import (
    LOCAL,
    ApprovedOrigins,
    KeyringUnavailable,
    Secret,
    SecretFound,
    SecretMissing,
    SecretRefused,
    Settings,
)
from msgspec.structs import replace

from infinium_codex.otlp.variables import OTLP_AGENT
from infinium_codex.support.paths import Places

REMEMBER_SECONDS = 10.0
"""How long an answer of the keyring is used. A worker that redacts and then sends asks once, also if none comes."""
_answers: dict[str, tuple[float, Secret | KeyringUnavailable | None]] = {}
NOT_IN_ENVIRONMENT = "this agent's secret is not in the environment"
OTHER_AGENT_HINT = (
    "Run 'infinium-codex retry' in this agent's project, in a shell that has its secret, or store the secret in the "
    "keyring for every process with 'infinium-codex update-credentials'."
)


def find_secret(
    places: Places,
    settings: Settings,
    agent_id: str | None = None,
    base_url: str | None = None,
    held: Mapping[str, Mapping[str, str]] | None = None,
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    """Find the secret of an agent for a base URL; by default those of the settings.

    `held` are the environments that the scheduler holds, by the agent that each one's secret belongs to.
    """
    if held is not None and agent_id is not None and agent_id in held:
        settings = infinium_config.resolve({**held[agent_id], "INFINIUM_AGENT_ID": agent_id}, None, None)
    other_agent = agent_id is not None and settings.agent_id.value != agent_id
    has_secret = settings.environment_secret is not None
    found = infinium_config.find_secret(
        settings, agent_id, base_url, origins=ApprovedOrigins(places.origins), look_up=_remembered
    )
    if not isinstance(found, SecretMissing | KeyringUnavailable) or not other_agent:
        return found
    if held is not None or (has_secret and settings.agent_id.value is not None):
        # The same words from every process, because a new reason is a new error in the ledger.
        keyring = found.reason.partition(", and ")[2]
        return replace(found, reason=f"{NOT_IN_ENVIRONMENT}, and {keyring}", hint=OTHER_AGENT_HINT)
    return replace(found, hint=OTHER_AGENT_HINT) if has_secret else found


def secrets_to_redact(settings: Settings, agent_id: str, base_url: str) -> tuple[str, ...]:
    """The secrets that no trace of this agent may contain.

    They are the one in the environment and, unless that is this agent's, the one in the keyring. Traces that stay on
    this machine need no secret, so the keyring is not asked. If it does not answer, the trace is built without its
    secret. It cannot be sent either until the secret is known, and then the secret is removed from it (`send`).
    """
    own = settings.environment_secret
    found = None
    if base_url != LOCAL and agent_id != OTLP_AGENT and (own is None or settings.agent_id.value != agent_id):
        found = _look_up(agent_id)
    return tuple(secret.reveal() for secret in (own, found) if isinstance(secret, Secret))


def _look_up(agent_id: str) -> Secret | KeyringUnavailable | None:
    """Ask the keyring, and remember its answer for the delivery that follows."""
    _make_keyring_importable()
    found = infinium_config.look_up_secret(agent_id)
    _answers[agent_id] = time.monotonic(), found
    return found


def _remembered(agent_id: str) -> Secret | KeyringUnavailable | None:
    """The keyring's answer of the last few seconds, while traces were built, or a new one."""
    asked, found = _answers.get(agent_id, (0.0, None))
    if agent_id in _answers and time.monotonic() - asked < REMEMBER_SECONDS:
        return found
    _make_keyring_importable()
    return infinium_config.look_up_secret(agent_id)


def _make_keyring_importable() -> None:
    """Run the site step where the interpreter skipped it: a keyring's back end may be in any site directory."""
    if sys.flags.no_site:
        import site

        site.main()
