"""Third stage of `init`: decide what becomes of hooks.json and whether the hooks need trust."""

from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.hooks_json import HooksFileError, Plan, plan_install, plan_removal
from infinium_codex.codex.program import codex_home
from infinium_codex.setup.inspection import Inspection
from infinium_codex.support.result import CommandContext, CommandError


class SetupPlan(Struct, frozen=True, kw_only=True):
    """The changes to Codex's files."""

    hooks: Plan
    needs_trust: bool
    """Whether Codex will not run some of our hooks until the user trusts them."""


def plan_setup(found: Inspection, *, trust: bool | None) -> SetupPlan:
    """Plan the changes. Raises CommandError for a hooks.json that cannot be edited."""
    plan = _plan_hooks(found, renew=trust is True)
    return SetupPlan(hooks=plan, needs_trust=trust is not False and _needs_trust(found, plan))


def files_to_write(found: Inspection, plan: SetupPlan, ctx: CommandContext) -> list[Path]:
    """Every file that applying the plan may write."""
    files = [found.config, ctx.places.data / "hook.py", ctx.places.origins]
    if plan.hooks.changed:
        files.append(found.hooks.path)
    if plan.needs_trust or found.survey.settings.old_flag:
        files.append(codex_home(ctx.environ) / "config.toml")
    return files


def _plan_hooks(found: Inspection, *, renew: bool) -> Plan:
    """The new hooks.json: with our hooks, or without them where they are managed and would run twice."""
    hooks, codex = found.hooks, found.codex
    text = hooks.text()
    try:
        if not found.managed:
            # Without a Codex on PATH, existing hooks stay as they are: they may be trusted by a Codex elsewhere.
            can_async = codex is None or codex.can_async
            return plan_install(text, hooks.wanted(), hooks.is_ours, can_async=can_async, renew=renew)
        if text is not None and text.strip():
            return plan_removal(text, hooks.is_ours)
        return Plan(text=text, changed=False)
    except HooksFileError as error:
        raise CommandError(f"{hooks.path}: {error}", "Then run init again. Nothing was changed.") from None


def _needs_trust(found: Inspection, plan: Plan) -> bool:
    ours = [hook for hook in found.survey.hooks if found.hooks.is_ours(hook.command)]
    return found.hooks.can_ask and (bool(plan.added) or not all(hook.runs for hook in ours))
