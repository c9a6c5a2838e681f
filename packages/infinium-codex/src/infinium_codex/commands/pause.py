"""`infinium-codex pause` and `resume`: whether anything is recorded in this project."""

from infinium_config import find_project, read_project_file, write_project_file
from msgspec.structs import replace

from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory


def run(ctx: CommandContext, *, paused: bool) -> Result:
    """Set `paused` in the project file. While it is set, the hook records nothing at all."""
    project = find_project(ctx.cwd, home=home_directory(ctx.environ))
    if project is None:
        raise CommandError(f"{ctx.cwd} is in no project that was set up.", "Run 'infinium-codex init' first.")
    file = read_project_file(project.config_path)
    changed = bool(file.paused) is not paused
    if changed:
        write_project_file(project.config_path, replace(file, paused=paused))
    state = "paused: nothing is recorded" if paused else "recording"
    line = f"{project.root} is {'now' if changed else 'already'} {state}."
    return Result.success((line,), {"project": str(project.root), "paused": paused, "changed": changed})
