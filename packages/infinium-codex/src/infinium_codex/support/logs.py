"""The worker's log: a JSON line for what went wrong, with what `errors` leaves out, such as where in the code.

Nothing is logged while all is well: structlog takes longer to import than a turn takes to trace.
"""

import os
from collections.abc import Mapping
from contextlib import suppress

from infinium_codex.support.paths import Places

MAX_BYTES = 1 << 20
"""A log that has grown to this becomes the old one, and the old one before it goes."""


def log_error(places: Places, environ: Mapping[str, str], event: str, /, **facts: object) -> None:
    """Append a line to `logs/worker.jsonl`, in an `except` block with the traceback. CONNECTOR_QUIET silences it."""
    if environ.get("CONNECTOR_QUIET", "").strip().lower() in ("1", "true", "yes", "on"):
        return
    import structlog

    path = places.logs / "worker.jsonl"
    with suppress(OSError):  # a full disk or a read-only home: there is no place left to say so
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
