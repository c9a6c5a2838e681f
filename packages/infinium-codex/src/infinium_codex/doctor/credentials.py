"""Settings, and where traces may go: the agent, the address its user approved, the secret here and for the worker."""

from infinium_config import LOCAL, SECRET_VARIABLE, ApprovedOrigins, SecretFound, Settings, Source, may_send_secret

from infinium_codex.delivery.secrets import find_secret
from infinium_codex.doctor.checks import Check, ok, problem, unknown, warning
from infinium_codex.doctor.detached import Report
from infinium_codex.doctor.situation import Situation

NOT_NEEDED = "not needed: traces stay on this machine"
UPDATE = "infinium-codex update-credentials"


def settings(s: Situation) -> Check:
    """Whether the project is set up, and every value can be used."""
    name = "settings"
    if s.settings is None:
        return problem(name, s.settings_error, "Mend the file, or run 'infinium-codex init'.")
    if not s.is_set_up:
        return problem(name, f"{s.hooks.root} is not set up", "infinium-codex init")
    if s.settings.problems:
        evidence = " ".join(found.message for found in s.settings.problems)
        return warning(name, evidence, "Mend it; 'infinium-codex status' shows what holds meanwhile.")
    where = s.settings.project.config_path if s.settings.project else "the environment alone"
    return ok(name, f"from {where}")


def agent(s: Situation) -> Check:
    """Whether an agent is named."""
    name = "agent"
    if s.settings is None:
        return unknown(name, "see 'settings'")
    if s.settings.base_url.value == LOCAL:
        return ok(name, NOT_NEEDED)
    if s.settings.agent_id.value is None:
        if not s.is_set_up:
            return unknown(name, "see 'settings'")
        return problem(name, "no agent id is set", "infinium-codex init, or set INFINIUM_AGENT_ID")
    return ok(name, f"{s.settings.agent_id}")


def address(s: Situation) -> Check:
    """Whether the secret may go where the traces go."""
    name = "address"
    if s.settings is None:
        return unknown(name, "see 'settings'")
    base_url = s.settings.base_url
    if base_url.value == LOCAL:
        return ok(name, "local: traces stay on this machine")
    if s.settings.agent_id.value is None:
        return unknown(name, f"{base_url}")
    if not _may_have_secret(s, s.settings):
        evidence = f"{base_url.value} was never approved for agent {s.settings.agent_id.value}: it gets no secret"
        return problem(name, evidence, f"If you trust it: {UPDATE} --base-url {base_url.value}")
    return ok(name, f"{base_url}")


def secret(s: Situation) -> Check:
    """Whether the secret can be had from here."""
    name = "secret"
    if (early := _without_look_up(name, s)) is not None:
        return early
    assert s.settings is not None
    assert s.settings.agent_id.value is not None
    found = find_secret(s.places, s.settings)
    if not isinstance(found, SecretFound):
        return problem(name, found.reason, found.hint)
    if found.source is Source.ENVIRONMENT:
        return ok(name, f"from {SECRET_VARIABLE} in this shell; Codex must be started from one that has it too")
    return ok(name, "from the system keyring")


def secret_for_worker(s: Situation, report: Report) -> Check:
    """Whether a detached process gets at the secret: a keyring may open itself to a desktop session alone."""
    name = "secret for the worker"
    if (early := _without_look_up(name, s)) is not None:
        return early
    if report.failed:
        return unknown(name, "see 'worker'")
    if report.secret_source:
        return ok(name, f"a detached process has it from the {report.secret_source}")
    return problem(name, f"a detached process: {report.reason}", report.hint)


def _without_look_up(name: str, s: Situation) -> Check | None:
    if s.settings is None:
        return unknown(name, "see 'settings'")
    if s.settings.base_url.value == LOCAL:
        return ok(name, NOT_NEEDED)
    if s.settings.agent_id.value is None:
        return unknown(name, "see 'agent'" if s.is_set_up else "see 'settings'")
    if not _may_have_secret(s, s.settings):
        return unknown(name, "see 'address'")
    return None


def _may_have_secret(s: Situation, settings: Settings) -> bool:
    return may_send_secret(settings, origins=ApprovedOrigins(s.places.origins))
