"""Finds linked git worktrees, and the directory from which Codex reads the hooks for one.

Codex looks for hooks in a worktree only if it has a `.codex` directory, which may be empty. From 0.131 on it then reads
the hooks, and the trust, of the main checkout.
"""

from pathlib import Path

from infinium_config import find_checkout, main_checkout
from infinium_config.files import read_small_file

from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.versions import MAIN_HOOKS_SINCE


def linked_worktree(cwd: Path) -> Path | None:
    """Return the linked worktree that `cwd` is in. None in a main checkout or outside of git."""
    checkout = find_checkout(cwd)
    return checkout.root if checkout is not None and checkout.main is not None else None


def hooks_root(root: Path, worktree: Path | None, codex: CodexProgram | None) -> Path:
    """Return the directory whose `.codex/hooks.json` Codex reads in `worktree`. `root` has the project's settings."""
    main = main_checkout(worktree) if worktree is not None else None
    if worktree is None or main is None:
        return root
    if codex is not None and not codex.since(MAIN_HOOKS_SINCE):
        return worktree
    return main / root.relative_to(worktree) if root.is_relative_to(worktree) else root


def unread_worktrees(main: Path) -> list[Path]:
    """Return the linked worktrees of a main checkout that have no `.codex`, in which Codex reads no hooks."""
    return [path for path in linked_worktrees(main) if not (path / ".codex").is_dir()]


def linked_worktrees(main: Path) -> list[Path]:
    """Return the linked worktrees of a main checkout that exist."""
    links = (read_small_file(link) for link in (main / ".git" / "worktrees").glob("*/gitdir"))
    worktrees = (Path(link.strip().decode("utf-8", "surrogateescape")).parent for link in links if link)
    return sorted(path for path in worktrees if path.is_dir())
