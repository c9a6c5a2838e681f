"""The trace that `infinium-codex test` sends, and what to do when it is not accepted."""

import platform
import uuid
from datetime import UTC, datetime
from pathlib import Path

from infinium_config import LOCAL, Settings
from infinium_config.settings import LOCAL_AGENT
from infinium_trace import encode
from infinium_transport import Accepted, Envelope, Outcome, Rejected, Retry, Unauthorized

from infinium_codex.delivery.projects import ROOT_LABEL
from infinium_codex.support.result import CommandError
from infinium_codex.version import VERSION

NAME = "Test trace of infinium-codex"
KIND = "test"
"""The trace's `kind` label, where a turn's trace has `turn`."""


def make_test_trace(settings: Settings, cwd: Path, *, now: float) -> Envelope:
    """Build a small trace without any content. `now` is in seconds since the epoch.

    Raises CommandError where no agent id is configured.
    """
    base_url = settings.base_url.value
    agent_id = settings.agent_id.value or (LOCAL_AGENT if base_url == LOCAL else None)
    if agent_id is None:
        raise CommandError("No agent id configured.", "Run 'infinium-codex init', or set INFINIUM_AGENT_ID.")
    root = settings.project.root if settings.project else cwd
    body: dict[str, object] = {
        "name": NAME,
        "description": "Sent by 'infinium-codex test' to check that traces arrive. It contains no work of Codex.",
        "current_datetime": datetime.fromtimestamp(now, UTC).isoformat(),
        "duration": 0,
        "environment": {
            "framework": "codex",
            "runtime": f"{platform.python_implementation()} {platform.python_version()}",
            "custom_tags": {"test": "true", "connector_version": VERSION},
        },
    }
    return Envelope(
        key=str(uuid.uuid4()),  # random, so that every test is a trace of its own
        agent_id=agent_id,
        base_url=base_url,
        body=encode(body),
        created=now,
        name=NAME,
        labels={"kind": KIND, "project": root.name, ROOT_LABEL: str(root)},
    )


def explain_failure(outcome: Outcome, envelope: Envelope) -> tuple[str, str]:
    """What failed, and what the user can do about it."""
    url, agent = envelope.base_url, envelope.agent_id
    match outcome:
        case Unauthorized(status=status, message=message):
            return (
                f"{url} refused the credentials of agent {agent} (HTTP {status}{_detail(message)}).",
                "Check the agent's secret at Infinium, then run 'infinium-codex update-credentials'.",
            )
        case Rejected():
            return _explain_rejection(outcome, url, agent)
        case Retry(status=None, reason=reason):
            return (
                f"{url} could not be reached: {reason}.",
                "Check the address, the network and any proxy (HTTPS_PROXY). Traces stay queued meanwhile.",
            )
        case Retry(reason=reason):
            return f"{url} does not accept traces now: {reason}.", "Try again later. Traces stay queued meanwhile."
        case Accepted():
            raise AssertionError("an accepted trace did not fail")


def _explain_rejection(outcome: Rejected, url: str, agent: str) -> tuple[str, str]:
    status, message = outcome.status, outcome.message
    if status is None:
        return f"Nothing was sent: {message}.", "'infinium-codex status' shows the source of the address."
    if status == 404:
        return (
            f"{url} has no agent {agent} (HTTP 404{_detail(message)}).",
            "Check the agent id and the address; 'infinium-codex status' shows their sources.",
        )
    if 300 <= status < 400:
        return (
            f"{url} answered with a redirect (HTTP {status}). Redirects are not followed, to protect the secret.",
            "Configure the address it redirects to: infinium-codex init --base-url ADDRESS",
        )
    return (
        f"The server rejected the test trace: {url} answered HTTP {status}{_detail(message)}.",
        "Check that the address is the API's base URL with its version; 'infinium-codex status' shows it.",
    )


def _detail(message: str) -> str:
    return f": {message.rstrip('.')}" if message else ""
