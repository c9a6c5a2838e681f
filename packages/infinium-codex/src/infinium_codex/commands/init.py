"""`infinium-codex init`: set a project up, and report what Codex says of it. Decides everything, then writes."""

from pathlib import Path

from infinium_config import (
    DEFAULT_BASE_URL,
    LOCAL,
    SECRET_VARIABLE,
    ApprovedOrigins,
    Granularity,
    KeyringUnavailable,
    ProjectFile,
    Secret,
    SecretFound,
    Source,
    get_secret,
    granularity_flags,
    parse_agent_id,
    parse_base_url,
    read_project_file,
    store_secret,
    write_project_file,
)
from infinium_config.project import CONFIG
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.capture import install as hook_home
from infinium_codex.codex import features
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.hooks_json import HooksFileError, Plan, plan_install, plan_removal
from infinium_codex.codex.program import CodexProgram, codex_home, find_codex
from infinium_codex.codex.project_hooks import Answer, ProjectHooks, Survey, project_root, wanted_hooks
from infinium_codex.codex.worktrees import linked_worktree, unread_worktrees
from infinium_codex.commands import gitignore, wizard
from infinium_codex.commands.asking import agree_on_address, checked, given_secret, yes
from infinium_codex.commands.obstacles import refuse_policy, refuse_read_only, refuse_untrusted
from infinium_codex.commands.wizard import Choices
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


class InitOptions(Struct, frozen=True, kw_only=True):
    """What the user said on the command line; None is asked for, or keeps what the project has."""

    agent_id: str | None = None
    agent_secret: str | None = None
    """The secret, or `-` for standard input."""
    base_url: str | None = None
    granularity: Granularity | None = None
    trust: bool | None = None
    """Whether to trust our hooks in Codex; False also sets up a project that Codex does not trust."""
    local: bool = False
    gitignore: bool = False
    interactive: bool = True

    @property
    def say_nothing(self) -> bool:
        """Whether they leave it open what is wanted."""
        told = (self.agent_id, self.agent_secret, self.base_url, self.granularity, self.trust)
        return told == (None,) * 5 and not self.local and not self.gitignore


def run(options: InitOptions, ctx: CommandContext) -> Result:
    """Write the project file and hooks.json, trust the hooks where asked to, and print Codex's own answer."""
    codex = find_codex(ctx.environ)
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    hooks = ProjectHooks(root, codex, ctx.places, ctx.environ, linked_worktree(ctx.cwd))
    survey = _survey(hooks)
    managed = any(hooks.is_ours(hook.command) and hook.trust == "managed" for hook in survey.hooks)
    refuse_policy(survey, managed=managed)
    if options.trust is not False and not managed:
        refuse_untrusted(survey, codex, hooks)
    plan = _plan(hooks, codex, managed=managed, renew=options.trust is True)
    needs_trust = options.trust is not False and _needs_trust(hooks, plan, survey)
    written = [root / CONFIG, ctx.places.data / "hook.py", ctx.places.origins, *([hooks.path] if plan.changed else [])]
    if needs_trust or survey.settings.old_flag:
        written.append(codex_home(ctx.environ) / "config.toml")
    refuse_read_only(*written)
    interactive = options.interactive and ctx.interactive
    choices = _choices(options, ctx, root, interactive=interactive)
    if choices is None:
        return Result.success((f"Nothing was changed in {root}.",), {"project": str(root), "changed": False})
    file = choices.file
    if file.agent_id is not None and file.base_url is not None:
        stated = choices.stated or options.base_url is not None
        agree_on_address(ctx, file.agent_id, file.base_url, stated=stated, interactive=interactive)
    trust = options.trust
    if trust is None:
        trust = interactive and needs_trust and yes(ctx, "Trust these hooks in Codex now?")

    flag = _set_flag(codex, survey, ctx)
    hook_home.install(ctx.places, CODEX)
    lines = [f"Project    {root}", *_settle(ctx, root, choices)]
    lines += [f"Ignored    {gitignore.ignore(root)}"] if choices.gitignore else []
    try:
        hooks.apply(plan, trust=trust)
        answer = hooks.ask()
    except AppServerError as error:
        raise CommandError(
            str(error), "The hooks are written; run 'infinium-codex doctor' once Codex answers."
        ) from None
    lines.append(f"Hooks      {_changes(plan, hooks, managed=managed)}")
    lines += _worktrees(root, hooks)
    lines += [f"Feature    {flag}"] if flag else []
    lines += _codex_says(codex, answer, hooks)
    data = {
        "project": str(root),
        "config": str(root / CONFIG),
        "hooks": str(hooks.path),
        "worktree": str(hooks.worktree) if hooks.worktree else None,
        "managed": managed,
        "codex": codex.version_text if codex else None,
        "runs": list(answer.runs),
        "held": dict(answer.held or {}),
        "asked": answer.known,
    }
    return Result.success(tuple(lines), data)


