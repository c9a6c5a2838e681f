"""`infinium-codex status`: settings and their sources, hooks, queued traces, last trace and last error."""

from collections.abc import Iterator
from pathlib import Path

from infinium_config import (
    DECLARED,
    LOCAL,
    SECRET_VARIABLE,
    ApprovedOrigins,
    Setting,
    Settings,
    Source,
    load,
    may_send_secret,
)
from infinium_transport import Entry, EntryKind
from msgspec import Struct

from infinium_codex.codex.daemon import RESTART, Daemon, find_daemon
from infinium_codex.codex.hooks_json import HooksFileError, our_hooks
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.delivery.blocked import BlockedTraces, blocked_traces
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory

LABEL_WIDTH = 24
_QUIET_DEFAULTS = frozenset(declared.name for declared in DECLARED if not declared.in_file or declared.default == ())
"""Settings that are shown only where they are set."""


class Status(Struct, frozen=True, kw_only=True):
    """What the command shows."""

    root: Path
    settings: Settings
    secret: str
    hooks: str
    """The hooks file and how many of our hooks it has, or why it cannot be read."""
    events: tuple[str, ...]
    queued: int
    dead: int
    held: tuple[BlockedTraces, ...]
    """Parked queues."""
    last_trace: Entry | None
    last_error: Entry | None
    daemon: Daemon | None


def status(*, ctx: Context, json: AsJson = False) -> Result:
    """Show the state of this project without starting Codex, reading the keyring or using the network."""
    found = _read(ctx)
    return Result.success(tuple(_lines(found)), _data(found))


def _read(ctx: CommandContext) -> Status:
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    outbox, ledger = open_outbox(ctx.places), open_ledger(ctx.places)
    has_secret = settings.environment_secret is not None
    hooks, events = _hooks(ctx)
    sent = ledger.entries(EntryKind.sent, newest=1)
    failed = ledger.entries(EntryKind.error, EntryKind.dead, EntryKind.dropped, newest=1)
    return Status(
        root=settings.project.root if settings.project else project_root(ctx.cwd, home_directory(ctx.environ)),
        settings=settings,
        secret=_secret(settings, ctx, has_secret=has_secret),
        hooks=hooks,
        events=events,
        queued=sum(1 for _ in outbox.pending()),
        dead=len(outbox.dead_letters()),
        held=tuple(blocked_traces(outbox, settings, secret_in_environment=has_secret)),
        last_trace=sent[0] if sent else None,
        last_error=failed[0] if failed else None,
        daemon=find_daemon(ctx.environ),
    )


def _hooks(ctx: CommandContext) -> tuple[str, tuple[str, ...]]:
    """A line about the hooks file, and the events that have an infinium-codex hook."""
    root = project_root(ctx.cwd, home_directory(ctx.environ))
    hooks = ProjectHooks(root, None, ctx.places, ctx.environ, linked_worktree(ctx.cwd))
    try:
        text = hooks.text()
        events = tuple(our_hooks(text, hooks.is_ours)) if text and text.strip() else ()
    except (CommandError, HooksFileError) as error:
        return f"{hooks.path}: {error}", ()
    return f"{plural(len(events), 'infinium-codex hook')} in {hooks.path}", events


def _secret(settings: Settings, ctx: CommandContext, *, has_secret: bool) -> str:
    agent_id, base_url = settings.agent_id.value, settings.base_url.value
    if base_url == LOCAL:
        return "not needed"
    if agent_id is None:
        return "unknown: no agent id configured"
    if not may_send_secret(settings, origins=ApprovedOrigins(ctx.places.origins)):
        return f"withheld: {base_url} is not approved for this agent. If you trust it, run 'infinium-codex init'."
    return f"from {SECRET_VARIABLE}" if has_secret else "system keyring (not read; 'infinium-codex doctor' reads it)"


def _lines(found: Status) -> Iterator[str]:
    yield _line("project", f"{found.root}{_project_state(found.settings)}")
    if found.settings.project and found.settings.project.via_worktree:
        yield _line("", f"found from the linked worktree {found.settings.project.via_worktree}")
    yield from (_line(setting.name, _value(setting)) for setting in _settings(found.settings) if _is_shown(setting))
    yield _line("secret", found.secret)
    yield _line("hooks", found.hooks)
    yield _line("queued", f"{plural(found.queued, 'trace')}, {plural(found.dead, 'dead letter')}")
    for held in found.held:
        yield _line("", str(held))
        yield _line("", f"-> {held.fix}")
    yield _line("last trace", _entry(found.last_trace) if found.last_trace else "none yet")
    if found.last_error:
        yield _line("last error", _entry(found.last_error))
    yield from (_line("problem", problem.message) for problem in found.settings.problems)
    if found.daemon is not None and found.daemon.differs:
        names = ", ".join(found.daemon.differs)
        yield _line("daemon", f"Codex's daemon (process {found.daemon.pid}) has other variables: {names}")
        yield _line("", f"-> {RESTART}")


def _line(label: str, value: str) -> str:
    return f"{label:<{LABEL_WIDTH}} {value}"


def _value(setting: Setting[object]) -> str:
    """The value as the project file would hold it, and its source."""
    value = setting.value
    text = "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{text} ({f'from {setting.origin}' if setting.origin else 'default'})"


def _entry(entry: Entry) -> str:
    return f"{local_time(entry.when)}  {entry.message}"


def _project_state(settings: Settings) -> str:
    if settings.project is None:
        return " (not set up; run 'infinium-codex init')"
    return " (paused; nothing is recorded)" if settings.paused.value else ""


def _settings(settings: Settings) -> list[Setting[object]]:
    return [getattr(settings, declared.name) for declared in DECLARED]


def _is_shown(setting: Setting[object]) -> bool:
    return setting.name not in _QUIET_DEFAULTS or setting.source is not Source.DEFAULT


def _data(found: Status) -> dict[str, object]:
    last = found.last_trace
    return {
        "project": str(found.root) if found.settings.project else None,
        "settings": {
            setting.name: {"value": setting.value, "source": setting.source, "origin": setting.origin}
            for setting in _settings(found.settings)
        },
        "hooks": list(found.events),
        "waiting": found.queued,
        "dead": found.dead,
        "held": [held.to_json() for held in found.held],
        "last_trace": {"key": last.key, "sent_at": utc_time(last.when)} if last else None,
        "problems": [problem.message for problem in found.settings.problems],
        "daemon": {"pid": found.daemon.pid, "differs": list(found.daemon.differs)} if found.daemon else None,
    }
