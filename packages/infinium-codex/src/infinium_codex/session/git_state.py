"""Reads a checkout's branch and commits from its files: no git process runs, and a broken checkout reads as none.

The checkout may be anyone's. Only small regular files are read, and only text that looks like a commit is used: a
`HEAD` that names another file of the user's does not bring its content into a trace.
"""

import re
from pathlib import Path

from infinium_config import find_checkout
from infinium_config.files import read_tail
from infinium_trace import HeadMove
from infinium_trace.lazy_pattern import lazy_pattern
from msgspec import Struct

_MAX_BYTES = 4 << 20
_LOG_BYTES = 64 << 10
_ID = "[0-9a-f]{40}(?:[0-9a-f]{24})?"
_COMMIT = lazy_pattern(_ID)
_REF = lazy_pattern(r"ref: (refs/[^\x00-\x20\x7f\\:?*\[~^]{1,250})")
_MOVE = lazy_pattern(rf"({_ID}) ({_ID}) .*> (\d{{1,11}}) [+-]\d{{4}}(?:\t|$)", re.DOTALL)


class GitState(Struct, frozen=True, kw_only=True):
    """The state of HEAD. `branch` is None on a detached HEAD, `commit` None before the first commit."""

    branch: str | None = None
    commit: str | None = None
    moves: tuple[HeadMove, ...] = ()
    """The moves of HEAD, as far back as the tail of its log goes; empty if there is no log."""


def read_git_state(directory: Path) -> GitState:
    """The state of the checkout that `directory` is in."""
    checkout = find_checkout(directory)
    if checkout is None:
        return GitState()
    head = _read(checkout.git_dir / "HEAD").strip()
    moves = _read_moves(checkout.git_dir / "logs" / "HEAD")
    ref = _REF.fullmatch(head)
    if ref is None:
        return GitState(commit=_as_commit(head), moves=moves)
    name = ref[1]
    if ".." in name:
        return GitState()
    commit = _as_commit(_read(checkout.common_dir / name).strip()) or _packed_commit(checkout.common_dir, name)
    return GitState(branch=name.removeprefix("refs/heads/"), commit=commit, moves=moves)


def _as_commit(text: str) -> str | None:
    return text if _COMMIT.fullmatch(text) else None


def _packed_commit(common_dir: Path, ref: str) -> str | None:
    for line in _read(common_dir / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return _as_commit(commit)
    return None


def _read_moves(log: Path) -> tuple[HeadMove, ...]:
    text = _read(log, _LOG_BYTES)
    found = [move for line in text.split("\n") if (move := _MOVE.match(line))]
    is_whole = len(text) < _LOG_BYTES
    return tuple(
        HeadMove(
            at_ms=int(move[3]) * 1000,
            # The first move in the tail of a longer log does not tell where HEAD stood before.
            before=move[1] if move[1].strip("0") and (is_whole or number) else None,
            after=move[2],
        )
        for number, move in enumerate(found)
    )


def _read(path: Path, max_bytes: int = _MAX_BYTES) -> str:
    return read_tail(path, max_bytes, follow_links=True).decode("utf-8", "replace")
