"""Finds sessions in directories that held spools earlier, whose events no process traces any more."""

import time

from infinium_codex.session.files import SessionFiles, find_sessions
from infinium_codex.support.paths import Places
from infinium_codex.support.spool_directories import find_spool_directories


def sessions_elsewhere(places: Places, session_ttl: float) -> list[SessionFiles]:
    """Sessions outside of the present spool directory that have events and no write for `session_ttl` seconds."""
    before = time.time() - session_ttl
    earlier = find_spool_directories(places)[1:]
    found = (files for directory in earlier for files in find_sessions(directory))
    return [files for files in found if files.has_events and files.last_write < before]
