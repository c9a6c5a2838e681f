"""`infinium-codex init`: set a project up, and report what Codex says of it."""

from dataclasses import dataclass, replace
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
    granularity_flags,
    parse_agent_id,
    parse_base_url,
    read_project_file,
    store_secret,
    write_project_file,
)
from infinium_config.project import CONFIG

from infinium_codex import hook_home
from infinium_codex.app_server import AppServer, AppServerError
from infinium_codex.codex_program import (
    ASYNC_SINCE,
    HOOKS_ON_SINCE,
    CodexProgram,
    events_of,
    find_codex,
    runs_async,
)
from infinium_codex.config_toml import ConfigTomlError, feature_flag, with_feature
from infinium_codex.hooks_file import Hook, HooksFileError, Plan, plan_install
from infinium_codex.paths import codex_home
from infinium_codex.project_hooks import Answer, ProjectHooks, project_root
from infinium_codex.result import CommandContext, CommandError, Result
from infinium_codex.wiring import home_directory

STDIN = "-"
"""In place of a secret: read it from standard input, since an argument shows in process lists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InitOptions:
    """What the user said on the command line; None is asked for, or keeps what the project has."""

    agent_id: str | None = None
    agent_secret: str | None = None
    """The secret, or `-` for standard input."""
    base_url: str | None = None
    granularity: Granularity | None = None
    trust: bool | None = None
    local: bool = False
    gitignore: bool = False
    interactive: bool = True


def run(options: InitOptions, ctx: CommandContext) -> Result:
    """Write the project file and hooks.json, trust the hooks where asked to, and print Codex's own answer."""
    codex = find_codex(ctx.environ)
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    hooks = ProjectHooks(root, codex, ctx.places, ctx.environ)
    plan = _plan(hooks, codex)
    interactive = options.interactive and ctx.interactive
    file, secret = _project_file(options, ctx, root, interactive=interactive)
    _approve(file, options, ctx, interactive=interactive)
    _refuse_disabled_hooks(codex, ctx)
    lines = [f"Project    {root}"]
    lines.append(_settle(ctx, root, file, secret))
    hook_home.install(ctx.places)
    flag = _turn_hooks_on(codex, ctx)
    trust = options.trust
    if trust is None:
        trust = interactive and hooks.can_ask and _yes(ctx, "Trust these hooks in Codex now?")
    try:
        hooks.apply(plan, trust=trust)
        answer = hooks.ask()
    except AppServerError as error:
        raise CommandError(
            str(error), "The hooks are written; run 'infinium-codex doctor' once Codex answers."
        ) from None
    lines.append(f"Hooks      {hooks.path}: {_changes(plan)}")
    lines += [flag] if flag else []
    lines += [_ignore(root)] if options.gitignore else []
    lines += _codex_says(codex, answer, root)
    data = {
        "project": str(root),
        "config": str(root / CONFIG),
        "hooks": str(hooks.path),
        "codex": codex.version_text if codex else None,
        "runs": list(answer.runs),
        "held": dict(answer.held or {}),
        "asked": answer.known,
    }
    return Result.success(tuple(lines), data)


def _plan(hooks: ProjectHooks, codex: CodexProgram | None) -> Plan:
    wanted = [
        Hook(event=event, command=hook_home.hook_command(hooks.places, event), run_async=runs_async(codex, event))
        for event in events_of(codex)
    ]
    can_async = codex is not None and codex.since(ASYNC_SINCE)
    if "\n" in str(hooks.places.data):
        raise CommandError(f"{hooks.places.data} has a line break in its name, which no shell command can carry.")
    try:
        return plan_install(hooks.text(), wanted, hooks.is_ours, can_async=can_async)
    except HooksFileError as error:
        raise CommandError(f"{hooks.path}: {error}", "Then run init again; nothing was changed.") from None


