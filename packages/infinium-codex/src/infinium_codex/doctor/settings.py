"""Checks of the settings: whether the project is set up, what it records, and for which agent."""

from infinium_config import LOCAL

from infinium_codex.doctor.checks import Check, ok, problem, see, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.otlp.variables import is_configured

NOT_NEEDED = "Not needed: traces stay on this machine."
_GRANULARITY = {"turn": "turn", "session": "session", "both": "turn and per session"}


def settings(context: CheckContext) -> Check:
    """Check that the project is set up and every value is valid."""
    name = "settings"
    if context.settings is None:
        return problem(name, context.settings_error, "Correct the file, or run 'infinium-codex init'.")
    if not context.is_set_up:
        unused = [found.message for found in context.settings.problems if found.name == "project"]
        evidence = " ".join([f"{context.hooks.root} is not set up.", *unused])
        return problem(name, evidence, "" if unused else "Run 'infinium-codex init'.")
    if context.settings.problems:
        evidence = " ".join(found.message for found in context.settings.problems)
        return warning(name, evidence, "Correct the value; 'infinium-codex status' shows what is used instead.")
    project = context.settings.project
    return ok(name, f"Read from {project.config_path}." if project else "Read from the environment only.")


def recording(context: CheckContext) -> Check:
    """Check that something is recorded: not paused, and a granularity is set."""
    name = "recording"
    if context.settings is None or not context.is_set_up:
        return see(name, "settings")
    if context.settings.paused.value:
        evidence = f"Paused in {context.settings.paused.origin}: nothing is recorded."
        return problem(name, evidence, "Run 'infinium-codex resume'.")
    if context.settings.granularity is None:
        flags = f"{context.settings.flush_on_stop.origin}, {context.settings.flush_on_session_end.origin}"
        evidence = f"Neither turns nor sessions are traced: both are off ({flags})."
        return problem(name, evidence, "Run 'infinium-codex init --granularity turn'.")
    return ok(name, f"One trace per {_GRANULARITY[context.settings.granularity.value]}.")


def agent(context: CheckContext) -> Check:
    """Check that an agent id is configured."""
    name = "agent"
    if context.settings is None:
        return see(name, "settings")
    if context.settings.base_url.value == LOCAL:
        return ok(name, NOT_NEEDED)
    if context.settings.agent_id.value is not None:
        return ok(name, f"{context.settings.agent_id}")
    if not context.is_set_up:
        return see(name, "settings")
    if is_configured(context.environ):
        return ok(name, "None: turns are exported to an OTLP engine alone.")
    return problem(name, "No agent id configured.", "Run 'infinium-codex init', or set INFINIUM_AGENT_ID.")
