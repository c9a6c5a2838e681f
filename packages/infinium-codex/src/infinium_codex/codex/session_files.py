"""Finds the transcripts that Codex keeps: of all sessions, of one project, of one thread.

Codex writes `sessions/YYYY/MM/DD/rollout-TIME-THREAD.jsonl` below its home. It compresses idle transcripts to
`.jsonl.zst` and moves archived ones to `archived_sessions/`. Only names, sizes and times are read to sort them; the
first line of a transcript is read when its session is asked for.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from infinium_config import find_checkout
from infinium_config.files import read_small_file
from msgspec import Struct

from infinium_codex.codex.session_meta import SessionMeta, read_session_meta
from infinium_codex.codex.threads import ThreadKind, thread_id
from infinium_codex.codex.transcript.file import ZST
from infinium_codex.delivery.projects import project_directory

SESSIONS, ARCHIVE = "sessions", "archived_sessions"
"""The two directories of transcripts below Codex's home."""
_PREFIX, _SUFFIX = "rollout-", ".jsonl"


class SessionFile(Struct, frozen=True, kw_only=True):
    """A transcript and what its first line says."""

    path: Path
    size: int
    """Bytes on disk."""
    modified: float
    """When Codex last wrote it, in seconds since the epoch."""
    meta: SessionMeta

    @property
    def session_id(self) -> str:
        """The id of the thread, which for a session of the user is the session's id in hook calls and traces."""
        return self.meta.thread_id

    @property
    def is_users(self) -> bool:
        """Whether the user started it: no subagent, no review, no thread that Codex runs for itself."""
        return self.meta.kind is ThreadKind.USER

    @property
    def is_archived(self) -> bool:
        """Whether Codex moved it to its archive."""
        return ARCHIVE in self.path.parts

    @property
    def is_compressed(self) -> bool:
        """Whether Codex compressed it."""
        return self.path.suffix == ZST


class TranscriptFile(Struct, frozen=True, kw_only=True):
    """A transcript that was found by its name and not opened yet."""

    path: str
    thread_id: str
    size: int
    modified: float

    def open(self) -> SessionFile | None:
        """Read the first line; None if it is no `session_meta`."""
        path = Path(self.path)
        meta = read_session_meta(path)
        return None if meta is None else SessionFile(path=path, size=self.size, modified=self.modified, meta=meta)


def find_transcripts(home: Path, *, since: float = 0.0, id_prefix: str = "") -> list[TranscriptFile]:
    """Find the transcripts below Codex's `home`, the last written first, without opening them.

    `since` is the earliest time of the last write, in seconds since the epoch. `id_prefix` is the beginning of the
    thread's id. Of a transcript that is there twice, while Codex compresses or archives it, the plain one in
    `sessions/` is used.
    """
    found: dict[str, TranscriptFile] = {}
    for directory in (home / SESSIONS, home / ARCHIVE):
        for entry in sorted(_entries(str(directory)), key=lambda entry: entry.name.endswith(ZST)):
            thread = thread_id(entry.name)
            if thread is None or thread in found or not thread.startswith(id_prefix):
                continue
            try:
                status = entry.stat()
            except OSError:  # archived or compressed meanwhile
                continue
            if status.st_mtime >= since:
                found[thread] = TranscriptFile(
                    path=entry.path, thread_id=thread, size=status.st_size, modified=status.st_mtime
                )
    return sorted(found.values(), key=lambda one: (one.modified, one.thread_id), reverse=True)


def session_files(home: Path, *, since: float = 0.0, id_prefix: str = "") -> Iterator[SessionFile]:
    """Yield the sessions that the user started, the last written first. Arguments as for `find_transcripts`."""
    for found in find_transcripts(home, since=since, id_prefix=id_prefix):
        session = found.open()
        if session is not None and session.is_users:
            yield session


def project_session_files(
    home: Path, directories: "ProjectDirectories", *, since: float = 0.0, id_prefix: str = ""
) -> Iterator[SessionFile]:
    """Yield the user's sessions that began in a project, the last written first."""
    for session in session_files(home, since=since, id_prefix=id_prefix):
        if session.meta.cwd is not None and directories.contains(session.meta.cwd):
            yield session


def find_thread_file(near: Path, thread: str) -> Path | None:
    """Find the transcript of a thread by its id; `near` is the transcript of another thread of the session.

    It is in the same directory, unless the thread began on another day or Codex archived it meanwhile.
    """
    if not thread.replace("-", "").isalnum():  # the id comes from a file: it must not be a pattern or a path
        return None
    try:
        beside = min(near.parent.glob(f"{_PREFIX}*-{thread}{_SUFFIX}"), default=None)
    except (OSError, ValueError):  # the path of the session's transcript is none
        return None
    if beside is not None:
        return beside
    home = next((parent.parent for parent in near.parents if parent.name in (SESSIONS, ARCHIVE)), None)
    found = [] if home is None else [one for one in find_transcripts(home, id_prefix=thread) if one.thread_id == thread]
    return Path(found[0].path) if found else None


class ProjectDirectories:
    """Tells whether a directory belongs to a project: it is the project's, or in one of its linked worktrees.

    A directory that no longer exists belongs to the project whose directory, or whose worktree's, it was below.
    """

    def __init__(self, root: Path, find_root: Callable[[Path], Path]) -> None:
        """`root` is the project's directory; `find_root` returns that of the project which a directory is in."""
        self.root, self._find_root = root, find_root
        self._known: dict[str, bool] = {}
        self._places = [root, root.resolve(), *_worktrees(root)]

    @classmethod
    def at(cls, cwd: Path, home: Path | None) -> Self:
        """The directories of the project at `cwd`. `home` is the user's, whose own `.infinium` is not a project."""
        return cls(project_directory(cwd, home), lambda directory: project_directory(directory, home))

    def contains(self, directory: str) -> bool:
        """Whether a directory belongs to the project, and not to another project or checkout inside it."""
        known = self._known.get(directory)
        if known is None:
            known = self._known[directory] = self._contains(Path(directory))
        return known

    def _contains(self, directory: Path) -> bool:
        if not directory.is_absolute():
            return False
        if directory.is_dir():
            return self._find_root(directory).resolve() == self.root.resolve()
        return any(directory.is_relative_to(place) for place in self._places)


def _worktrees(root: Path) -> list[Path]:
    """The linked worktrees that the project's checkout knows, also removed ones that git has not pruned yet."""
    checkout = find_checkout(root)
    if checkout is None:
        return []
    links = (read_small_file(link) for link in (checkout.common_dir / "worktrees").glob("*/gitdir"))
    return [Path(link.strip().decode("utf-8", "surrogateescape")).parent for link in links if link]


def _entries(directory: str) -> Iterator["os.DirEntry[str]"]:
    """The transcripts in a directory and below it."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX):
                    if entry.name.removesuffix(ZST).endswith(_SUFFIX):
                        yield entry
                elif entry.is_dir(follow_symlinks=False):
                    yield from _entries(entry.path)
    except OSError:  # there is no such directory, or it cannot be read
        return
