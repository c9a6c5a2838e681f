"""`infinium-codex cleanup`: remove old history, old logs and leftovers of ended sessions."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from infinium_config import load
from infinium_config.locks import try_lock

from infinium_codex.background.schedule import Schedule, entry_name
from infinium_codex.capture.records import CLOSED_SUFFIX as CLOSED
from infinium_codex.capture.records import SUFFIX as SPOOL
from infinium_codex.codex.agent import CODEX
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.session.checkpoint import SUFFIX as STATE
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory

DAY_SECONDS = 86_400.0
LOCK = ".lock"


def cleanup(
    *,
    days: Annotated[int, Parameter(show_default=True, help="Days of history and logs to keep.")] = 30,
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
    ended = _ended_sessions(ctx.places.spool, now - settings.session_ttl.value - DAY_SECONDS)
    removed = {
        "sessions": [path for spool in ended for path in _remove_session(spool, ctx, dry_run=dry_run)],
        "ledger": open_ledger(ctx.places).remove_older(before, dry_run=dry_run),
        "damaged": open_outbox(ctx.places).remove_damaged(before, dry_run=dry_run),
        "logs": _remove_logs(ctx.places.logs, before, dry_run=dry_run),
    }
    verb = "would be removed" if dry_run else "removed"
    lines = [f"{name.capitalize():<10} {path} {verb}" for name, paths in removed.items() for path in paths]
    data = {name: [str(path) for path in paths] for name, paths in removed.items()}
    return Result.success(tuple(lines) or ("Nothing to clean up.",), {"dry_run": dry_run, **data})


def _ended_sessions(directory: Path, before: float) -> list[Path]:
    """Spool paths, existing or not, of sessions without a write since `before`."""
    last_write: dict[Path, float] = {}
    for path in directory.glob("*") if directory.is_dir() else ():
        if path.suffix in (SPOOL, CLOSED, STATE, LOCK) and not path.is_symlink():
            written = path.stat().st_mtime if path.suffix != LOCK else 0.0  # a lock's time says nothing
            spool = path.with_suffix(SPOOL)
            last_write[spool] = max(last_write.get(spool, 0.0), written)
    return sorted(spool for spool, written in last_write.items() if written < before)


def _remove_session(spool: Path, ctx: CommandContext, *, dry_run: bool) -> list[Path]:
    """Trace what can still be traced of an ended session, then remove its files; returns the removed paths."""
    if dry_run:
        lock = spool.with_suffix(LOCK)
        return _session_files(spool) or ([lock] if lock.exists() else [])
    if _has_untraced_turns(spool):
        from infinium_codex.background.session_work import work

        work(CODEX, spool, ctx.places, ctx.environ, over=True)
    return list(_unlink_session(spool, ctx))


def _session_files(spool: Path) -> list[Path]:
    return [path for suffix in (SPOOL, CLOSED, STATE) if (path := spool.with_suffix(suffix)).exists()]


def _has_untraced_turns(spool: Path) -> bool:
    return spool.exists() or spool.with_suffix(CLOSED).exists() or bool(Checkpoint.load(spool.with_suffix(STATE)).owed)


def _unlink_session(spool: Path, ctx: CommandContext) -> Iterator[Path]:
    lock = spool.with_suffix(LOCK)
    held = try_lock(lock)
    if held is None:
        return  # a worker processes the session
    with held:
        for path in _session_files(spool):
            path.unlink(missing_ok=True)
            yield path
        lock.unlink(missing_ok=True)
        Schedule(str(ctx.places.schedule)).remove(entry_name(str(spool)))


def _remove_logs(directory: Path, before: float, *, dry_run: bool) -> list[Path]:
    old = sorted(path for path in directory.glob("*.jsonl") if path.stat().st_mtime < before)
    for path in old if not dry_run else ():
        path.unlink(missing_ok=True)
    return old
