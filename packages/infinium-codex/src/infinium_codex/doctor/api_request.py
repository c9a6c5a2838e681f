"""The request that `doctor --online` makes: a GET of the agent's trace address, without the secret."""

from infinium_config import LOCAL, Settings
from infinium_transport import Reached, Rejected, Retry
from msgspec import Struct

from infinium_codex.delivery.send import make_client

NOT_ASKED = "Not contacted; 'infinium-codex doctor --online' does."
PLACEHOLDER_AGENT = "00000000-0000-4000-8000-000000000000"
"""Agent id in the requested address where none is configured."""


class ApiRequest(Struct, frozen=True, kw_only=True):
    """The answer; None where no request was made."""

    answer: Reached | Retry | Rejected | None = None
    skipped: str = NOT_ASKED
    """Why no request was made."""


def request_api(settings: Settings | None) -> ApiRequest:
    """Make the request. It changes nothing at the API, and any answer shows that the API is there."""
    if settings is None:
        return ApiRequest(skipped="See 'settings'.")
    if settings.base_url.value == LOCAL:
        return ApiRequest(skipped="")
    with make_client(settings) as client:
        return ApiRequest(answer=client.reach(settings.base_url.value, settings.agent_id.value or PLACEHOLDER_AGENT))
