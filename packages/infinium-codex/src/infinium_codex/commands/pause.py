"""`infinium-codex pause`: stop recording in this project."""

from infinium_config import read_project_file, write_project_file
from msgspec.structs import replace

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.session.pause_log import PauseLog
from infinium_codex.session.pauses import mark_sessions
from infinium_codex.support.project_files import require_project
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.support.spool_directories import find_spool_directories


def pause(*, ctx: Context, json: AsJson = False) -> Result:
    """Stop recording: the hook records nothing and no trace is made from the transcript later."""
    return set_paused(ctx, paused=True)


def set_paused(ctx: CommandContext, *, paused: bool) -> Result:
    """Write `paused` to the project file."""
    project = require_project(ctx)
    file = read_project_file(project.config_path)
    changed = bool(file.paused) is not paused
    if changed:
        write_project_file(project.config_path, replace(file, paused=paused))
        for directory in find_spool_directories(ctx.places):
            mark_sessions(directory, project.config_path)
        PauseLog(ctx.places).note_project(project.config_path, paused=paused)
    state = "paused; nothing is recorded" if paused else "recording"
    line = f"{project.root} is {'now' if changed else 'already'} {state}."
    return Result.success((line,), {"project": str(project.root), "paused": paused, "changed": changed})
