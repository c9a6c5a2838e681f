"""Renders the state of a project: rows for a person, a document for a program."""

from collections.abc import Iterator
from pathlib import Path

from infinium_config import DECLARED, LOCAL, Setting, Settings, Source
from infinium_transport import Entry
from msgspec import Struct

from infinium_codex.codex.daemon import RESTART, Daemon
from infinium_codex.codex.hooks_status import HooksStatus
from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.delivery.overview import DeliveryOverview
from infinium_codex.support.result import Mark, Row

INIT = "Run 'infinium-codex init'."
_SHOWN_WHERE_SET = frozenset(declared.name for declared in DECLARED if not declared.in_file or declared.default == ())
"""Settings that are shown only where they are set."""


class SecretStatus(Struct, frozen=True, kw_only=True):
    """Where the agent's secret is."""

    text: str
    problem: str = ""
    """Why no secret can be sent; empty where that is not known without reading the keyring."""


class ProjectStatus(Struct, frozen=True, kw_only=True):
    """The state of a project."""

    root: Path
    settings: Settings
    is_set_up: bool
    """Whether traces are recorded here."""
    hooks: HooksStatus
    delivery: DeliveryOverview
    untraced: tuple[Path, ...]
    """The directory of each session with events in a directory that the hook used earlier."""
    all_projects: bool
    """Whether the delivery is that of every project."""
    secret: SecretStatus
    daemon: Daemon | None


def status_rows(status: ProjectStatus) -> Iterator[Row]:
    """Yield the rows: whether turns are traced, whether traces are sent, the settings, and a summary."""
    yield from _project_rows(status)
    yield from _hook_rows(status)
    yield from _delivery_rows(status.delivery)
    yield from _untraced_rows(status)
    yield from _secret_rows(status)
    yield from _setting_rows(status.settings)
    yield from _daemon_rows(status.daemon)
    yield from _other_project_rows(status)
    yield Row(cells=("",))
    yield _summary(status)


def _project_rows(status: ProjectStatus) -> Iterator[Row]:
    settings = status.settings
    state = "not set up" if not status.is_set_up else "paused; nothing is recorded" if settings.paused.value else ""
    text = f"{status.root}{f' ({state})' if state else ''}"
    yield Row(cells=("project", text), mark=Mark.PROBLEM if state else Mark.OK)
    unused = any(problem.name == "project" for problem in settings.problems)
    if state and (status.is_set_up or not unused):  # an unused project file is named among the problems, with its fix
        yield _hint("Run 'infinium-codex resume'." if status.is_set_up else INIT)
    if settings.project and settings.project.via_worktree:
        yield Row(cells=("", f"found from the linked worktree {settings.project.via_worktree}"))


def _hook_rows(status: ProjectStatus) -> Iterator[Row]:
    hooks = status.hooks
    yield Row(cells=("hooks", hooks.text), mark=Mark.PROBLEM if hooks.problem else Mark.OK)
    if hooks.fix and status.is_set_up:
        yield _hint(hooks.fix)


def _delivery_rows(delivery: DeliveryOverview) -> Iterator[Row]:
    counts = f"{plural(delivery.queued, 'trace')} queued, {plural(delivery.dead, 'dead letter')}"
    mark = Mark.PROBLEM if delivery.blocked else Mark.WARNING if delivery.dead else Mark.OK
    yield Row(cells=("delivery", counts), mark=mark)
    for blocked in delivery.blocked:
        yield Row(cells=("", str(blocked)))
        yield _hint(blocked.fix)
    if delivery.dead:
        yield _hint("'infinium-codex errors' shows the reason; 'infinium-codex retry --dead' sends them again.")
    yield Row(cells=("last trace", _entry(delivery.last_trace) if delivery.last_trace else "none yet"))
    if delivery.last_error:
        yield Row(cells=("last error", _entry(delivery.last_error)), mark=Mark.WARNING)


def _untraced_rows(status: ProjectStatus) -> Iterator[Row]:
    if status.untraced:
        directories = ", ".join(sorted(set(map(str, status.untraced))))
        text = f"{plural(len(status.untraced), 'session')} not traced yet, with events in {directories}"
        yield Row(cells=("untraced", text), mark=Mark.WARNING)
        yield _hint("Run 'infinium-codex flush'. CONNECTOR_SESSION_DIR or TMPDIR had another value then.")


