"""Checks of the API, with `--online`: whether it answers, and whether its clock and this machine's agree."""

from email.utils import parsedate_to_datetime

from infinium_config import LOCAL
from infinium_transport import Reached, Rejected, Retry

from infinium_codex.doctor.checks import Check, ok, problem, see, unknown, warning
from infinium_codex.doctor.context import CheckContext

MAX_CLOCK_DIFFERENCE_SECONDS = 120.0
SET_ADDRESS = "Run 'infinium-codex init --base-url ADDRESS'."


def api(context: CheckContext) -> Check:
    """Check that something answers at the project's address."""
    name = "api"
    if _is_local(context):
        return ok(name, "Not needed: traces stay on this machine.")
    answer = context.api.answer
    if answer is None:
        return unknown(name, context.api.skipped)
    if isinstance(answer, Rejected):
        return problem(name, f"Nothing was requested: {answer.message}.", SET_ADDRESS)
    if isinstance(answer, Retry):
        address = context.settings.base_url.value if context.settings else ""
        fix = "Check the address, the network and any proxy (HTTPS_PROXY). Traces stay queued meanwhile."
        return problem(name, f"No answer to GET {address}: {answer.reason}.", fix)
    return _check_status(name, answer)


def _check_status(name: str, answer: Reached) -> Check:
    evidence = f"GET {answer.url} without the secret was answered with HTTP {answer.status}"
    if answer.status >= 500:
        return warning(name, f"{evidence}.", "The API has a problem. Traces stay queued meanwhile.")
    if 300 <= answer.status < 400:
        return problem(name, f"{evidence}, a redirect. Redirects are not followed.", SET_ADDRESS)
    return ok(name, f"{evidence}. 'infinium-codex test' also tests the secret.")


def clock(context: CheckContext) -> Check:
    """Check this machine's clock against the API's, because traces contain times."""
    name = "clock"
    if _is_local(context):
        return ok(name, "Not compared: traces stay on this machine.")
    answer = context.api.answer
    if answer is None:
        return unknown(name, context.api.skipped)
    if not isinstance(answer, Reached):
        return see(name, "api")
    try:
        theirs = parsedate_to_datetime(answer.date or "").timestamp()
    except ValueError:
        return unknown(name, "The API did not send its time.")
    ahead = context.now - theirs
    if abs(ahead) > MAX_CLOCK_DIFFERENCE_SECONDS:
        evidence = f"This machine's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the API's."
        return warning(name, evidence, "Set the clock: traces contain its times.")
    return ok(name, f"Within {MAX_CLOCK_DIFFERENCE_SECONDS:.0f} s of the API's clock.")


def _is_local(context: CheckContext) -> bool:
    return context.settings is not None and context.settings.base_url.value == LOCAL
