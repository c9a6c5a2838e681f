"""Read where a git checkout keeps its data. A linked worktree has a `.git` file; no git process runs."""

from pathlib import Path

from msgspec import Struct

from infinium_config.files import read_small_file

MAX_PATH_BYTES = 4096
"""A longer path in a file of git is ignored: the system accepts none."""


class Checkout(Struct, frozen=True, kw_only=True):
    """A git checkout: a main checkout, a linked worktree or a submodule. Its paths may contain `..`."""

    root: Path
    """The directory that holds `.git`."""
    git_dir: Path
    """The git directory of this checkout alone: HEAD and its log."""
    common_dir: Path
    """The git directory that all worktrees share: refs and packed-refs."""
    main: Path | None = None
    """The main checkout, if this is a linked worktree of one. None for a worktree of a bare repository."""


def find_checkout(start: Path) -> Checkout | None:
    """The checkout that `start` is in; None outside of git and where `.git` is invalid."""
    for directory in (start, *start.parents):
        if (directory / ".git").exists():
            return read_checkout(directory)
    return None


def read_checkout(root: Path) -> Checkout | None:
    """The checkout whose top is `root`; None if `root` has no valid `.git`."""
    git = root / ".git"
    link = read_small_file(git)
    if link is None:
        return Checkout(root=root, git_dir=git, common_dir=git) if git.is_dir() else None
    if not link.startswith(b"gitdir:"):
        return None
    own_path = _path_text(link[7:])
    if not own_path:
        return None
    own = root / own_path
    common = _path_text(read_small_file(own / "commondir") or b"")
    if not common:  # a submodule, or `git init --separate-git-dir`
        return Checkout(root=root, git_dir=own, common_dir=own)
    shared = _without_parent_parts(own / common)
    return Checkout(
        root=root, git_dir=own, common_dir=own / common, main=shared.parent if shared.name == ".git" else None
    )


def main_checkout(directory: Path) -> Path | None:
    """The main checkout of the linked worktree whose top is `directory`; None if it is not one."""
    checkout = read_checkout(directory)
    return checkout.main if checkout else None


def _path_text(content: bytes) -> str:
    """The path in a file of git; empty if it is none that the system accepts."""
    text = content.strip().decode("utf-8", "surrogateescape")
    return text if len(content) <= MAX_PATH_BYTES and "\0" not in text else ""


def _without_parent_parts(path: Path) -> Path:
    """Collapse `..` by text. Links are not resolved, as in the hook, which finds the same project by the same rule."""
    kept: list[str] = []
    for part in path.parts:
        if part == "..":
            del kept[-1:]
        else:
            kept.append(part)
    return Path(*kept)