def _project_file(
    options: InitOptions, ctx: CommandContext, root: Path, *, interactive: bool
) -> tuple[ProjectFile, Secret | None]:
    path = root / CONFIG
    old = read_project_file(path) if path.exists() else ProjectFile()
    base_url = LOCAL if options.local else _checked("--base-url", options.base_url, parse_base_url) or old.base_url
    if base_url is None and interactive:
        base_url = _ask_base_url(ctx)
    base_url = base_url or DEFAULT_BASE_URL
    agent_id = _checked("--agent-id", options.agent_id, parse_agent_id) or old.agent_id
    secret = _secret(options, ctx)
    if base_url != LOCAL:
        if agent_id is None and interactive:
            agent_id = _checked("the agent id", ctx.ask("Agent id (a UUID)", False), parse_agent_id)
        if agent_id is None:
            hint = "Give --agent-id, or --local to keep the traces on this machine."
            raise CommandError("No agent id: whose traces are these?", hint, exit_code=2)
        if secret is None and interactive and (typed := ctx.ask("Agent secret (enter keeps the one stored)", True)):
            secret = Secret(typed)
    granularity = options.granularity
    if granularity is None and old.flush_on_stop is None and old.flush_on_session_end is None:
        granularity = Granularity.TURN
    flags = granularity_flags(granularity) if granularity else (old.flush_on_stop, old.flush_on_session_end)
    file = replace(old, agent_id=agent_id, base_url=base_url, flush_on_stop=flags[0], flush_on_session_end=flags[1])
    return file, secret


def _secret(options: InitOptions, ctx: CommandContext) -> Secret | None:
    given = options.agent_secret
    if given is None:
        return None
    value = ctx.stdin.readline().strip() if given == STDIN else given.strip()
    if not value:
        raise CommandError("The agent secret is empty.", "Pipe it in: --agent-secret - reads one line.", exit_code=2)
    return Secret(value)


def _checked(name: str, value: str | None, parse: object) -> str | None:
    if value is None or not value.strip():
        return None
    assert callable(parse)
    try:
        return str(parse(value))
    except ValueError as error:
        raise CommandError(f"{name} {value!r} cannot be used: {error}.", exit_code=2) from None


def _approve(file: ProjectFile, options: InitOptions, ctx: CommandContext, *, interactive: bool) -> None:
    """The secret may go where the user says in this very run. An address a repository brought along has to be said."""
    if file.base_url in (None, LOCAL) or file.agent_id is None:
        return
    assert file.base_url is not None
    origins = ApprovedOrigins(ctx.places.origins)
    stated = options.base_url is not None
    if not stated and not origins.is_approved(file.agent_id, file.base_url):
        question = f"Send the traces and the secret of agent {file.agent_id} to {file.base_url}?"
        if not interactive or not _yes(ctx, question, otherwise=False):
            raise CommandError(
                f"The project file names {file.base_url}, which you never approved for agent {file.agent_id}.",
                f"If you trust it, say so: --base-url {file.base_url}. Nothing was changed.",
                exit_code=2,
            )
    origins.approve(file.agent_id, file.base_url)


def _ask_base_url(ctx: CommandContext) -> str | None:
    answer = ctx.ask(f"API address, or 'local' for this machine only [{DEFAULT_BASE_URL}]", False)
    return _checked("the address", answer, parse_base_url)


def _settle(ctx: CommandContext, root: Path, file: ProjectFile, secret: Secret | None) -> str:
    """Write the project file and keep the secret."""
    write_project_file(root / CONFIG, file)
    if file.base_url == LOCAL:
        return f"Traces     stay on this machine, in {ctx.places.local}"
    where = f"Traces     go to {file.base_url}, agent {file.agent_id}"
    if secret is None or file.agent_id is None:
        given = bool(ctx.environ.get(SECRET_VARIABLE, "").strip())
        return f"{where}\nSecret     {f'from {SECRET_VARIABLE}' if given else 'the one in the system keyring'}"
    stored = store_secret(file.agent_id, secret)
    if isinstance(stored, KeyringUnavailable):
        return (
            f"{where}\nSecret     not kept: {stored.reason}.\n"
            f"           Set {SECRET_VARIABLE} in the environment Codex runs in; hook and worker get it from there."
        )
    return f"{where}\nSecret     in the system keyring"


