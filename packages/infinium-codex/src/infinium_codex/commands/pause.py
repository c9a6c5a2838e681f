"""`infinium-codex pause`: stop recording in this project."""

from infinium_config import find_project, read_project_file, write_project_file
from msgspec.structs import replace

from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.session.pauses import mark_sessions
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


def pause(*, ctx: Context, json: AsJson = False) -> Result:
    """Stop recording: the hook records nothing and no trace is made from the transcript later."""
    return set_paused(ctx, paused=True)


def set_paused(ctx: CommandContext, *, paused: bool) -> Result:
    """Write `paused` to the project file."""
    project = find_project(ctx.cwd, home=home_directory(ctx.environ))
    if project is None:
        raise CommandError(f"No Infinium project in {ctx.cwd} or a parent directory.", "Run 'infinium-codex init'.")
    file = read_project_file(project.config_path)
    changed = bool(file.paused) is not paused
    if changed:
        write_project_file(project.config_path, replace(file, paused=paused))
        mark_sessions(ctx.places.spool, project.config_path)
    state = "paused; nothing is recorded" if paused else "recording"
    line = f"{project.root} is {'now' if changed else 'already'} {state}."
    return Result.success((line,), {"project": str(project.root), "paused": paused, "changed": changed})
