"""Reads the first line of a transcript, which describes its thread: id, directory, version, kind."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.threads import ThreadKind, thread_kind
from infinium_codex.codex.transcript.file import open_stream
from infinium_codex.support.json_fields import epoch_ms, mapping, parse_object, text

MAX_FIRST_LINE_BYTES = 4 << 20
"""The line contains Codex's base instructions."""


class SessionMeta(Struct, frozen=True, kw_only=True):
    """The `session_meta` of a transcript. A value that this version of Codex did not write is None."""

    thread_id: str
    session_id: str
    """The user's session that the thread belongs to; its own id for a session of the user. Codex before 0.140 does not
    record it for subagents: then it is the thread's own id."""
    kind: ThreadKind
    started_ms: int
    """UTC epoch milliseconds; 0 if the line has no time."""
    cwd: str | None = None
    client_version: str | None = None
    originator: str | None = None
    git_branch: str | None = None
    git_commit: str | None = None
    forked_from: str | None = None
    """The thread whose history was copied into this one."""
    parent: str | None = None
    """The thread that started this one as a subagent, a review or work of Codex's own."""
    agent_type: str | None = None
    """The role of a subagent."""


def read_session_meta(path: Path) -> SessionMeta | None:
    """Read the first line of a transcript, compressed or not. None if it cannot be read or is no `session_meta`."""
    try:
        with open_stream(path) as file:
            line = file.readline(MAX_FIRST_LINE_BYTES) if file is not None else b""
    except OSError:
        return None
    record = parse_object(line)
    if record is None or record.get("type") != "session_meta":
        return None
    return parse_session_meta(mapping(record, "payload"), epoch_ms(record.get("timestamp")) or 0)


def parse_session_meta(payload: Mapping[str, object], at_ms: int) -> SessionMeta | None:
    """Parse the payload of a `session_meta` written at `at_ms`. None without an id."""
    thread = text(payload, "id")
    if thread is None:
        return None
    git = mapping(payload, "git")
    spawn = mapping(mapping(mapping(payload, "source"), "subagent"), "thread_spawn")
    return SessionMeta(
        thread_id=thread,
        session_id=text(payload, "session_id") or thread,
        kind=thread_kind(payload),
        started_ms=max(at_ms, 0),
        cwd=text(payload, "cwd"),
        client_version=text(payload, "cli_version"),
        originator=text(payload, "originator"),
        git_branch=text(git, "branch"),
        git_commit=text(git, "commit_hash"),
        forked_from=text(payload, "forked_from_id"),
        parent=text(spawn, "parent_thread_id") or text(payload, "parent_thread_id"),
        agent_type=text(payload, "agent_role"),
    )


def recorded_kind(transcript: str) -> ThreadKind | None:
    """Return the kind of a transcript's thread, read from its first line; None if it cannot be read."""
    try:
        return _recorded_kind(transcript)
    except LookupError:
        return None


@lru_cache(maxsize=64)
def _recorded_kind(transcript: str) -> ThreadKind:
    """Read the kind. Raises LookupError, which is not cached, if there is no first line yet."""
    meta = read_session_meta(Path(transcript))
    if meta is None:
        raise LookupError(transcript)
    return meta.kind
