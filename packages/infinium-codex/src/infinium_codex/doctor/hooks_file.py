"""Check of hooks.json: whether it has the hooks this Codex needs."""

from infinium_codex.codex.hook_events import STOP, USER_PROMPT_SUBMIT, events_of
from infinium_codex.codex.hooks_json import HooksFileError, Plan, plan_install
from infinium_codex.doctor.checks import FIX, Check, ok, problem, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.support.paths import is_same_path
from infinium_codex.support.result import CommandError

NAME = "hooks file"
REQUIRED_EVENTS = frozenset({USER_PROMPT_SUBMIT.name, STOP.name})
"""Without hooks for these events there are no traces; without the others, traces have less content."""


def plan_hooks(context: CheckContext, *, renew: bool = False) -> Plan:
    """What `init` would change in hooks.json. Raises HooksFileError or CommandError for an unusable file."""
    can_async = context.codex is None or context.codex.can_async
    hooks = context.hooks
    return plan_install(hooks.text(), hooks.wanted(), hooks.is_ours, can_async=can_async, renew=renew)


def hooks_file(context: CheckContext) -> Check:
    """Check that nothing in hooks.json would change if `init` ran now."""
    path = context.hooks.path
    if context.managed:
        return ok(NAME, "Not needed: the hooks are managed by your administrator.")
    try:
        plan = plan_hooks(context)
    except (HooksFileError, CommandError) as error:
        return problem(NAME, f"{path}: {error}", "Correct the file, or move it aside and run 'infinium-codex init'.")
    fix = FIX if context.is_set_up else "Run 'infinium-codex init'."
    if plan.repaired:
        events = ", ".join(plan.repaired)
        evidence = f"{path} has {events} at the top level, written by an older connector. Codex ignores the whole file."
        return problem(NAME, evidence, fix)
    missing = [event for event in plan.added if event not in plan.removed]
    if missing:
        make = problem if REQUIRED_EVENTS & set(missing) - _events_run_from_elsewhere(context) else warning
        return make(NAME, f"{path} has no infinium-codex hook for {', '.join(missing)}.", fix)
    return _check_definitions(context, plan, fix)


def _check_definitions(context: CheckContext, plan: Plan, fix: str) -> Check:
    """Check existing hooks for what this version of Codex needs, or could do better."""
    path = context.hooks.path
    if plan.removed:
        events = ", ".join(dict.fromkeys(plan.removed))
        evidence = f"{path}: the infinium-codex hooks for {events} do not fit this version of Codex."
        return warning(NAME, evidence, f"{fix} Then run 'infinium-codex init --trust'.")
    if synchronous := plan_hooks(context, renew=True).removed:
        events = ", ".join(synchronous)
        evidence = f"{path}: Codex waits for the hooks for {events}; this version can run them asynchronously."
        return warning(NAME, evidence, "Run 'infinium-codex init --trust'.")
    return ok(NAME, f"All {len(events_of(context.codex))} infinium-codex hooks are registered in {path}.")


def _events_run_from_elsewhere(context: CheckContext) -> set[str]:
    """Events whose hook Codex runs from another file, such as the user's own hooks.json."""
    ours = (hook for hook in context.answer.listed.hooks if context.hooks.is_ours(hook.command) and hook.runs)
    return {hook.event for hook in ours if not is_same_path(hook.source_path, context.hooks.path)}
