"""Checks of the hooks as Codex lists them: whether they are listed, enabled and trusted."""

from collections.abc import Callable, Iterable

from infinium_codex.codex.app_server import HookState
from infinium_codex.codex.hook_events import events_of
from infinium_codex.codex.versions import TRUST_SINCE
from infinium_codex.doctor import codex
from infinium_codex.doctor.checks import Check, Verdict, ok, problem, see, unknown, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.hooks_file import REQUIRED_EVENTS, hooks_file
from infinium_codex.doctor.worktrees import worktrees
from infinium_codex.support.paths import is_same_path

LISTED = "hooks listed"
EARLIER_CHECKS: tuple[Callable[[CheckContext], Check], ...] = (
    codex.installed,
    codex.answers,
    codex.hooks_feature,
    codex.policy,
    codex.project_trusted,
    hooks_file,
    worktrees,
)
"""Checks whose problems also explain missing hooks."""


def our_listed_hooks(context: CheckContext) -> list[HookState]:
    """Our hooks as Codex lists them: the project's or an administrator's, else those of the user's own file."""
    ours = [hook for hook in context.answer.listed.hooks if context.hooks.is_ours(hook.command)]
    path = context.hooks.path
    return [hook for hook in ours if hook.trust == "managed" or is_same_path(hook.source_path, path)] or ours


def listed(context: CheckContext) -> Check:
    """Check that Codex lists a hook of the connector for every event."""
    if not context.answer.answered:
        return unknown(LISTED, codex.NO_ANSWER)
    found = {hook.event for hook in our_listed_hooks(context)}
    missing = [event for event in events_of(context.codex) if event not in found]
    if not missing:
        return ok(LISTED, f"Codex lists all {len(found)} infinium-codex hooks.")
    results = (check(context) for check in EARLIER_CHECKS)
    cause = next((result.name for result in results if result.verdict is Verdict.PROBLEM), None)
    if cause is not None:
        return see(LISTED, cause)
    evidence = f"Codex does not list the infinium-codex hooks for {', '.join(missing)}."
    if context.answer.messages:
        evidence += f" Its messages: {'; '.join(context.answer.messages)}"
    return _by_importance(missing)(LISTED, evidence, "Start 'codex' here and enter /hooks to see its own list.")


def enabled(context: CheckContext) -> Check:
    """Check that none of our hooks is disabled in Codex."""
    name = "hooks enabled"
    if (skipped := _skip(name, context)) is not None:
        return skipped
    hooks = our_listed_hooks(context)
    disabled = [hook.event for hook in hooks if not hook.enabled]
    if not disabled:
        return ok(name, f"All {len(hooks)} hooks are enabled.")
    return _by_importance(disabled)(
        name, f"Disabled in Codex: {', '.join(disabled)}.", "Enable them in Codex with /hooks."
    )


def trusted(context: CheckContext) -> Check:
    """Check that Codex trusts our hooks; it skips others without a message."""
    name = "hooks trusted"
    if context.codex is not None and not context.codex.since(TRUST_SINCE):
        return ok(name, f"Codex {context.codex.version_text} needs no trust.")
    if (skipped := _skip(name, context)) is not None:
        return skipped
    hooks = our_listed_hooks(context)
    untrusted = [hook for hook in hooks if hook.trust not in ("trusted", "managed")]
    if not untrusted:
        return ok(name, f"All {len(hooks)} hooks are trusted.")
    names = ", ".join(f"{hook.event} ({hook.trust})" for hook in untrusted)
    fix = "Run 'infinium-codex init --trust', or trust them in Codex with /hooks."
    return _by_importance(hook.event for hook in untrusted)(name, f"Codex will not run: {names}.", fix)


def _skip(name: str, context: CheckContext) -> Check | None:
    if not context.answer.answered:
        return unknown(name, codex.NO_ANSWER)
    return None if our_listed_hooks(context) else see(name, LISTED)


def _by_importance(events: Iterable[str]) -> Callable[[str, str, str], Check]:
    """A problem where a required event is concerned, else a warning."""
    return problem if REQUIRED_EVENTS & set(events) else warning
