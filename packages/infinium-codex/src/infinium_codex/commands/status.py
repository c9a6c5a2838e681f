"""`infinium-codex status`: whether this project is traced, the state of delivery, settings and their sources."""

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
from infinium_transport import Entry
from msgspec import Struct

from infinium_codex.codex.daemon import RESTART, Daemon, find_daemon
from infinium_codex.codex.hooks_status import HooksStatus, read_hooks_status
from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AllProjects, AsJson, Context
from infinium_codex.delivery.overview import DeliveryOverview, read_overview
from infinium_codex.delivery.projects import project_directory
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.support.result import CommandContext, Mark, Result, Row
from infinium_codex.support.settings import home_directory

INIT = "Run 'infinium-codex init'."
_SHOWN_WHERE_SET = frozenset(declared.name for declared in DECLARED if not declared.in_file or declared.default == ())
"""Settings that are shown only where they are set."""


class Status(Struct, frozen=True, kw_only=True):
    """What the command shows."""

    root: Path
    settings: Settings
    is_set_up: bool
    secret: str
    secret_problem: str
    """Why no secret can be sent; empty where that is not known without reading the keyring."""
    hooks: HooksStatus
    delivery: DeliveryOverview
    daemon: Daemon | None


def status(*, all_projects: AllProjects = False, ctx: Context, json: AsJson = False) -> Result:
    """Show the state of this project; with `--all`, the delivery of every project.

    Codex is asked about the hooks; keyring and network are not used.
    """
    found = _read(ctx, all_projects=all_projects)
    rows = (*_rows(found), *(_other_rows(found.delivery, all_projects=all_projects)), *_summary(found))
    return Result(ok=True, exit_code=0, rows=rows, data=_data(found))


def _read(ctx: CommandContext, *, all_projects: bool) -> Status:
    home = home_directory(ctx.environ)
    settings = load(ctx.cwd, ctx.environ, home=home)
    has_secret = settings.environment_secret is not None
    root = project_directory(ctx.cwd, home)
    secret, secret_problem = _secret(settings, ctx, has_secret=has_secret)
    names = ("INFINIUM_AGENT_ID", "INFINIUM_BASE_URL")
    return Status(
        root=root,
        settings=settings,
        is_set_up=settings.project is not None or any(ctx.environ.get(name, "").strip() for name in names),
        secret=secret,
        secret_problem=secret_problem,
        hooks=read_hooks_status(ctx.cwd, home, ctx.places, ctx.environ),
        delivery=read_overview(
            open_outbox(ctx.places),
            open_ledger(ctx.places),
            root,
            settings,
            secret_in_environment=has_secret,
            all_projects=all_projects,
        ),
        daemon=find_daemon(ctx.environ),
    )


def _secret(settings: Settings, ctx: CommandContext, *, has_secret: bool) -> tuple[str, str]:
    """Where the secret is, and why it cannot be sent."""
    agent_id, base_url = settings.agent_id.value, settings.base_url.value
    if base_url == LOCAL:
        return "not needed", ""
    if agent_id is None:
        return "unknown: no agent id configured", "no agent id is configured"
    if not may_send_secret(settings, origins=ApprovedOrigins(ctx.places.origins)):
        return f"withheld: {base_url} is not approved for this agent", f"{base_url} is not approved"
    if has_secret:
        return f"from {SECRET_VARIABLE}", ""
    return "system keyring (not read; 'infinium-codex doctor' reads it)", ""


def _rows(found: Status) -> Iterator[Row]:
    yield from _project(found)
    yield Row(cells=("hooks", found.hooks.text), mark=Mark.PROBLEM if found.hooks.problem else Mark.OK)
    if found.hooks.fix and found.is_set_up:
        yield _hint(found.hooks.fix)
    yield from _delivery(found.delivery)
    yield Row(cells=("secret", found.secret), mark=Mark.PROBLEM if found.secret_problem else Mark.OK)
    if found.secret_problem and found.is_set_up:
        yield _hint("If you trust the address, run 'infinium-codex init'." if found.settings.agent_id.value else INIT)
    yield from (Row(cells=(one.name, _value(one))) for one in _settings(found.settings) if _is_shown(one))
    yield from (Row(cells=("problem", one.message), mark=Mark.WARNING) for one in found.settings.problems)
    if found.daemon is not None and found.daemon.differs:
        names = ", ".join(found.daemon.differs)
        text = f"Codex's daemon (process {found.daemon.pid}) has other variables: {names}"
        yield Row(cells=("daemon", text), mark=Mark.WARNING)
        yield _hint(RESTART)