def _refuse_disabled_hooks(codex: CodexProgram | None, ctx: CommandContext) -> None:
    if codex is None or not codex.since(HOOKS_ON_SINCE):
        return
    path = codex_home(ctx.environ) / "config.toml"
    try:
        for name in ("hooks", "codex_hooks"):
            if feature_flag(path, name) is False:
                hint = f"Set features.{name} = true there, or remove the line; then run init again."
                raise CommandError(f"Hooks are turned off in {path} (features.{name} = false).", hint)
    except ConfigTomlError as error:
        raise CommandError(str(error)) from None


def _turn_hooks_on(codex: CodexProgram | None, ctx: CommandContext) -> str | None:
    """Before 0.124 hooks are off unless the user's config turns them on."""
    if codex is None or codex.since(HOOKS_ON_SINCE):
        return None
    path = codex_home(ctx.environ) / "config.toml"
    try:
        if feature_flag(path, "codex_hooks"):
            return None
        try:
            with AppServer(codex, ctx.cwd, ctx.environ) as server:
                server.write_config({"features.codex_hooks": True})
        except AppServerError:
            text = with_feature(path, "codex_hooks")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except ConfigTomlError as error:
        raise CommandError(str(error)) from None
    return f"Feature    codex_hooks turned on in {path}, as Codex {codex.version_text} needs it"


def _changes(plan: Plan) -> str:
    if not plan.changed:
        return "unchanged"
    parts = [f"{len(plan.added)} added"] if plan.added else []
    parts += [f"repaired what an older connector left ({', '.join(plan.repaired)})"] if plan.repaired else []
    return ", ".join(parts) or "changed"


def _ignore(root: Path) -> str:
    path = root / ".gitignore"
    text = path.read_text("utf-8") if path.exists() else ""
    if any(line.strip().rstrip("/") in (".infinium", "/.infinium") for line in text.splitlines()):
        return "Ignored    .infinium/ stands in .gitignore"
    path.write_text(text + ("" if not text or text.endswith("\n") else "\n") + ".infinium/\n", "utf-8")
    return "Ignored    .infinium/ added to .gitignore"


def _codex_says(codex: CodexProgram | None, answer: Answer, root: Path) -> list[str]:
    if codex is None:
        return ["Codex      not found on PATH: the hooks are ready for it. Run init again once it is installed."]
    name = f"Codex {codex.version_text}"
    if not answer.known:
        return [f"Codex      {name} cannot be asked; it needs no trust in hooks, only in the project."]
    lines = []
    if answer.runs:
        lines.append(f"Codex      {name} says it will run: {', '.join(answer.runs)}")
    if answer.held:
        held = ", ".join(f"{event} ({why})" for event, why in answer.held.items())
        lines.append(f"Codex      {name} says it will NOT run: {held}")
        lines.append("           Run 'infinium-codex init --trust', or trust them in Codex with /hooks.")
    if not answer.listed:
        lines.append(f"Codex      {name} lists no hooks here: the project is not trusted.")
        lines.append(f"           Start 'codex' in {root} once and trust it, then run 'infinium-codex init --trust'.")
    return lines + [f"           {name}: {word}" for word in answer.words]


def _yes(ctx: CommandContext, question: str, *, otherwise: bool = True) -> bool:
    """The answer, `otherwise` for an empty one."""
    answer = ctx.ask(f"{question} {'[Y/n]' if otherwise else '[y/N]'}", False).strip().lower()
    return answer in ("y", "yes") or (otherwise and not answer)
