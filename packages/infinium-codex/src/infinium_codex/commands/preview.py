"""`infinium-codex preview`: show exactly what would be sent, and send nothing."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from infinium_config.files import write_atomically

from infinium_codex.backfill.preview import Preview, PreviewBuilder
from infinium_codex.backfill.projects import Projects, TracedProject
from infinium_codex.backfill.turns import FoundSession, FoundTurn, Missing, SessionToRead, TurnFinder
from infinium_codex.codex.program import codex_home
from infinium_codex.codex.session_files import ProjectDirectories, TranscriptFile
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.delivery.stores import open_state
from infinium_codex.session.known_traces import KnownTraces
from infinium_codex.session.pause_log import PauseLog
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory
from infinium_codex.view.preview import PreviewDrawing

LATEST = "latest"


def preview(
    session: Annotated[
        str, Parameter(help="A session's id or its beginning, the path of a transcript, or 'latest'.")
    ] = LATEST,
    *,
    turn: Annotated[
        str, Parameter(help="The turn: its id, its trace's key, or the beginning of one. By default the last one.")
    ] = "",
    every: Annotated[
        bool, Parameter(name="--all", negative="", help="Every trace of the session, its summary included.")
    ] = False,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="Write the bytes of the trace to this file.")
    ] = None,
    diff: Annotated[bool, Parameter(negative="", help="Show what redaction changed. Only on a terminal.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Build the trace of a turn with the settings of its project, and show it with each redaction marked."""
    if diff and (json or output or not ctx.to_terminal):
        raise CommandError("The original is shown on a terminal only.", "Leave --diff out.", exit_code=2)
    directories = ProjectDirectories.at(ctx.cwd, home_directory(ctx.environ))
    state = open_state(ctx.places)
    known = KnownTraces(ctx.places, state)
    projects = Projects(ctx.places, ctx.environ, directories)
    finder = TurnFinder(ctx.places, ctx.environ, known, projects, PauseLog(ctx.places).read())
    found = finder.read(_find(session, finder, directories, ctx))
    with tempfile.TemporaryDirectory(prefix="infinium-codex-") as scratch:
        builder = PreviewBuilder(ctx.places, ctx.environ, state, known, found, Path(scratch), with_original=diff)
        previews = list(_previews(builder, found, turn.strip().lower(), every=every))
    if not previews:
        raise CommandError(f"{found.file.path} has no turn with content.", "Nothing would be sent.")
    if output is not None:
        return _write(previews, output)
    return Result.drawn(
        PreviewDrawing(previews=tuple(previews), diff=diff), {"traces": [_record(one) for one in previews]}
    )


def _find(session: str, finder: TurnFinder, directories: ProjectDirectories, ctx: CommandContext) -> SessionToRead:
    """The session that the user names. Raises CommandError if there is none, or several."""
    path = ctx.cwd / session
    if session != LATEST and path.is_file():
        status = path.stat()
        file = TranscriptFile(path=str(path), thread_id="", size=status.st_size, modified=status.st_mtime).open()
        if file is None:
            raise CommandError(f"{path} is no transcript of Codex: its first line is no session_meta.")
        return SessionToRead(file=file, reviews=())
    prefix = "" if session == LATEST else session.strip().lower()
    sessions = finder.sessions(codex_home(ctx.environ), id_prefix=prefix)
    if session == LATEST:
        own = [one for one in sessions if one.file.meta.cwd and directories.contains(one.file.meta.cwd)]
        if not own:
            raise CommandError(f"Codex has no session of {directories.root}.", "Give a session's id, or a file.")
        return max(own, key=lambda one: one.file.modified)
    if len(sessions) != 1:
        number = f"{len(sessions)} sessions have" if sessions else "No session has"
        hint = "Give more of the id." if sessions else "'infinium-codex list' shows the sessions."
        raise CommandError(f"{number} an id that begins with '{session}'.", hint)
    return sessions[0]


def _previews(builder: PreviewBuilder, found: FoundSession, turn: str, *, every: bool) -> Iterator[Preview]:
    """Build the traces that are wanted. Raises CommandError where none would be sent."""
    turns = [one for one in found.turns if one.span.turn_id.startswith(turn) or one.key.startswith(turn)]
    if not turns:
        what = f"no turn '{turn}'" if turn else "no turn"
        raise CommandError(f"{found.file.path} has {what}.")
    if not every:
        turns = turns[-1:]
    for one in turns:
        project = _project(one)
        if project.settings.flush_on_stop.value and (built := builder.turn(one, project)) is not None:
            yield built
    last = _project(turns[-1])
    if last.settings.flush_on_session_end.value and (every or not last.settings.flush_on_stop.value):
        own = [one for one in found.turns if isinstance(one.project, TracedProject) and one.project.root == last.root]
        summary = builder.summary([one for one in own if one.missing is not Missing.PAUSED], last)
        if summary is not None:
            yield summary


def _project(turn: FoundTurn) -> TracedProject:
    if turn.missing is Missing.PAUSED:
        raise CommandError("Nothing would be sent: recording was paused.")
    if not isinstance(turn.project, TracedProject):
        raise CommandError(f"Nothing would be sent of a turn in {turn.directory}: {turn.project}.")
    return turn.project


def _write(previews: Sequence[Preview], output: Path) -> Result:
    if len(previews) != 1:
        raise CommandError(f"{len(previews)} traces do not fit into one file.", "Choose one with --turn.", exit_code=2)
    write_atomically(output.absolute(), previews[0].body)
    line = f"Wrote the {len(previews[0].body):,} bytes of trace {previews[0].key} to {output}. Nothing was sent."
    return Result.success((line,), {"traces": [_record(previews[0])], "file": str(output.absolute())})


def _record(preview: Preview) -> dict[str, object]:
    return {
        "key": preview.key,
        "kind": preview.kind,
        "name": preview.name,
        "agent_id": preview.agent_id,
        "base_url": preview.base_url,
        "built_from": preview.origin,
        "bytes": len(preview.body),
        "redactions": dict(preview.redactions),
        "body": preview.body.decode("utf-8"),
    }
