"""What `doctor --fix` repairs: problems that need no confirmation. It never trusts hooks; that is up to the user."""

from collections.abc import Iterator

from infinium_codex.capture import install as hook_home
from infinium_codex.codex import features
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.hooks_json import HooksFileError
from infinium_codex.doctor.context import CheckContext
from infinium_codex.doctor.hooks_file import plan_hooks
from infinium_codex.doctor.storage import is_readable_by_others, private_directories
from infinium_codex.support.result import CommandError


def apply_fixes(context: CheckContext) -> tuple[str, ...]:
    """Repair what can be repaired; returns what was done, and what failed."""
    fixes = (_hook_program, _directories, _feature_flag, _hooks_file, _worktrees)
    return tuple(done for fix in fixes for done in fix(context))


def _hook_program(context: CheckContext) -> Iterator[str]:
    try:
        if context.managed is None and hook_home.install(context.places, CODEX):
            yield f"hook program: {context.places.data} created"
    except OSError as error:
        yield f"hook program: cannot create {context.places.data}: {error.strerror}"


def _directories(context: CheckContext) -> Iterator[str]:
    for path in private_directories(context):
        try:
            if not path.exists():
                path.mkdir(parents=True, mode=0o700)
                yield f"{path} created"
            elif is_readable_by_others(path) and not path.is_symlink():
                path.chmod(0o700)
                yield f"{path}: access for other users removed"
        except OSError as error:
            yield f"cannot create {path}: {error.strerror}"


def _feature_flag(context: CheckContext) -> Iterator[str]:
    try:
        if context.codex is not None and context.is_set_up and features.needs_flag(context.codex, context.environ):
            yield f"hooks feature: {features.turn_on(context.codex, context.cwd, context.environ)}"
    except (ConfigTomlError, OSError) as error:
        yield f"hooks feature: not turned on: {error}"


def _hooks_file(context: CheckContext) -> Iterator[str]:
    """Register our hooks as this Codex needs them; the user's own hooks keep their trust."""
    if not context.is_set_up or context.managed:
        return
    path = context.hooks.path
    try:
        plan = plan_hooks(context)
        if plan.changed:
            context.hooks.apply(plan, trust=False)
            done = [f"{len(plan.added)} added"] if plan.added else []
            done += [f"{', '.join(plan.repaired)} removed from the top level"] if plan.repaired else []
            yield f"hooks file: {path}: {'; '.join(done)}"
    except (HooksFileError, CommandError, AppServerError) as error:
        yield f"hooks file: {path} not changed: {error}"


def _worktrees(context: CheckContext) -> Iterator[str]:
    """Let Codex read the hooks in every linked worktree."""
    if context.is_set_up and not context.managed:
        for path in context.hooks.cover_worktrees():
            yield f"worktrees: {path / '.codex'} created"
