"""The log of the background processes: one JSON line per unexpected error, with its traceback.

`infinium-codex errors` lists the same errors without the traceback. Without errors nothing is logged, as structlog
takes longer to import than a turn takes to trace.
"""

import os
from collections.abc import Mapping
from contextlib import suppress

from infinium_config.variables import is_quiet

from infinium_codex.support.paths import Places

MAX_BYTES = 1 << 20
"""A log file of this size is renamed to `worker.old.jsonl`, which replaces the previous one."""


def log_error(places: Places, environ: Mapping[str, str], event: str, /, **facts: object) -> None:
    """Append a line to `logs/worker.jsonl`, in an `except` block with the traceback. CONNECTOR_QUIET turns it off."""
    if is_quiet(environ):
        return
    import structlog

    path = places.logs / "worker.jsonl"
    with suppress(OSError):  # a full disk or a read-only home: the error cannot be logged
        places.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            if path.stat().st_size > MAX_BYTES:
                path.replace(path.with_name("worker.old.jsonl"))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
            logger = structlog.wrap_logger(
                structlog.WriteLogger(file),
                processors=[
                    structlog.processors.add_log_level,
                    structlog.processors.TimeStamper(fmt="iso"),
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(),
                ],
            )
            logger.error(event, exc_info=True, **facts)