def _survey(hooks: ProjectHooks) -> Survey:
    try:
        return hooks.survey()
    except AppServerError as error:
        hint = "Nothing was changed. See what 'codex' itself says when it starts; then run init again."
        raise CommandError(f"{error}.", hint) from None


def _plan(hooks: ProjectHooks, codex: CodexProgram | None, *, managed: bool, renew: bool) -> Plan:
    """What becomes of hooks.json. Where an administrator has Codex run our hooks, ours there would only repeat them."""
    if "\n" in str(hooks.places.data):
        raise CommandError(f"{hooks.places.data} has a line break in its name, which no shell command can carry.")
    text = hooks.text()
    try:
        if not managed:
            wanted = wanted_hooks(codex, lambda event: hook_home.hook_command(hooks.places, event))
            # One of ours that is there was made for a Codex this shell may not see: changed, it would lose its trust.
            can_async = codex is None or codex.can_async
            return plan_install(text, wanted, hooks.is_ours, can_async=can_async, renew=renew)
        if text is not None and text.strip():
            return plan_removal(text, hooks.is_ours)
        return Plan(text=text, changed=False)
    except HooksFileError as error:
        raise CommandError(f"{hooks.path}: {error}", "Then run init again; nothing was changed.") from None


def _choices(options: InitOptions, ctx: CommandContext, root: Path, *, interactive: bool) -> Choices | None:
    path = root / CONFIG
    old = read_project_file(path) if path.exists() else None
    ask_gitignore = not options.gitignore and not gitignore.is_ignored(root) and (root / ".git").exists()
    if interactive and old is not None and options.say_nothing:
        return wizard.change(ctx, str(root), old, ask_gitignore=ask_gitignore)
    told, secret = _told(options, old or ProjectFile()), given_secret(options.agent_secret, ctx)
    if interactive:
        asks_secret = old is None or options.agent_id is not None or options.base_url is not None
        choices = wizard.set_up(ctx, told, secret, ask_secret=asks_secret, ask_gitignore=ask_gitignore and old is None)
        return replace(choices, gitignore=choices.gitignore or options.gitignore)
    told = replace(told, base_url=told.base_url or DEFAULT_BASE_URL)
    if told.base_url != LOCAL and told.agent_id is None:
        hint = "Give --agent-id, or --local to keep the traces on this machine."
        raise CommandError("No agent id: whose traces are these?", hint, exit_code=2)
    if (told.flush_on_stop, told.flush_on_session_end) == (None, None):
        on_stop, on_end = granularity_flags(Granularity.TURN)
        told = replace(told, flush_on_stop=on_stop, flush_on_session_end=on_end)
    return Choices(file=told, secret=secret, gitignore=options.gitignore)


def _told(options: InitOptions, old: ProjectFile) -> ProjectFile:
    """What the project has, with what the options say in its place."""
    base_url = LOCAL if options.local else checked("--base-url", options.base_url, parse_base_url) or old.base_url
    agent_id = checked("--agent-id", options.agent_id, parse_agent_id) or old.agent_id
    flags = (old.flush_on_stop, old.flush_on_session_end)
    if options.granularity:
        flags = granularity_flags(options.granularity)
    return replace(old, agent_id=agent_id, base_url=base_url, flush_on_stop=flags[0], flush_on_session_end=flags[1])


def _needs_trust(hooks: ProjectHooks, plan: Plan, survey: Survey) -> bool:
    ours = [hook for hook in survey.hooks if hooks.is_ours(hook.command)]
    return hooks.can_ask and (bool(plan.added) or not all(hook.runs for hook in ours))


