"""`infinium-codex cleanup`: what nobody needs any more, taken away."""

import time
from collections.abc import Iterator
from pathlib import Path

from infinium_config import load
from infinium_config.locks import try_lock

from infinium_codex.background.schedule import Schedule, entry_name
from infinium_codex.capture.records import CLOSED_SUFFIX as CLOSED
from infinium_codex.capture.records import SUFFIX as SPOOL
from infinium_codex.codex.agent import CODEX
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.session.checkpoint import SUFFIX as STATE
from infinium_codex.session.checkpoint import Checkpoint
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.settings import home_directory

DAY_SECONDS = 86_400.0
LOCK = ".lock"


def run(ctx: CommandContext, *, days: int, dry_run: bool) -> Result:
    """Remove the leavings of dead sessions, and ledger entries, logs and damaged files older than `days`.

    A dead session is one without an event for the stale-session time and a day more; what can be made of it is traced
    first. Traces that wait, dead letters and local traces stay: they are the user's.
    """
    now = time.time()
    settings = load(ctx.cwd, ctx.environ, home=home_directory(ctx.environ))
    before = now - days * DAY_SECONDS
    dead = _dead_sessions(ctx.places.spool, now - settings.session_ttl.value - DAY_SECONDS)
    gone = {
        "sessions": [path for session in dead for path in _end(session, ctx, dry_run=dry_run)],
        "ledger": open_ledger(ctx.places).remove_older(before, dry_run=dry_run),
        "damaged": open_outbox(ctx.places).remove_damaged(before, dry_run=dry_run),
        "logs": [path for path in _old_logs(ctx.places.logs, before) if dry_run or _removed(path)],
    }
    verb = "would go" if dry_run else "removed"
    lines = [f"{name.capitalize():<10} {path} {verb}" for name, paths in gone.items() for path in paths]
    data = {name: [str(path) for path in paths] for name, paths in gone.items()}
    return Result.success(tuple(lines) or ("There is nothing to clean up.",), {"dry_run": dry_run, **data})


def _dead_sessions(directory: Path, before: float) -> list[Path]:
    """The spools, there or not, of sessions of which nothing was written since `before`."""
    newest: dict[Path, float] = {}
    for path in directory.glob("*") if directory.is_dir() else ():
        if path.suffix in (SPOOL, CLOSED, STATE, LOCK) and not path.is_symlink():
            spool = path.with_suffix(SPOOL)
            newest[spool] = max(newest.get(spool, 0.0), path.stat().st_mtime if path.suffix != LOCK else 0.0)
    return sorted(spool for spool, when in newest.items() if when < before)


def _end(spool: Path, ctx: CommandContext, *, dry_run: bool) -> Iterator[Path]:
    """Trace what can still be traced of a dead session, then remove its files; give those that went."""
    closed, state = spool.with_suffix(CLOSED), spool.with_suffix(STATE)
    if not dry_run and (spool.exists() or closed.exists() or Checkpoint.load(state).owed):
        from infinium_codex.background.session_work import work

        work(CODEX, spool, ctx.places, ctx.environ, over=True)
    own = [path for path in (spool, closed, state) if path.exists()]
    lock = spool.with_suffix(LOCK)
    if dry_run:
        yield from own or ([lock] if lock.exists() else [])
        return
    held = try_lock(lock)
    if held is not None:
        with held:
            yield from filter(_removed, own)
            lock.unlink(missing_ok=True)
            Schedule(str(ctx.places.schedule)).remove(entry_name(str(spool)))


def _old_logs(directory: Path, before: float) -> list[Path]:
    return sorted(path for path in directory.glob("*.jsonl") if path.stat().st_mtime < before)


def _removed(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True
