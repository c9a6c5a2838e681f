"""Finds Codex's sessions in a project by their transcripts, reading as little of each as possible."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from infinium_codex.codex.program import codex_home
from infinium_codex.codex.project_hooks import project_root
from infinium_codex.doctor.context import CheckContext
from infinium_codex.support.json_fields import epoch_ms, mapping, parse_object, text
from infinium_codex.support.settings import home_directory

MAX_TRANSCRIPTS = 500
"""Transcripts that are opened, newest first."""
MAX_FIRST_LINE_BYTES = 4 << 20
"""The first line contains Codex's base instructions."""
_TURN_END_MARKS = (b'"task_complete"', b'"turn_aborted"')
_LONGEST_MARK = max(map(len, _TURN_END_MARKS))
_CHUNK_BYTES = 1 << 20


class TranscriptSession(Struct, frozen=True, kw_only=True):
    """A session as its transcript shows it."""

    session_id: str
    started: float
    """Seconds since the epoch."""
    directory: Path
    """The session's working directory at its start."""
    path: Path
    """The transcript."""


def sessions_since(context: CheckContext, since: float) -> Iterator[TranscriptSession]:
    """Sessions of this project whose transcript was written since then, newest first.

    Without subagents, which are part of their session, and without sessions in which no turn has ended yet.
    """
    for path in islice(_newest_first(codex_home(context.environ) / "sessions", since), MAX_TRANSCRIPTS):
        session = _read(path)
        if session is not None and is_in_project(session.directory, context):
            yield session


def is_in_project(directory: Path, context: CheckContext) -> bool:
    """Whether a directory belongs to this project, and not to another project or checkout inside it."""
    hooks = context.hooks
    if hooks.worktree is not None and directory.is_relative_to(hooks.worktree):
        return True
    if not directory.is_relative_to(hooks.root):
        return False
    return not directory.exists() or project_root(directory, home_directory(context.environ)) == hooks.root


def _newest_first(directory: Path, since: float) -> Iterator[Path]:
    found = []
    for path in directory.rglob("rollout-*.jsonl"):
        try:
            changed = path.stat().st_mtime
        except OSError:
            continue  # archived meanwhile
        if changed >= since:
            found.append((changed, path))
    return (path for _, path in sorted(found, reverse=True))


def _read(path: Path) -> TranscriptSession | None:
    """Read a session; None for a subagent's, or one in which no turn has ended."""
    try:
        with path.open("rb") as file:
            session = _read_head(file, path)
            return session if session is not None and _has_ended_turn(file) else None
    except OSError:
        return None


def _read_head(file: BinaryIO, path: Path) -> TranscriptSession | None:
    head = parse_object(file.readline(MAX_FIRST_LINE_BYTES)) or {}
    meta = mapping(head, "payload")
    started = epoch_ms(head.get("timestamp"))
    session_id, directory = text(meta, "session_id") or text(meta, "id"), text(meta, "cwd")
    if head.get("type") != "session_meta" or not session_id or not directory or started is None:
        return None
    is_subagent = text(meta, "parent_thread_id") is not None or isinstance(meta.get("source"), dict)
    if is_subagent:
        return None
    return TranscriptSession(session_id=session_id, started=started / 1000, directory=Path(directory), path=path)


def _has_ended_turn(file: BinaryIO) -> bool:
    """Search the rest of the file in chunks that overlap, so that no mark is cut in two."""
    end = b""
    while chunk := file.read(_CHUNK_BYTES):
        if any(mark in end + chunk for mark in _TURN_END_MARKS):
            return True
        end = chunk[-_LONGEST_MARK:]
    return False
