"""`infinium-codex logs`: show what worker and scheduler did: each trace sent, parked, rejected or dropped."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from infinium_codex.console.formatting import local_time
from infinium_codex.console.parameters import AsJson, Context, Count
from infinium_codex.support.json_fields import epoch_ms, parse_object, text
from infinium_codex.support.logs import log_path, old_log_path
from infinium_codex.support.result import CommandError, Result

POLL_SECONDS = 0.5
_HEAD = ("timestamp", "level", "event", "exception")
_HIDDEN = frozenset((*_HEAD, "root", "session", "kind"))
"""Fields of a line that are not shown behind its event. `--json` shows all."""


def logs(
    *,
    count: Count = 20,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], negative="", help="Wait for more lines until Ctrl-C.")
    ] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Show the last lines of the log, oldest first. CONNECTOR_QUIET turns the log off."""
    if follow and json:
        raise CommandError("--follow prints text only.", f"Follow {log_path(ctx.places)} for JSON lines.", exit_code=2)
    path = log_path(ctx.places)
    size = path.stat().st_size if path.exists() else 0
    records = [record for one in (old_log_path(ctx.places), path) for record in _read(one)][-count:]
    lines = tuple(map(_line, records)) or (() if follow else ("The log is empty.",))
    more = map(_line, _follow(path, size)) if follow else ()
    return Result(ok=True, exit_code=0, lines=lines, data={"lines": records}, follow=more)


def _read(path: Path) -> list[dict[str, object]]:
    try:
        return [record for line in path.read_bytes().splitlines() if (record := parse_object(line))]
    except FileNotFoundError:
        return []


def _follow(path: Path, position: int) -> Iterator[dict[str, object]]:
    """Yield the records that are appended behind `position`. A smaller file is a new one and is read from its start."""
    rest = b""
    while True:
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(position if size >= position else 0)
                *lines, rest = (rest + file.read()).split(b"\n")
                position = file.tell()
        except FileNotFoundError:
            lines = []
        yield from (record for line in lines if (record := parse_object(line)))
        time.sleep(POLL_SECONDS)


def _line(record: Mapping[str, object]) -> str:
    when = epoch_ms(record.get("timestamp"))
    facts = "  ".join(f"{name}={value}" for name, value in record.items() if name not in _HIDDEN)
    line = f"{local_time(when / 1000) if when else '?':<26}  {text(record, 'level') or '':<7}  {record.get('event')}"
    exception = text(record, "exception")
    return f"{line}  {facts}".rstrip() + (f"\n{exception}" if exception else "")