def _project(found: Status) -> Iterator[Row]:
    settings = found.settings
    state = "not set up" if not found.is_set_up else "paused; nothing is recorded" if settings.paused.value else ""
    text = f"{found.root}{f' ({state})' if state else ''}"
    yield Row(cells=("project", text), mark=Mark.PROBLEM if state else Mark.OK)
    if state:
        yield _hint("Run 'infinium-codex resume'." if found.is_set_up else INIT)
    if settings.project and settings.project.via_worktree:
        yield Row(cells=("", f"found from the linked worktree {settings.project.via_worktree}"))


def _delivery(delivery: DeliveryOverview) -> Iterator[Row]:
    counts = f"{plural(delivery.queued, 'trace')} queued, {plural(delivery.dead, 'dead letter')}"
    mark = Mark.PROBLEM if delivery.blocked else Mark.WARNING if delivery.dead else Mark.OK
    yield Row(cells=("delivery", counts), mark=mark)
    for held in delivery.blocked:
        yield Row(cells=("", str(held)))
        yield _hint(held.fix)
    if delivery.dead:
        yield _hint("'infinium-codex errors' shows the reason; 'infinium-codex retry --dead' sends them again.")
    yield Row(cells=("last trace", _entry(delivery.last_trace) if delivery.last_trace else "none yet"))
    if delivery.last_error:
        yield Row(cells=("last error", _entry(delivery.last_error)), mark=Mark.WARNING)


def _other_rows(delivery: DeliveryOverview, *, all_projects: bool) -> Iterator[Row]:
    total = sum(count for _, count in delivery.other_projects)
    if not total:
        return
    if not all_projects:
        text = f"{plural(total, 'trace')} queued or rejected; 'infinium-codex status --all' lists them"
        yield Row(cells=("other projects", text))
        return
    for name, count in delivery.other_projects:
        yield Row(cells=("other project", f"{name}: {plural(count, 'trace')} queued or rejected"))


def _summary(found: Status) -> Iterator[Row]:
    """One line: whether traces will be sent, as far as that is known without the keyring and the network."""
    reasons = [
        *(["this project is not set up"] if not found.is_set_up else []),
        *(["recording is paused"] if found.is_set_up and found.settings.paused.value else []),
        *([found.hooks.problem] if found.is_set_up and found.hooks.problem else []),
        *([found.secret_problem] if found.is_set_up and found.secret_problem else []),
        *(["queued traces cannot be sent"] if found.delivery.blocked else []),
    ]
    yield Row(cells=("",))
    if reasons:
        yield Row(cells=(f"Problem: {'; '.join(reasons)}.",), mark=Mark.PROBLEM)
    else:
        where = "stored on this machine" if found.settings.base_url.value == LOCAL else "sent"
        unknown = "" if found.hooks.runs else ", if Codex runs the hooks, which could not be asked"
        yield Row(cells=(f"Turns here are traced and {where}{unknown}.",), mark=Mark.UNKNOWN if unknown else Mark.OK)


def _hint(text: str) -> Row:
    return Row(cells=("", f"-> {text}"))


def _value(setting: Setting[object]) -> str:
    """The value as the project file would hold it, and its source."""
    value = setting.value
    text = "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"{text} ({f'from {setting.origin}' if setting.origin else 'default'})"


def _entry(entry: Entry) -> str:
    return f"{local_time(entry.when)}  {entry.message}"


def _settings(settings: Settings) -> list[Setting[object]]:
    return [getattr(settings, declared.name) for declared in DECLARED]


def _is_shown(setting: Setting[object]) -> bool:
    return setting.name not in _SHOWN_WHERE_SET or setting.source is not Source.DEFAULT


def _data(found: Status) -> dict[str, object]:
    delivery = found.delivery
    last = delivery.last_trace
    return {
        "project": str(found.root) if found.settings.project else None,
        "settings": {
            setting.name: {"value": setting.value, "source": setting.source, "origin": setting.origin}
            for setting in _settings(found.settings)
        },
        "hooks": list(found.hooks.events),
        "hooks_run": found.hooks.runs,
        "waiting": delivery.queued,
        "dead": delivery.dead,
        "held": [held.to_json() for held in delivery.blocked],
        "last_trace": {"key": last.key, "sent_at": utc_time(last.when)} if last else None,
        "problems": [problem.message for problem in found.settings.problems],
        "daemon": {"pid": found.daemon.pid, "differs": list(found.daemon.differs)} if found.daemon else None,
        "other_projects": [{"project": name, "traces": count} for name, count in delivery.other_projects],
    }
