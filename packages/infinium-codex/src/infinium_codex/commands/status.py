"""`infinium-codex status`: what is set here, where each value comes from, and what waits."""

from infinium_config import DECLARED, LOCAL, SECRET_VARIABLE, ApprovedOrigins, Setting, Settings, Source, load
from infinium_transport import EntryKind

from infinium_codex.codex.daemon import RESTART, find_daemon
from infinium_codex.codex.hooks_json import HooksFileError, our_hooks
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.commands.when import iso, local_time
from infinium_codex.delivery.blocked import blocked_traces
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory

_QUIET_DEFAULTS = frozenset(declared.name for declared in DECLARED if not declared.in_file or declared.default == ())
"""Shown only where something set them."""


def run(ctx: CommandContext) -> Result:
    """Settings with their sources, the hooks in the file, the queue, the last trace and error. Asks nobody."""
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    root = settings.project.root if settings.project else project_root(ctx.cwd, home_directory(ctx.environ))
    lines = [f"{'project':<24} {root}{_state(settings)}"]
    if settings.project and settings.project.via_worktree:
        lines.append(f"{'':<24} found from the linked worktree {settings.project.via_worktree}")
    lines += [f"{setting.name:<24} {setting}" for setting in _settings(settings) if _worth_showing(setting)]
    lines.append(f"{'secret':<24} {_secret(settings, ctx)}")
    hooks, events = _hooks(ctx)
    lines.append(f"{'hooks':<24} {hooks}")
    outbox, ledger = open_outbox(ctx.places), open_ledger(ctx.places)
    waiting, dead = sum(1 for _ in outbox.pending()), len(outbox.dead_letters())
    lines.append(f"{'waiting':<24} {waiting} in the outbox, {dead} dead letters")
    held = blocked_traces(outbox, settings, secret_in_environment=bool(ctx.environ.get(SECRET_VARIABLE, "").strip()))
    lines += [line for one in held for line in (f"{'':<24} {one}", f"{'':<24} -> {one.fix}")]
    last = ledger.entries(EntryKind.sent, newest=1)
    lines.append(f"{'last trace':<24} {f'{local_time(last[0].when)}  {last[0].message}' if last else 'none yet'}")
    failed = ledger.entries(EntryKind.error, EntryKind.dead, EntryKind.dropped, newest=1)
    if failed:
        lines.append(f"{'last error':<24} {local_time(failed[0].when)}  {failed[0].message}")
    lines += [f"{'problem':<24} {problem.message}" for problem in settings.problems]
    daemon = find_daemon(ctx.environ)
    if daemon is not None and daemon.differs:
        lines.append(f"{'daemon':<24} Codex's (process {daemon.pid}) has other variables: {', '.join(daemon.differs)}")
        lines.append(f"{'':<24} {RESTART}")
    data = {
        "project": str(root) if settings.project else None,
        "settings": {s.name: {"value": s.value, "source": s.source, "origin": s.origin} for s in _settings(settings)},
        "hooks": list(events),
        "waiting": waiting,
        "dead": dead,
        "held": [one.to_json() for one in held],
        "last_trace": {"key": last[0].key, "sent_at": iso(last[0].when)} if last else None,
        "problems": [problem.message for problem in settings.problems],
        "daemon": {"pid": daemon.pid, "differs": list(daemon.differs)} if daemon else None,
    }
    return Result.success(tuple(lines), data)


def _settings(settings: Settings) -> list[Setting[object]]:
    return [getattr(settings, declared.name) for declared in DECLARED]


def _worth_showing(setting: Setting[object]) -> bool:
    return setting.name not in _QUIET_DEFAULTS or setting.source is not Source.DEFAULT


def _state(settings: Settings) -> str:
    if settings.project is None:
        return " (not set up: run 'infinium-codex init')"
    return " (paused: nothing is recorded)" if settings.paused.value else ""


def _secret(settings: Settings, ctx: CommandContext) -> str:
    agent_id, base_url = settings.agent_id.value, settings.base_url.value
    if base_url == LOCAL:
        return "not needed"
    if agent_id is None:
        return "no agent id, so none"
    given = bool(ctx.environ.get(SECRET_VARIABLE, "").strip())
    vouched = given and settings.base_url.source is Source.ENVIRONMENT
    if not vouched and not ApprovedOrigins(ctx.places.origins).is_approved(agent_id, base_url):
        return f"withheld: {base_url} was never approved for this agent. If you trust it: infinium-codex init"
    return (
        f"from {SECRET_VARIABLE}"
        if given
        else "from the system keyring, if it is there ('infinium-codex doctor' looks)"
    )


def _hooks(ctx: CommandContext) -> tuple[str, tuple[str, ...]]:
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    hooks = ProjectHooks(root, None, ctx.places, ctx.environ, linked_worktree(ctx.cwd))
    try:
        text = hooks.text()
        events = tuple(our_hooks(text, hooks.is_ours)) if text and text.strip() else ()
    except (CommandError, HooksFileError) as error:
        return f"{hooks.path}: {error}", ()
    if not events:
        return f"none of ours in {hooks.path}", ()
    return f"{len(events)} of ours in {hooks.path}", events
