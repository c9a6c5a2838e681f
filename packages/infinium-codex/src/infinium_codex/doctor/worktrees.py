"""Check of the project's linked worktrees: whether Codex reads the hooks in them."""

from pathlib import Path

from infinium_codex.doctor.checks import FIX, Check, ok, problem, warning
from infinium_codex.doctor.context import CheckContext

NAME = "worktrees"


def worktrees(context: CheckContext) -> Check:
    """Check that each linked worktree has a `.codex` directory. Codex reads no hooks in one without it."""
    hooks = context.hooks
    if context.managed or hooks.for_user:
        return ok(NAME, "The hooks run in every worktree.")
    fix = FIX if context.is_set_up else "Run 'infinium-codex init'."
    if hooks.worktree_is_unread:
        evidence = f"Codex reads no hooks in the linked worktree {hooks.worktree}, because it has no .codex directory."
        return problem(NAME, evidence, fix)
    unread = hooks.unread_worktrees
    if unread:
        evidence = f"Codex reads no hooks in these worktrees, because they have no .codex directory: {_list(unread)}."
        return warning(NAME, evidence, f"{fix} 'infinium-codex init --user-hooks' covers all worktrees, new ones too.")
    return ok(NAME, "Codex reads the hooks in every linked worktree that exists.")


def _list(paths: list[Path]) -> str:
    return ", ".join(map(str, paths))
