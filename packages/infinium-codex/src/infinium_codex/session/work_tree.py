"""Snapshots of a checkout's work tree as git trees, without a write to the checkout.

The objects go to a directory of the connector's own, which refers to the checkout's objects. The index is a copy, so
that git reads only files whose size or time changed.
"""

import hashlib
import os
import shutil
import stat
import time
from pathlib import Path

import msgspec
from infinium_config import Checkout
from msgspec import Struct

from infinium_codex.session.git_command import Git, GitError

MAX_FILE_BYTES = 1 << 20
"""A changed file that is larger is listed, and not compared."""
_MAX_FILES = 2_000
"""With more changed and untracked files, the work tree is not read."""
_MAX_STORE_BYTES = 32 << 20
_MAX_AGE_SECONDS = 86_400.0


class Snapshot(Struct, frozen=True, kw_only=True):
    """The work tree at one time."""

    tree: str
    head: str | None
    """The commit of HEAD; None before the first one."""
    session: str
    is_dirty: bool
    """Whether it differs from HEAD."""
    unread: tuple[str, ...] = ()
    """Changed files that are too large to compare."""


class SnapshotStore:
    """The snapshots of one checkout."""

    def __init__(self, parent: Path, checkout: Checkout) -> None:
        name = hashlib.sha256(os.fsencode(checkout.git_dir.resolve())).hexdigest()[:32]
        self._parent, self._directory, self._checkout = parent, parent / name, checkout
        remove_old_snapshots(parent)
        (self._directory / "objects").mkdir(mode=0o700, parents=True, exist_ok=True)
        parent.chmod(0o700)

    def use(self, git: Git) -> None:
        """Have git write objects to the store, and read those of the checkout."""
        git.environ["GIT_OBJECT_DIRECTORY"] = str(self._directory / "objects")
        git.environ["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = _quoted(str(self._checkout.common_dir.resolve() / "objects"))

    def last(self) -> Snapshot | None:
        """Return the last snapshot of this checkout, if it is still there."""
        try:
            return msgspec.json.decode((self._directory / "last.json").read_bytes(), type=Snapshot)
        except (OSError, ValueError):
            return None

    def take(self, git: Git, head: str | None, session: str) -> Snapshot:
        """Take a snapshot of the work tree and store it as the last one. Raises GitError and OSError."""
        index = self._directory / f"index-{os.getpid()}"
        paths = index.with_name(f"{index.name}.paths")
        try:
            own_index = self._checkout.git_dir / "index"
            if own_index.exists():
                shutil.copyfile(own_index, index)
            git.environ["GIT_INDEX_FILE"] = str(index)
            changed, unread, is_dirty = _changed_paths(git, self._checkout.root)
            if changed:
                paths.write_bytes(b"".join(changed))
                git.run("update-index", "--add", "--remove", "-z", "--stdin", stdin=paths)
            tree = git.run("write-tree").decode().strip()
        finally:
            git.environ.pop("GIT_INDEX_FILE", None)
            for left in (index, index.with_name(f"{index.name}.lock"), paths):
                left.unlink(missing_ok=True)
        snapshot = Snapshot(tree=tree, head=head, session=session, is_dirty=is_dirty, unread=unread)
        (self._directory / "last.json").write_bytes(msgspec.json.encode(snapshot))
        return snapshot

    def remove_if_large(self) -> None:
        """Remove the store if its objects take too much space: the next snapshot starts a new one."""
        sizes = (file.stat().st_size for file in (self._directory / "objects").rglob("*") if file.is_file())
        if sum(sizes) > _MAX_STORE_BYTES:
            shutil.rmtree(self._directory, ignore_errors=True)


def _changed_paths(git: Git, root: Path) -> tuple[list[bytes], tuple[str, ...], bool]:
    """Return the paths that differ from the index, as input for git, the unread ones, and whether there are changes."""
    status = git.run(
        "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all"
    )
    entries = [entry for entry in status.split(b"\0") if len(entry) > 3]
    if len(entries) > _MAX_FILES:
        raise GitError(f"{len(entries):,} files are changed or untracked")
    changed, unread = [], []
    for entry in entries:
        path = entry[3:]
        if path.endswith(b"/"):
            continue  # a repository inside this one
        try:
            found = os.lstat(os.path.join(os.fsencode(root), path))  # noqa: PTH118 - any bytes
        except OSError:
            changed.append(path + b"\0")
            continue
        if stat.S_ISLNK(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_size <= MAX_FILE_BYTES):
            changed.append(path + b"\0")
        elif stat.S_ISREG(found.st_mode):
            unread.append(os.fsdecode(path))
    return changed, tuple(unread), bool(entries)


def remove_old_snapshots(parent: Path) -> None:
    """Remove the stores of checkouts without a turn in the last day: they hold copies of the user's files."""
    try:
        stores = list(parent.iterdir())
    except OSError:
        return
    for store in stores:
        try:
            age = time.time() - store.stat().st_mtime
        except OSError:
            continue
        if age > _MAX_AGE_SECONDS:
            shutil.rmtree(store, ignore_errors=True)


def _quoted(path: str) -> str:
    """Quote a path for a list of paths that colons separate."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"' if os.pathsep in path or path[:1] == '"' else path
