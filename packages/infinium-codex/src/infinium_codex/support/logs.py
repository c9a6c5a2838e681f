"""The log of what is sent: one JSON line for each trace, and for each unexpected error with its traceback.

`infinium-codex logs` shows it. The lines have the shape that structlog gives them. Only the line of an error is written
through structlog: it takes longer to import than a turn takes to trace.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from infinium_config import resolve
from infinium_config.files import replace_file
from msgspec.json import encode

from infinium_codex.support.paths import Places

MAX_BYTES = 1 << 20
"""A log file of this size is renamed to `worker.old.jsonl`, which replaces the previous one."""


def log_path(places: Places) -> Path:
    """The log that is written now."""
    return places.logs / "worker.jsonl"


def old_log_path(places: Places) -> Path:
    """The log before that."""
    return places.logs / "worker.old.jsonl"


def log(places: Places, event: str, /, level: str = "info", **facts: object) -> None:
    """Append a line. The caller asks the setting `quiet` first, once for all its lines."""
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    with _open(places) as file:
        file.write(encode({**facts, "event": event, "level": level, "timestamp": now}).decode() + "\n")


def log_error(places: Places, environ: Mapping[str, str], event: str, /, **facts: object) -> None:
    """Append a line with the traceback of the exception that is being handled, unless CONNECTOR_QUIET is set."""
    if resolve(environ, None, None).quiet.value:
        return
    import structlog

    with _open(places) as file:
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


@contextmanager
def _open(places: Places) -> Iterator[TextIO]:
    """Open the log to append. On a full disk or in a read-only home directory nothing is logged."""
    path = log_path(places)
    with suppress(OSError):
        places.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            if path.stat().st_size > MAX_BYTES:
                replace_file(path, old_log_path(places))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            yield file
        return
    with open(os.devnull, "a", encoding="utf-8") as nowhere:  # noqa: PTH123
        yield nowhere
