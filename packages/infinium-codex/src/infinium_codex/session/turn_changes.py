"""Finds what a turn changed in its checkout, by any tool: files with their lines, a unified diff, commits.

Nothing runs before or during a turn. The state before it is the snapshot after the session's last turn, or else the
commit that HEAD was at when the turn began. Of the differences to the state now, those count whose files changed during
the turn. A checkout that misbehaves never costs a trace: then the patches of the transcript tell what changed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from infinium_config import Checkout, find_checkout
from infinium_trace import Commit, FileChange, TreeChanges
from infinium_trace.events import ChangeKind

from infinium_codex.session.git_command import Git, GitError
from infinium_codex.session.git_state import read_git_state
from infinium_codex.session.work_tree import Snapshot, SnapshotStore

SECONDS = 5.0
"""All calls of git for one turn."""
_TOLERANCE_MS = 100
"""Times of files may be this much earlier than those of hooks, which read another clock."""
_AFTER_MS = 2_000
"""A file changed later than this after the turn's end is not the turn's."""
_MAX_DIFF_BYTES = 200_000
_MAX_PATHS = 200
"""Paths that a diff is asked for."""
_MAX_COMMITS = 20
_KINDS = {"A": ChangeKind.ADDED, "D": ChangeKind.DELETED, "R": ChangeKind.MOVED, "C": ChangeKind.ADDED}


def read_turn_changes(
    cwd: Path, store: Path, session: str, *, started_ms: int, ended_ms: int, commit_before: str | None
) -> TreeChanges | None:
    """Return what changed in the checkout of `cwd` during a turn that has just ended; None if that cannot be told.

    `store` is the directory of snapshots. `commit_before` is the commit at the turn's start, if it is known.
    """
    checkout = find_checkout(cwd)
    head = read_git_state(cwd)
    if checkout is None or not (head.commit or head.branch):
        return None  # no checkout that git would accept
    git = Git(checkout.root, SECONDS)
    try:
        snapshots = SnapshotStore(store, checkout)
        snapshots.use(git)
        last = snapshots.last()
        before = commit_before or head.commit
        now = snapshots.take(git, head.commit, session)
        is_known = last is not None and last.session == session and last.head == before
        baseline = last.tree if last is not None and is_known else before or _empty_tree(git)
        found = _compare(git, checkout, baseline, now, (started_ms - _TOLERANCE_MS, ended_ms + _AFTER_MS))
        commits = _commits(git, before, head.commit, started_ms)
        snapshots.remove_if_large()
    except (GitError, OSError, ValueError):
        return None
    return TreeChanges(
        files=found.files,
        diff=found.diff,
        changed_at_ms=found.changed_at_ms,
        commits=commits,
        is_dirty=now.is_dirty,
    )


def _compare(git: Git, checkout: Checkout, before: str, now: Snapshot, turn: tuple[int, int]) -> TreeChanges:
    """Return the differences whose files changed between the two times."""
    lines = dict(_numstat(git.run("diff-tree", "-r", "-M", "-z", "--numstat", before, now.tree)))
    names = _name_status(git.run("diff-tree", "-r", "-M", "-z", "--name-status", before, now.tree))
    files, paths, changed_at_ms, all_are_own = [], [], 0, True
    for kind, path, moved_to in names:
        at_ms = _changed_at(checkout.root, moved_to or path, is_deleted=kind is ChangeKind.DELETED)
        if at_ms is None or not turn[0] <= at_ms <= turn[1]:
            all_are_own = False
            continue
        changed_at_ms = max(changed_at_ms, at_ms)
        added, removed = lines.get(moved_to or path, (None, None))
        files.append(_change(checkout.root, path, kind, moved_to, added, removed))
        paths += [path, moved_to] if moved_to else [path]
    for path in now.unread:
        at_ms = _changed_at(checkout.root, path, is_deleted=False)
        if at_ms is not None and turn[0] <= at_ms <= turn[1]:
            files.append(_change(checkout.root, path, ChangeKind.MODIFIED, None, None, None))
    diff = ""
    if paths:
        wanted = [] if all_are_own else ["--", *paths[:_MAX_PATHS]]
        diff = _diff(git, before, now.tree, wanted)
    return TreeChanges(files=tuple(files), diff=diff, changed_at_ms=changed_at_ms)


def _diff(git: Git, before: str, after: str, paths: list[str]) -> str:
    arguments = ("diff-tree", "-r", "-M", "-p", "--no-ext-diff", "--no-textconv", "--no-color", before, after, *paths)
    try:
        return git.run(*arguments, max_bytes=_MAX_DIFF_BYTES).decode("utf-8", "replace")
    except GitError:
        return ""  # too long: the list of files remains


def _change(
    root: Path, path: str, kind: ChangeKind, moved_to: str | None, added: int | None, removed: int | None
) -> FileChange:
    return FileChange(
        path=str(root / path),
        kind=kind,
        moved_to=str(root / moved_to) if moved_to else None,
        lines_added=added,
        lines_removed=removed,
    )


def _name_status(output: bytes) -> Iterator[tuple[ChangeKind, str, str | None]]:
    fields = iter(os.fsdecode(output).split("\0"))
    for status in fields:
        if not status:
            return
        path = next(fields)
        moved_to = next(fields) if status[0] in "RC" else None
        if status[0] == "C" and moved_to:
            path, moved_to = moved_to, None
        yield _KINDS.get(status[0], ChangeKind.MODIFIED), path, moved_to


def _numstat(output: bytes) -> Iterator[tuple[str, tuple[int | None, int | None]]]:
    fields = iter(os.fsdecode(output).split("\0"))
    for entry in fields:
        if not entry:
            return
        added, removed, path = entry.split("\t", 2)
        if not path:  # moved: the old and the new path follow
            next(fields)
            path = next(fields)
        yield path, (_number(added), _number(removed))


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None  # "-" for a binary file


def _changed_at(root: Path, path: str, *, is_deleted: bool) -> int | None:
    """Return when a file was changed, moved here or deleted, in UTC epoch milliseconds; None if it cannot be told."""
    file = root / path
    if is_deleted:
        file = next((parent for parent in file.parents if parent.exists()), root)
    try:
        found = file.lstat()
    except OSError:
        return None
    newest = found.st_mtime_ns if os.name == "nt" or is_deleted else max(found.st_mtime_ns, found.st_ctime_ns)
    return newest // 1_000_000


def _commits(git: Git, before: str | None, after: str | None, started_ms: int) -> tuple[Commit, ...]:
    """Return the commits made during the turn, newest first."""
    if after is None or before == after:
        return ()
    revisions = f"{before}..{after}" if before else after
    since = f"--since=@{started_ms // 1000}"
    output = git.run("log", f"--max-count={_MAX_COMMITS}", since, "--format=%H%x09%s", revisions, max_bytes=1 << 20)
    lines = (line.partition("\t") for line in output.decode("utf-8", "replace").splitlines())
    return tuple(Commit(commit=commit, subject=subject) for commit, _, subject in lines)


def _empty_tree(git: Git) -> str:
    return git.run("hash-object", "-w", "-t", "tree", "--stdin").decode().strip()
