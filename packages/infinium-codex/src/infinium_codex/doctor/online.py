"""The API, asked for nothing: is it there, and is its clock ours? Only where the user wants the network used."""

from email.utils import parsedate_to_datetime

from infinium_config import LOCAL
from infinium_transport import Reached, Rejected, Retry
from msgspec import Struct

from infinium_codex.delivery.send import make_client
from infinium_codex.doctor.checks import Check, ok, problem, unknown, warning
from infinium_codex.doctor.situation import Situation

NOT_ASKED = "not asked; 'infinium-codex doctor --online' does"
TOLERATED_SECONDS = 120.0
UNKNOWN_AGENT = "00000000-0000-4000-8000-000000000000"
"""Stands in the address that is asked where no agent is set."""


class Asked(Struct, frozen=True, kw_only=True):
    """The request and its answer; None where none was made."""

    answer: Reached | Retry | Rejected | None = None
    why_not: str = NOT_ASKED


def ask(s: Situation) -> Asked:
    """A GET of the agent's trace address, without the secret: it leaves nothing behind, and any answer will do."""
    if s.settings is None:
        return Asked(why_not="see 'settings'")
    if s.settings.base_url.value == LOCAL:
        return Asked(why_not="")
    with make_client(s.settings) as client:
        return Asked(answer=client.reach(s.settings.base_url.value, s.settings.agent_id.value or UNKNOWN_AGENT))


def api(s: Situation, asked: Asked) -> Check:
    """Whether something answers where the traces go."""
    name = "api"
    if s.settings is not None and s.settings.base_url.value == LOCAL:
        return ok(name, "not needed: traces stay on this machine")
    answer = asked.answer
    if answer is None:
        return unknown(name, asked.why_not)
    if isinstance(answer, Rejected):
        return problem(name, f"nothing was asked: {answer.message}", "infinium-codex init --base-url ADDRESS")
    if isinstance(answer, Retry):
        fix = "Check the address, the network and any proxy (HTTPS_PROXY). Traces wait in the outbox meanwhile."
        return problem(name, f"no answer to GET {_address(s)}: {answer.reason}", fix)
    told = f"GET {answer.url}, without the secret, was answered with HTTP {answer.status}"
    if answer.status >= 500:
        return warning(name, told, "The API has trouble of its own; traces wait in the outbox meanwhile.")
    if 300 <= answer.status < 400:
        return problem(name, f"{told}, a redirect, which is not followed", "infinium-codex init --base-url ADDRESS")
    return ok(name, f"{told}; 'infinium-codex test' tries the secret too")


def clock(s: Situation, asked: Asked) -> Check:
    """Whether this machine's clock is the API's: a trace tells times."""
    name = "clock"
    if s.settings is not None and s.settings.base_url.value == LOCAL:
        return ok(name, "not compared: traces stay on this machine")
    answer = asked.answer
    if not isinstance(answer, Reached):
        return unknown(name, "see 'api'" if answer is not None else asked.why_not)
    try:
        theirs = parsedate_to_datetime(answer.date or "").timestamp()
    except ValueError:
        return unknown(name, "the API does not tell its own")
    ahead = s.now - theirs
    if abs(ahead) > TOLERATED_SECONDS:
        evidence = f"this machine's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the API's"
        return warning(name, evidence, "Set the clock: traces carry its times.")
    return ok(name, f"within {TOLERATED_SECONDS:.0f} s of the API's")


def _address(s: Situation) -> str:
    return s.settings.base_url.value if s.settings else ""
