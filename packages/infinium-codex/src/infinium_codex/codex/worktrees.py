"""Linked git worktrees, and where Codex looks for the hooks of one.

Codex looks into a worktree only when it has a `.codex` directory, be it empty, and then, from 0.131 on, reads the
hooks and the trust of its main checkout instead.
"""

from pathlib import Path

from infinium_config import main_checkout

from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.versions import MAIN_HOOKS_SINCE


def linked_worktree(cwd: Path) -> Path | None:
    """The linked worktree `cwd` is in; None in a main checkout, or outside of git."""
    for directory in (cwd, *cwd.parents):
        if main_checkout(directory) is not None:
            return directory
        if (directory / ".git").exists():
            return None
    return None


def hooks_root(root: Path, worktree: Path | None, codex: CodexProgram | None) -> Path:
    """The directory whose `.codex` has the hooks that Codex runs in `worktree`; the settings are in `root`."""
    main = main_checkout(worktree) if worktree is not None else None
    if worktree is None or main is None:
        return root
    if codex is not None and not codex.since(MAIN_HOOKS_SINCE):
        return worktree
    return main / root.relative_to(worktree) if root.is_relative_to(worktree) else root


def unread_worktrees(main: Path) -> list[Path]:
    """The linked worktrees of a main checkout in which Codex looks for no hooks, since they have no `.codex`."""
    found = []
    for note in (main / ".git" / "worktrees").glob("*/gitdir"):
        try:
            worktree = Path(note.read_text("utf-8", "surrogateescape").strip()).parent
        except OSError:
            continue
        if worktree.is_dir() and not (worktree / ".codex").is_dir():
            found.append(worktree)
    return sorted(found)
