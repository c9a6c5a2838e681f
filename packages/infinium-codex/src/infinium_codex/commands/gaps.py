"""`infinium-codex gaps`: compare the turns that Codex has with those that reached Infinium."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from infinium_codex.backfill.gap_reasons import GapReasons
from infinium_codex.backfill.projects import Projects
from infinium_codex.backfill.turns import FoundTurn, TurnFinder
from infinium_codex.codex.program import codex_home, find_codex
from infinium_codex.codex.project_hooks import ProjectHooks, project_root
from infinium_codex.codex.session_files import ProjectDirectories
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AsJson, Context, Count, Since
from infinium_codex.delivery.stores import open_state
from infinium_codex.session.known_traces import KnownTraces, TraceState
from infinium_codex.session.pause_log import PauseLog
from infinium_codex.support.result import CommandContext, Mark, Result, Row
from infinium_codex.support.settings import home_directory

_ARRIVED = (TraceState.SENT, TraceState.LOCAL, TraceState.SUMMARIZED)
_MARKS = {
    "dead letter": Mark.PROBLEM,
    "dropped": Mark.PROBLEM,
    "never traced": Mark.WARNING,
    "unknown": Mark.UNKNOWN,
}


def gaps(*, count: Count = 30, since: Since = 0.0, ctx: Context, json: AsJson = False) -> Result:
    """List the turns of this project that have not reached Infinium, the newest first, with the reason."""
    home = home_directory(ctx.environ)
    directories = ProjectDirectories.at(ctx.cwd, home)
    known = KnownTraces(ctx.places, open_state(ctx.places))
    turns = _find(ctx, directories, known, since)
    hooks = ProjectHooks(
        project_root(ctx.cwd, home), find_codex(ctx.environ), ctx.places, ctx.environ, linked_worktree(ctx.cwd)
    )
    reasons = GapReasons(known, hooks, turns)
    missing = [turn for turn in turns if turn.known is None or turn.known.state not in _ARRIVED]
    missing.sort(key=lambda turn: turn.span.started_ms, reverse=True)
    counts = Counter(turn.state for turn in turns)
    shown = [(turn, reasons.of(turn)) for turn in islice(missing, count)]
    data = {
        "project": str(directories.root),
        "turns": len(turns),
        "states": dict(counts),
        "gaps": [_record(turn, reason) for turn, reason in shown],
    }
    rows = tuple(_rows(directories, counts, shown, len(missing)))
    return Result(ok=True, exit_code=0, rows=rows, data=data)


def _find(ctx: CommandContext, directories: ProjectDirectories, known: KnownTraces, since: float) -> list[FoundTurn]:
    """All turns of the project that began since then. Each transcript is searched, which takes a while."""
    projects = Projects(ctx.places, ctx.environ, directories)
    finder = TurnFinder(ctx.places, ctx.environ, known, projects, PauseLog(ctx.places).read())
    sessions = [
        session
        for session in finder.sessions(codex_home(ctx.environ), since=since)
        if session.file.meta.cwd is not None and directories.contains(session.file.meta.cwd)
    ]
    found = []
    with ctx.progress_bar("Reading sessions", len(sessions)) as show:
        for number, session in enumerate(sessions, 1):
            found += [turn for turn in finder.read(session).turns if turn.span.started_ms >= since * 1000]
            show(number)
    return found


def _rows(
    directories: ProjectDirectories, counts: Counter[str], shown: Sequence[tuple[FoundTurn, str]], missing: int
) -> Iterator[Row]:
    if not counts:
        yield Row(cells=(f"Codex has no turns of {directories.root}.",))
        return
    total = ", ".join(f"{number:,} {state}" for state, number in counts.most_common())
    yield Row(cells=(f"{plural(counts.total(), 'turn')} of {directories.root}: {total}",), mark=Mark.TITLE)
    if not missing:
        return
    groups: dict[tuple[str, str], list[FoundTurn]] = {}
    for turn, reason in shown:
        groups.setdefault((turn.state, reason), []).append(turn)
    for (state, reason), turns in groups.items():
        yield Row(cells=("",))
        yield Row(cells=(f"{state.capitalize()}: {reason}" if reason else state.capitalize(),), mark=_MARKS.get(state))
        for turn in turns:
            started = local_time(turn.span.started_ms / 1000)
            yield Row(cells=(f"  {started}", turn.key[:8], f"session {turn.session.session_id}"))
    yield Row(cells=("",))
    if missing > len(shown):
        yield Row(cells=(f"{missing - len(shown):,} more; --count shows them.",))
    if any(turn.is_missing for turn, _ in shown):
        yield Row(cells=("'infinium-codex backfill' sends what was never traced.",))


def _record(turn: FoundTurn, reason: str) -> dict[str, object]:
    ended_ms = turn.span.ended_ms
    return {
        "key": turn.key,
        "turn_id": turn.span.turn_id,
        "session_id": turn.session.session_id,
        "started_at": utc_time(turn.span.started_ms / 1000),
        "ended_at": None if ended_ms is None else utc_time(ended_ms / 1000),
        "state": turn.state,
        "reason": reason,
        "directory": turn.directory,
        "transcript": str(turn.session.path),
        "client_version": turn.session.meta.client_version,
    }
