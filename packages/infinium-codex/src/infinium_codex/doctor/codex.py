"""Checks of Codex itself: whether it is installed and answers, its hooks are on, and it trusts the project."""

from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.features import needs_flag
from infinium_codex.codex.program import codex_home
from infinium_codex.codex.settings import FLAG, OLD_FLAG, REQUIREMENTS
from infinium_codex.codex.versions import HOOKS_SINCE
from infinium_codex.console.formatting import local_time
from infinium_codex.doctor.checks import FIX, Check, ok, problem, unknown, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.sessions import last_traced

NAME = "codex"
NO_ANSWER = "Codex did not answer."


def installed(context: CheckContext) -> Check:
    """Check for a Codex with hooks on PATH."""
    codex = context.codex
    if codex is None:
        return _not_on_path(context)
    if codex.version is None:
        return warning(NAME, f"{codex.path} did not print its version.", "Run 'codex --version'.")
    if not codex.since(HOOKS_SINCE):
        return problem(NAME, f"Codex {codex.version_text} ({codex.path}) has no hooks.", "Update Codex.")
    return ok(NAME, f"Codex {codex.version_text}, {codex.path}")


def _not_on_path(context: CheckContext) -> Check:
    """Judge by what was traced: a desktop application has a Codex of its own, a CI image may get one later."""
    with_path = "run 'PATH=/directory/of/codex:$PATH infinium-codex doctor'"
    traced = last_traced(context)
    if traced is None:
        evidence = "No 'codex' on PATH, and no session was traced here in the last week."
        return unknown(NAME, evidence, f"Install Codex. If it is installed, {with_path}.")
    evidence = f"No 'codex' on PATH, but a session was traced here at {local_time(traced)}: Codex runs from elsewhere."
    return warning(NAME, evidence, f"To check its hooks and their trust, {with_path}.")


def answers(context: CheckContext) -> Check:
    """Check that Codex answers questions about its configuration and hooks."""
    name = "codex answers"
    if context.codex is None:
        return unknown(name, "No 'codex' on PATH.")
    if not context.hooks.can_ask:
        return ok(name, f"Codex {context.codex.version_text} cannot list hooks; its files are read instead.")
    if context.answer.error:
        return problem(name, context.answer.error, "Start 'codex' and fix the problem that it reports.")
    return ok(name, f"Codex answered for {context.hooks.worktree or context.hooks.reads}.")


def warnings(context: CheckContext) -> Check:
    """Report Codex's own warnings about hook files of the project and the user."""
    name = "codex warnings"
    if not context.answer.answered:
        return unknown(name, NO_ANSWER)
    if context.answer.messages:
        return warning(name, "; ".join(context.answer.messages), "Correct or remove the file it names.")
    return ok(name, "None.")


def hooks_feature(context: CheckContext) -> Check:
    """Check that hooks are on in Codex."""
    name = "hooks feature"
    path = codex_home(context.environ) / "config.toml"
    if context.codex is None or context.answer.error:
        return unknown(name, NO_ANSWER)
    try:
        if needs_flag(context.codex, context.environ):
            version = context.codex.version_text
            return problem(name, f"Hooks are off in Codex {version} unless {path} sets {OLD_FLAG} = true.", FIX)
    except ConfigTomlError as error:
        return problem(name, str(error), f"Correct {path}.")
    off_in = context.answer.settings.hooks_off
    if off_in == REQUIREMENTS:
        return problem(name, f"Turned off by {REQUIREMENTS}.", "Only your administrator can change this.")
    if off_in:
        return problem(name, f"Turned off in {off_in}.", "Set the value to true there, or remove the line.")
    if context.answer.settings.old_flag:
        evidence = f"On, but by its old name {OLD_FLAG}, about which Codex warns at every start."
        return warning(name, evidence, f"Run 'infinium-codex init' to rename it to {FLAG}.")
    return ok(name, "On.")


def policy(context: CheckContext) -> Check:
    """Check that the administrator's requirements allow our hooks."""
    name = "policy"
    if not context.answer.answered:
        return unknown(name, NO_ANSWER)
    if context.managed:
        return ok(name, "Your administrator installed the infinium-codex hooks.")
    if context.answer.settings.managed_only:
        fix = "Your administrator can install the hooks; 'infinium-codex managed-config' prints how."
        return problem(name, f"Only managed hooks may run (allow_managed_hooks_only in {REQUIREMENTS}).", fix)
    return ok(name, "Hooks are allowed.")


def project_trusted(context: CheckContext) -> Check:
    """Check that Codex trusts the project; it ignores the `.codex` directory of others."""
    name = "project trusted"
    directory = context.hooks.reads
    if not context.answer.answered:
        return unknown(name, NO_ANSWER)
    if context.answer.settings.trusted:
        return ok(name, f"Codex trusts {directory}.")
    if context.managed:
        return ok(name, "Not needed: managed hooks run in every project.")
    if context.hooks.for_user:
        return ok(name, f"Not needed: the hooks in {context.hooks.path} run in every project.")
    fix = f"Start 'codex' in {directory}, answer yes, then run 'infinium-codex init --trust'."
    return problem(name, f"Codex does not trust {directory} and ignores its .codex directory.", fix)
