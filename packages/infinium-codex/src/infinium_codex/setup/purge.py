"""Removes everything the connector keeps for a user: its processes, queues, traces, logs and the hook's program."""

import shutil
from contextlib import suppress

from infinium_config import ApprovedOrigins
from infinium_config.files import remove_file

from infinium_codex.capture import install as hook_home
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.support.processes import end_processes
from infinium_codex.support.result import CommandContext
from infinium_codex.support.spool_directories import find_spool_directories


def purge_user(ctx: CommandContext) -> int:
    """Remove everything; return how many queued traces were not sent. Raises OSError.

    The hook's program goes first, so that no hook starts another process.
    """
    places = ctx.places
    queued = sum(1 for _ in open_outbox(places).pending()) if places.outbox.is_dir() else 0
    hook_home.remove(places)
    end_processes(str(places.data / hook_home.LAUNCHER), str(places.schedule))
    for directory in (*find_spool_directories(places), places.state):  # the list of directories goes last
        if directory.is_dir() and not directory.is_symlink():
            shutil.rmtree(directory)
    _remove_approvals(ctx)
    return queued


def _remove_approvals(ctx: CommandContext) -> None:
    """Remove the file of approved addresses if it is empty. Other connectors may have approvals in it."""
    origins = ctx.places.origins
    if origins.exists() and ApprovedOrigins(origins).is_empty:
        for path in (origins, origins.with_name(f"{origins.name}.lock")):
            remove_file(path, missing_ok=True)
        with suppress(OSError):  # another connector keeps files there
            origins.parent.rmdir()
