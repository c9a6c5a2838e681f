"""A checkout's branch and commit, read from its files: no git process runs, and a broken checkout reads as none."""

from pathlib import Path

from msgspec import Struct

_MAX_BYTES = 1 << 20


class GitState(Struct, frozen=True, kw_only=True):
    """Where HEAD stands. `branch` is None on a detached HEAD, `commit` None before the first commit."""

    branch: str | None = None
    commit: str | None = None


def read_git_state(directory: Path) -> GitState:
    """The state of the checkout `directory` is in."""
    for parent in (directory, *directory.parents):
        git = parent / ".git"
        if git.is_dir():
            return _read(git, git)
        if git.is_file():
            linked = _text(git).removeprefix("gitdir:").strip()
            own = (parent / linked).resolve()
            return _read(own, (own / (_text(own / "commondir").strip() or ".")).resolve())
    return GitState()


def _read(own: Path, common: Path) -> GitState:
    head = _text(own / "HEAD").strip()
    if not head.startswith("ref: "):
        return GitState(commit=head or None)
    ref = head.removeprefix("ref: ")
    commit = _text(common / ref).strip() or _packed(common, ref)
    return GitState(branch=ref.removeprefix("refs/heads/"), commit=commit or None)


def _packed(common: Path, ref: str) -> str:
    for line in _text(common / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
