"""Finds Codex's sessions in a project that had a turn, reading as little of each transcript as possible."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from infinium_codex.codex.program import codex_home
from infinium_codex.codex.project_hooks import project_root
from infinium_codex.codex.session_files import ProjectDirectories, SessionFile, find_transcripts
from infinium_codex.codex.transcript.file import open_stream
from infinium_codex.doctor.context import CheckContext
from infinium_codex.support.settings import home_directory

MAX_TRANSCRIPTS = 500
"""Transcripts that are opened, newest first."""
_TURN_END_MARKS = (b'"task_complete"', b'"turn_aborted"')
_LONGEST_MARK = max(map(len, _TURN_END_MARKS))
_CHUNK_BYTES = 1 << 20


def sessions_since(context: CheckContext, since: float) -> Iterator[SessionFile]:
    """Sessions of this project whose transcript was written since then, newest first.

    Without subagents, which are part of their session, and without sessions in which no turn has ended yet.
    """
    directories = project_directories(context)
    for found in islice(find_transcripts(codex_home(context.environ), since=since), MAX_TRANSCRIPTS):
        session = found.open()
        if session is None or not session.is_users or not session.meta.started_ms or session.meta.cwd is None:
            continue
        if directories.contains(session.meta.cwd) and _has_ended_turn(session.path):
            yield session


def project_directories(context: CheckContext) -> ProjectDirectories:
    """The directories in which Codex reads this project's hooks."""
    home = home_directory(context.environ)
    return ProjectDirectories(context.hooks.root, lambda directory: project_root(directory, home))


def _has_ended_turn(path: Path) -> bool:
    """Search the transcript in chunks that overlap, so that no mark is cut in two."""
    end = b""
    try:
        with open_stream(path) as file:
            while chunk := file.read(_CHUNK_BYTES) if file is not None else b"":
                if any(mark in end + chunk for mark in _TURN_END_MARKS):
                    return True
                end = chunk[-_LONGEST_MARK:]
    except OSError:
        return False
    return False