def _set_flag(codex: CodexProgram | None, survey: Survey, ctx: CommandContext) -> str:
    """The first thing to be written: what cannot be done here leaves nothing of ours behind."""
    try:
        if codex is not None and features.needs_flag(codex, ctx.environ):
            return features.turn_on(codex, ctx.cwd, ctx.environ)
        if codex is not None and survey.settings.old_flag:
            return features.rename(codex, survey.settings, ctx.cwd, ctx.environ)
    except (ConfigTomlError, AppServerError) as error:
        raise CommandError(f"{error}", "Nothing was changed.") from None
    return ""


def _settle(ctx: CommandContext, root: Path, choices: Choices) -> list[str]:
    """Keep the secret, note where it may go, write the project file; say where the traces go."""
    file, secret = choices.file, choices.secret
    if file.base_url == LOCAL or file.base_url is None or file.agent_id is None:
        write_project_file(root / CONFIG, file)
        return [f"Traces     stay on this machine, in {ctx.places.local}"]
    ApprovedOrigins(ctx.places.origins).approve(file.agent_id, file.base_url)
    told = _keep(file.agent_id, secret) if secret is not None else _find_secret(ctx, file.agent_id, file.base_url)
    write_project_file(root / CONFIG, file)
    return [f"Traces     go to {file.base_url}, agent {file.agent_id}", f"Secret     {told}"]


def _keep(agent_id: str, secret: Secret) -> str:
    stored = store_secret(agent_id, secret)
    if isinstance(stored, KeyringUnavailable):
        return (
            f"not kept: {stored.reason}.\n"
            f"           Set {SECRET_VARIABLE} in the environment Codex runs in; hook and worker get it from there."
        )
    return "in the system keyring"


def _find_secret(ctx: CommandContext, agent_id: str, base_url: str) -> str:
    found = get_secret(agent_id, base_url, ctx.environ, origins=ApprovedOrigins(ctx.places.origins))
    if isinstance(found, SecretFound):
        return f"from {SECRET_VARIABLE}" if found.source is Source.ENVIRONMENT else "the one in the system keyring"
    return f"none yet: {found.reason}.\n           {found.hint}"


def _worktrees(root: Path, hooks: ProjectHooks) -> list[str]:
    """In a linked worktree, what is used of it and what of its main checkout; and the worktrees Codex passes over."""
    told = []
    if hooks.worktree is not None:
        main = hooks.reads != hooks.worktree
        reads = f"the hooks of its main checkout, {hooks.reads}" if main else "this worktree's own hooks"
        own = ", and its own settings" if root.is_relative_to(hooks.worktree) else f", and the settings of {root}"
        told.append(f"Worktree   {hooks.worktree}: {reads}{own}")
    unread = [path for path in unread_worktrees(hooks.reads) if path != hooks.worktree]
    told += [f"Worktree   {path}: no hooks, since it has no .codex directory: run init there too" for path in unread]
    return told


def _changes(plan: Plan, hooks: ProjectHooks, *, managed: bool) -> str:
    if managed:
        gone = f"; the project's own are removed from {hooks.path}" if plan.changed else ""
        return f"your administrator has Codex run them{gone}"
    if not plan.changed:
        return f"{hooks.path}: unchanged"
    parts = [f"{len(plan.added)} added"] if plan.added else []
    parts += [f"repaired what an older connector left ({', '.join(plan.repaired)})"] if plan.repaired else []
    return f"{hooks.path}: {', '.join(parts) or 'changed'}"


def _codex_says(codex: CodexProgram | None, answer: Answer, hooks: ProjectHooks) -> list[str]:
    if codex is None:
        return ["Codex      not found on PATH: the hooks are ready for it. Run init again once it is installed."]
    name = f"Codex {codex.version_text}"
    if not answer.known:
        return [f"Codex      {name} cannot be asked; it runs hooks without asking for trust."]
    lines = []
    if answer.runs:
        lines.append(f"Codex      {name} says it will run: {', '.join(answer.runs)}")
    if answer.held:
        held = ", ".join(f"{event} ({why})" for event, why in answer.held.items())
        lines.append(f"Codex      {name} says it will NOT run: {held}")
        lines.append("           Run 'infinium-codex init --trust', or trust them in Codex with /hooks.")
    if not answer.listed:
        lines.append(f"Codex      {name} lists no hooks here: the project is not trusted.")
        lines.append(
            f"           Start 'codex' in {hooks.reads} once and trust it, then run 'infinium-codex init --trust'."
        )
    return lines + [f"           {name}: {word}" for word in answer.words]
