"""A checkout's branch and commits, read from its files: no git process runs, and a broken checkout reads as none.

The checkout may be anybody's. What is read are small regular files, and only what looks like a commit is told on: a
`HEAD` that names some other file of the user's does not bring its content into a trace.
"""

import os
import re
import stat
from pathlib import Path

from infinium_trace import HeadMove
from msgspec import Struct

_MAX_BYTES = 4 << 20
_LOG_BYTES = 64 << 10
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REF = re.compile(r"ref: (refs/[^\x00-\x20\x7f\\:?*\[~^]{1,250})")
_MOVE = re.compile(rf"({_COMMIT.pattern}) ({_COMMIT.pattern}) .*> (\d{{1,11}}) [+-]\d{{4}}(?:\t|$)", re.DOTALL)


class GitState(Struct, frozen=True, kw_only=True):
    """Where HEAD stands. `branch` is None on a detached HEAD, `commit` None before the first commit."""

    branch: str | None = None
    commit: str | None = None
    moves: tuple[HeadMove, ...] = ()
    """How HEAD came there, as far back as the tail of its log goes; empty where there is no log."""


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
    moves = _moves(own / "logs" / "HEAD")
    named = _REF.fullmatch(head)
    if named is None:
        return GitState(commit=_commit(head), moves=moves)
    ref = named[1]
    if ".." in ref:
        return GitState()
    commit = _commit(_text(common / ref).strip()) or _packed(common, ref)
    return GitState(branch=ref.removeprefix("refs/heads/"), commit=commit, moves=moves)


def _commit(text: str) -> str | None:
    return text if _COMMIT.fullmatch(text) else None


def _packed(common: Path, ref: str) -> str | None:
    for line in _text(common / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return _commit(commit)
    return None


def _moves(log: Path) -> tuple[HeadMove, ...]:
    text = _text(log, _LOG_BYTES)
    found = [move for line in text.split("\n") if (move := _MOVE.match(line))]
    # Of a longer log this is the tail: HEAD may have stood anywhere when the time was before it.
    known = len(text) < _LOG_BYTES
    return tuple(
        HeadMove(
            at_ms=int(move[3]) * 1000,
            before=move[1] if move[1].strip("0") and (known or number) else None,
            after=move[2],
        )
        for number, move in enumerate(found)
    )


def _text(path: Path, most: int = _MAX_BYTES) -> str:
    """The end of a regular file; nothing of anything else, a FIFO nobody writes to included."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError):
        return ""
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        file.seek(max(status.st_size - most, 0))
        return file.read(most).decode("utf-8", "replace")
