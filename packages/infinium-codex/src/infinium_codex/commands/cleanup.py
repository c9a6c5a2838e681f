"""`infinium-codex cleanup`: remove old history, old logs and leftovers of ended sessions."""

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from infinium_config import load
from infinium_config.files import remove_file

from infinium_codex.background.schedule import Schedule, entry_name
from infinium_codex.codex.agent import CODEX
from infinium_codex.console.parameters import AsJson, Context, whole_number
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.session.files import SessionFiles, find_sessions
from infinium_codex.session.pause_log import PauseLog
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory
from infinium_codex.support.spool_directories import find_spool_directories

DAY_SECONDS = 86_400.0


def cleanup(
    *,
    days: Annotated[
        int,
        Parameter(
            show_default=True,
            converter=whole_number,
            validator=Number(gte=0),
            help="Days of history and logs to keep.",
        ),
    ] = 30,
    dry_run: Annotated[bool, Parameter(negative="", help="Only list what would be removed.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Remove leftovers of ended sessions, and ledger entries, logs and damaged files older than `days`.

    A session counts as ended one day after its stale-session time. What can still be traced of it is traced first.
    Queued traces, dead letters and local traces are kept.
    """
    now = time.time()
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    before = now - days * DAY_SECONDS
    last_write = now - settings.session_ttl.value - DAY_SECONDS
    directories = find_spool_directories(ctx.places)
    ended = [files for directory in directories for files in _ended_sessions(directory, last_write)]
    removed = {
        "sessions": [path for files in ended for path in _remove_session(files, ctx, dry_run=dry_run)],
        "ledger": open_ledger(ctx.places).remove_older(before, dry_run=dry_run),
        "damaged": open_outbox(ctx.places).remove_damaged(before, dry_run=dry_run),
        "logs": _remove_logs(ctx.places.logs, before, dry_run=dry_run),
    }
    verb = "would be removed" if dry_run else "removed"
    lines = [f"{name.capitalize():<10} {path} {verb}" for name, paths in removed.items() for path in paths]
    data = {name: [str(path) for path in paths] for name, paths in removed.items()}
    return Result.success(tuple(lines) or ("Nothing to clean up.",), {"dry_run": dry_run, **data})


def _ended_sessions(directory: Path, before: float) -> list[SessionFiles]:
    """Sessions without a write since `before`."""
    return [files for files in find_sessions(directory) if files.last_write < before]


def _remove_session(files: SessionFiles, ctx: CommandContext, *, dry_run: bool) -> list[Path]:
    """Trace what can still be traced of an ended session, then remove its files; returns the removed paths."""
    if dry_run:
        return files.existing
    if files.has_work:
        from infinium_codex.background.trace_and_send import trace_and_send

        trace_and_send(CODEX, files, ctx.places._replace(spool=files.directory), ctx.environ, close=True)
    lock = files.try_lock()
    if lock is None:
        return []  # a worker is tracing the session
    with lock:
        PauseLog(ctx.places).note_session(files)
        removed = files.remove_all()
        Schedule(str(ctx.places.schedule)).remove(entry_name(str(files.spool)))
    return removed


def _remove_logs(directory: Path, before: float, *, dry_run: bool) -> list[Path]:
    old = sorted(path for path in directory.glob("*.jsonl") if path.stat().st_mtime < before)
    for path in old if not dry_run else ():
        remove_file(path, missing_ok=True)
    return old
