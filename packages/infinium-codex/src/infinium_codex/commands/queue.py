"""`infinium-codex queue`: list queued traces and dead letters, and delete those that are no longer wanted."""

import time
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter
from infinium_transport import DeadLetter, Dropped, Envelope, Queued
from msgspec import Struct

from infinium_codex.console.formatting import local_time, plural, utc_time
from infinium_codex.console.parameters import AllProjects, AsJson, Context
from infinium_codex.console.prompts import confirm_or_yes
from infinium_codex.delivery.projects import ProjectFilter, project_directory
from infinium_codex.delivery.stores import open_outbox, open_state
from infinium_codex.support.result import CommandContext, CommandError, Result, Row
from infinium_codex.support.settings import home_directory

REASON = "dropped by the user"
WAIT_SECONDS = 5.0
POLL_SECONDS = 0.2
SHOWN_KEY = 8
NAME_CHARACTERS = 50


class _Trace(Struct, frozen=True, kw_only=True):
    """A trace in the queue or among the dead letters. Its header is None where its file is damaged."""

    stored: Queued | DeadLetter
    header: Envelope | None
    size: int

    @property
    def key(self) -> str:
        return self.stored.key

    @property
    def state(self) -> str:
        return f"dead letter: {self.stored.reason}" if isinstance(self.stored, DeadLetter) else "queued"


def list_traces(*, all_projects: AllProjects = False, ctx: Context, json: AsJson = False) -> Result:
    """List the queued traces and dead letters of this project, oldest first."""
    traces = list(_traces(ctx, all_projects=all_projects))
    data = {"traces": [_record(trace) for trace in traces]}
    if not traces:
        return Result.success(("No traces are queued.",), data)
    return Result(ok=True, exit_code=0, rows=tuple(_row(trace) for trace in traces), data=data)


def drop(
    *keys: Annotated[str, Parameter(help="Keys of traces, or the beginning of each, as 'queue list' shows them.")],
    base_url: Annotated[str | None, Parameter(help="Delete the traces that are queued for this address.")] = None,
    everything: Annotated[bool, Parameter(negative="", help="Delete every trace that 'queue list' shows.")] = False,
    all_projects: AllProjects = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask for confirmation.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Delete queued traces and dead letters of this project. They are never sent; 'errors' records each of them."""
    if not (keys or base_url or everything):
        raise CommandError("No traces named.", "Pass keys, --base-url ADDRESS or --everything.", exit_code=2)
    traces = list(_traces(ctx, all_projects=all_projects))
    for key in keys:
        if not any(trace.key.startswith(key) for trace in traces):
            raise CommandError(f"No queued trace has a key that begins with {key}.", "See 'infinium-codex queue list'.")
    chosen = [trace for trace in traces if everything or _is_chosen(trace, keys, base_url)]
    if not chosen:
        return Result.success((f"No traces are queued for {base_url}." if base_url else "No traces are queued.",))
    count = plural(len(chosen), "trace")
    confirm_or_yes(ctx, f"Delete {count} without sending?", yes=yes, kept="Nothing was deleted.")
    deleted, kept = _drop(ctx, chosen)
    data = {"deleted": [dropped.key for dropped in deleted], "kept": [dropped.key for dropped in kept]}
    lines = [f"Deleted    {plural(len(deleted), 'trace')}"]
    if kept:
        lines.append(f"Kept       {plural(len(kept), 'trace')}, because {_senders(ctx)} is sending to this agent.")
        lines.append("           Run the command again, or end the process if it is stuck.")
    return Result(ok=not kept, exit_code=1 if kept else 0, lines=tuple(lines), data=data, to_stdout=True)


def _drop(ctx: CommandContext, chosen: list[_Trace]) -> tuple[list[Dropped], list[Dropped]]:
    """Delete traces; return those that were deleted, and those that stay because another process sends to their agent.

    Waits `WAIT_SECONDS` for such a process.
    """
    state, deleted = open_state(ctx.places), list[Dropped]()
    kept = [Dropped(key=one.key, path=one.stored.path, reason=REASON, size=one.size) for one in chosen]
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        deleted += state.drop(kept)
        kept = [dropped for dropped in kept if dropped.path.exists()]
        if not kept or time.monotonic() > deadline:
            return deleted, kept
        time.sleep(POLL_SECONDS)


def _senders(ctx: CommandContext) -> str:
    pids = [str(sender.pid) for sender in open_outbox(ctx.places).senders()]
    return f"process {', '.join(pids)}" if pids else "another process"


def _is_chosen(trace: _Trace, keys: tuple[str, ...], base_url: str | None) -> bool:
    by_address = base_url is not None and trace.header is not None and trace.header.base_url == base_url
    return by_address or any(trace.key.startswith(key) for key in keys)


def _traces(ctx: CommandContext, *, all_projects: bool) -> Iterator[_Trace]:
    outbox = open_outbox(ctx.places)
    project = ProjectFilter(project_directory(ctx.cwd, home_directory(ctx.environ)))
    found: list[Queued | DeadLetter] = [*outbox.pending(), *outbox.dead_letters()]
    for stored in found:
        header = outbox.read_header(stored)
        if all_projects or header is None or project.owns(header.labels):
            size = stored.size if isinstance(stored, Queued) else stored.path.stat().st_size
            yield _Trace(stored=stored, header=header, size=size)


def _row(trace: _Trace) -> Row:
    header = trace.header
    if header is None:
        return Row(cells=(trace.key[:SHOWN_KEY], "", "", f"damaged ({trace.state})"))
    where = f"agent {header.agent_id} at {header.base_url}"
    name = header.name[:NAME_CHARACTERS]
    return Row(cells=(trace.key[:SHOWN_KEY], local_time(header.created), name, f"{trace.state}, for {where}"))


def _record(trace: _Trace) -> dict[str, object]:
    header = trace.header
    return {
        "key": trace.key,
        "state": "dead" if isinstance(trace.stored, DeadLetter) else "queued",
        "reason": trace.stored.reason if isinstance(trace.stored, DeadLetter) else None,
        "agent_id": header.agent_id if header else None,
        "base_url": header.base_url if header else None,
        "name": header.name if header else None,
        "created": utc_time(header.created) if header else None,
        "size": trace.size,
    }
