"""Runs the stages of `init` in order: inspect, check, decide, plan, confirm, apply, report."""

from infinium_config import ProjectFile
from msgspec.structs import replace

from infinium_codex.console.prompts import confirm, confirm_origin, secret_option
from infinium_codex.setup import gitignore, wizard
from infinium_codex.setup.apply import apply_setup
from infinium_codex.setup.choices import Choices, InitOptions, merge, with_defaults, with_environment
from infinium_codex.setup.inspection import Inspection, inspect_project
from infinium_codex.setup.plan import files_to_write, plan_setup
from infinium_codex.setup.preflight import check_policy, check_project_trust, check_writable
from infinium_codex.setup.report import report
from infinium_codex.support.result import CommandContext, Result


def set_up_project(options: InitOptions, ctx: CommandContext) -> Result:
    """Set up the project of the current directory. Raises CommandError where a stage fails."""
    found = inspect_project(ctx, user_hooks=options.user_hooks)
    if wizard.offers_user_hooks(found, options) and wizard.ask_user_hooks(ctx):
        found = inspect_project(ctx, user_hooks=True)
    if not options.interactive:
        options = with_environment(options, found.read_config(), ctx.environ)
    check_policy(found)
    if options.trust is not False:
        check_project_trust(found)
    plan = plan_setup(found, trust=options.trust)
    check_writable(*files_to_write(found, plan, ctx))
    if options.gitignore:
        gitignore.is_ignored(found.root)  # raises for a file that must not be changed
    choices = _choose(found, options, ctx)
    if choices is None:
        return Result.success(
            (f"Nothing was changed in {found.root}.",), {"project": str(found.root), "changed": False}
        )
    _confirm_destination(choices, options, ctx)
    trust = _confirm_trust(options, ctx, needs_trust=plan.needs_trust)
    ctx.progress("Writing the settings and the hooks …")
    applied = apply_setup(found, plan, choices, ctx, trust=trust)
    return report(found, plan, applied, trust_declined=options.trust is False)


def _choose(found: Inspection, options: InitOptions, ctx: CommandContext) -> Choices | None:
    """Combine options, the existing project file and the user's answers; None to change nothing."""
    old = found.read_config()
    ask_gitignore = not options.gitignore and found.lacks_ignore_entry
    if options.interactive and old is not None and options.is_empty:
        return wizard.ask_changes(ctx, str(found.root), old, ask_gitignore=ask_gitignore)
    file, secret = merge(options, old or ProjectFile()), secret_option(options.agent_secret, ctx)
    if not options.interactive:
        return Choices(file=with_defaults(file), secret=secret, gitignore=options.gitignore)
    ask_secret = old is None or options.agent_id is not None or options.base_url is not None
    choices = wizard.ask_missing(ctx, file, secret, ask_secret=ask_secret, ask_gitignore=ask_gitignore and old is None)
    return replace(choices, gitignore=choices.gitignore or options.gitignore)


def _confirm_destination(choices: Choices, options: InitOptions, ctx: CommandContext) -> None:
    agent_id, base_url = choices.file.agent_id, choices.file.base_url
    if agent_id is not None and base_url is not None:
        stated = choices.stated or options.base_url is not None
        confirm_origin(ctx, agent_id, base_url, stated=stated, interactive=options.interactive)


def _confirm_trust(options: InitOptions, ctx: CommandContext, *, needs_trust: bool) -> bool:
    """Whether to trust our hooks: as the option says, else as the user answers, else yes without a terminal."""
    if options.trust is not None or not needs_trust:
        return options.trust is True
    return not options.interactive or confirm(ctx, "Trust the infinium-codex hooks in Codex now?")