def _secret_rows(status: ProjectStatus) -> Iterator[Row]:
    secret = status.secret
    yield Row(cells=("secret", secret.text), mark=Mark.PROBLEM if secret.problem else Mark.OK)
    if secret.problem and status.is_set_up:
        yield _hint("If you trust the address, run 'infinium-codex init'." if status.settings.agent_id.value else INIT)


def _setting_rows(settings: Settings) -> Iterator[Row]:
    for setting in _settings(settings):
        if setting.name not in _SHOWN_WHERE_SET or setting.source is not Source.DEFAULT:
            yield Row(cells=(setting.name, f"{setting}"))
    for problem in settings.problems:
        yield Row(cells=("problem", problem.message), mark=Mark.WARNING)


def _daemon_rows(daemon: Daemon | None) -> Iterator[Row]:
    if daemon is not None and daemon.differs:
        text = f"Codex's daemon (process {daemon.pid}) has other variables: {', '.join(daemon.differs)}"
        yield Row(cells=("daemon", text), mark=Mark.WARNING)
        yield _hint(RESTART)


def _other_project_rows(status: ProjectStatus) -> Iterator[Row]:
    others = status.delivery.other_projects
    if status.all_projects:
        for name, count in others:
            yield Row(cells=("other project", f"{name}: {plural(count, 'trace')} queued or rejected"))
    elif others:
        total = sum(count for _, count in others)
        text = f"{plural(total, 'trace')} queued or rejected; 'infinium-codex status --all' lists them"
        yield Row(cells=("other projects", text))


def _summary(status: ProjectStatus) -> Row:
    """One line: whether traces will be sent, as far as that is known without the keyring and the network."""
    problems = list(_problems(status))
    if problems:
        return Row(cells=(f"Problem: {'; '.join(problems)}.",), mark=Mark.PROBLEM)
    where = "stored on this machine" if status.settings.base_url.value == LOCAL else "sent"
    if status.hooks.runs:
        return Row(cells=(f"Turns here are traced and {where}.",), mark=Mark.OK)
    text = f"Turns here are traced and {where}, if Codex runs the hooks, which could not be asked."
    return Row(cells=(text,), mark=Mark.UNKNOWN)


def _problems(status: ProjectStatus) -> Iterator[str]:
    """Why traces will not be sent. What a project lacks that is not set up is not listed."""
    if not status.is_set_up:
        yield "this project is not set up"
    else:
        if status.settings.paused.value:
            yield "recording is paused"
        if status.hooks.problem:
            yield status.hooks.problem
        if status.secret.problem:
            yield status.secret.problem
    if status.delivery.blocked:
        yield "queued traces cannot be sent"


def status_json(status: ProjectStatus) -> dict[str, object]:
    """Return the document that `--json` prints."""
    delivery, daemon = status.delivery, status.daemon
    last = delivery.last_trace
    return {
        "project": str(status.root) if status.settings.project else None,
        "settings": {
            setting.name: {"value": setting.value, "source": setting.source, "origin": setting.origin}
            for setting in _settings(status.settings)
        },
        "hooks": list(status.hooks.events),
        "hooks_run": status.hooks.runs,
        "waiting": delivery.queued,
        "dead": delivery.dead,
        "untraced": [str(directory) for directory in status.untraced],
        "held": [blocked.to_json() for blocked in delivery.blocked],
        "last_trace": {"key": last.key, "sent_at": utc_time(last.when)} if last else None,
        "problems": [problem.message for problem in status.settings.problems],
        "daemon": {"pid": daemon.pid, "differs": list(daemon.differs)} if daemon else None,
        "other_projects": [{"project": name, "traces": count} for name, count in delivery.other_projects],
    }


def _settings(settings: Settings) -> list[Setting[object]]:
    return [getattr(settings, declared.name) for declared in DECLARED]


def _entry(entry: Entry) -> str:
    return f"{local_time(entry.when)}  {entry.message}"


def _hint(text: str) -> Row:
    return Row(cells=("", f"-> {text}"))
