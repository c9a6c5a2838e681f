"""Tells why a turn was not traced, as far as it can still be known."""

from collections.abc import Callable, Iterable
from pathlib import Path

from infinium_codex.backfill.projects import TracedProject, Untraceable
from infinium_codex.backfill.turns import FoundTurn, Missing
from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.project_hooks import ProjectHooks
from infinium_codex.codex.versions import (
    ASYNC_SINCE,
    HOOKS_ON_SINCE,
    HOOKS_SINCE,
    TRUST_SINCE,
    is_at_least,
    parse_version,
)
from infinium_codex.console.formatting import local_time
from infinium_codex.session.known_traces import KnownTraces, TraceState
from infinium_codex.support.result import CommandError

ERROR_SECONDS = 3_600.0
"""An error of the session that was recorded within this time of a turn may be the reason."""
_STATE_REASONS = {
    Missing.RUNNING: "it is running, or has just ended",
    Missing.PAUSED: "recording was paused",
    Missing.UNKNOWN: "it is older than the ledger, which no longer tells whether it was sent",
}


class GapReasons:
    """Finds the reasons for the turns of one project."""

    def __init__(self, known: KnownTraces, hooks: ProjectHooks, turns: Iterable[FoundTurn]) -> None:
        """`turns` are all turns that were found; `hooks` are asked only where a reason depends on them."""
        self._known, self._hooks = known, hooks
        self._traced = {turn.session.session_id for turn in turns if turn.known is not None}
        self._hooks_now: str | None = None

    def of(self, turn: FoundTurn) -> str:
        """Return why the turn has not reached Infinium; empty if it has."""
        if turn.known is not None:
            return self._of_known(turn)
        if turn.missing in _STATE_REASONS:
            return _STATE_REASONS[Missing(str(turn.missing))]
        if isinstance(turn.project, Untraceable):
            return str(turn.project)
        checks: tuple[Callable[[FoundTurn, TracedProject], str], ...] = (
            _other_machine,
            self._before_set_up,
            _settings,
            _version,
            _worktree,
            self._error,
            self._other_turns,
        )
        found = (check(turn, turn.project) for check in checks)
        return next((reason for reason in found if reason), "") or self._no_hook(turn)

    def _of_known(self, turn: FoundTurn) -> str:
        assert turn.known is not None
        match turn.known.state:
            case TraceState.QUEUED:
                return "'infinium-codex status' shows why it is not sent yet"
            case TraceState.RECORDED:
                return "a hook recorded it; it is traced when its session continues or times out, or by 'flush'"
            case TraceState.DEAD | TraceState.DROPPED:
                return turn.known.reason
        return ""

    def _before_set_up(self, turn: FoundTurn, project: TracedProject) -> str:
        since = self._set_up(project)
        if since is None or turn.span.started_ms / 1000 >= since:
            return ""
        return f"tracing was not set up here before {local_time(since)}"

    def _set_up(self, project: TracedProject) -> float | None:
        """The earliest sign that the project was set up, in seconds since the epoch. Files may be newer than that."""
        times = [self._known.first_of(project.root), _modified(project.config_path), _modified(self._hooks.path)]
        return min((time for time in times if time is not None), default=None)

    def _error(self, turn: FoundTurn, _: TracedProject) -> str:
        began = turn.span.started_ms / 1000
        ended = (turn.span.ended_ms or turn.span.started_ms) / 1000
        errors = self._known.errors_of(turn.session.session_id)
        near = [message for when, message in errors if began <= when <= ended + ERROR_SECONDS]
        return f"an error was recorded: {near[0]}" if near else ""

    def _other_turns(self, turn: FoundTurn, _: TracedProject) -> str:
        if turn.session.session_id not in self._traced:
            return ""
        version = parse_version(turn.session.meta.client_version or "")
        skipped = "Codex skips asynchronous hooks beyond 32 at a time, or " if is_at_least(version, ASYNC_SINCE) else ""
        return f"no hook recorded it, unlike other turns of its session: {skipped}the hook could not start or write"

    def _no_hook(self, turn: FoundTurn) -> str:
        """The reason for a session without any hook. Codex's present answer counts for sessions since a change."""
        changed = _modified(self._hooks.path)
        if changed is None:
            return f"no hook ran: {self._hooks.path} does not exist"
        if turn.span.started_ms / 1000 > changed and (answer := self._answer()):
            return f"no hook ran: {answer}"
        return "no hook ran in its session: hooks were not trusted, disabled or changed, or Codex had other variables"

    def _answer(self) -> str:
        """Why Codex runs no hook now; empty if it runs them, or does not tell."""
        if self._hooks_now is None:
            try:
                answer = self._hooks.ask()
            except (AppServerError, CommandError, OSError):
                self._hooks_now = ""
                return ""
            if not answer.known or answer.runs:
                self._hooks_now = ""
            elif not answer.listed:
                self._hooks_now = "Codex does not trust this project"
            else:
                held = sorted(set((answer.held or {}).values()))
                self._hooks_now = f"Codex holds the hooks as {' and '.join(held)}"
        return self._hooks_now


def _other_machine(turn: FoundTurn, _: TracedProject) -> str:
    if Path(turn.directory).is_dir():
        return ""
    return f"it ran on another machine, or {turn.directory} was removed since"


def _settings(_: FoundTurn, project: TracedProject) -> str:
    settings = project.settings
    if settings.flush_on_stop.value:
        return ""
    if settings.flush_on_session_end.value:
        return "the settings send one summary a session, and this session has none"
    return "the settings send neither turns nor sessions"


def _version(turn: FoundTurn, _: TracedProject) -> str:
    version = parse_version(turn.session.meta.client_version or "")
    if not is_at_least(version, HOOKS_SINCE):
        return f"Codex {turn.session.meta.client_version} has no hooks"
    if not is_at_least(version, HOOKS_ON_SINCE):
        return f"Codex {turn.session.meta.client_version} runs hooks only with features.codex_hooks = true"
    return ""


def _worktree(turn: FoundTurn, project: TracedProject) -> str:
    worktree = project.settings.project.via_worktree if project.settings.project is not None else None
    version = parse_version(turn.session.meta.client_version or "")
    if worktree is None or (worktree / ".codex").is_dir() or not is_at_least(version, TRUST_SINCE):
        return ""
    return f"Codex reads no hooks in the worktree {worktree}: it has no .codex directory"


def _modified(path: Path | None) -> float | None:
    try:
        return None if path is None else path.stat().st_mtime
    except OSError:
        return None
