"""Tells whose thread a transcript is: the user's, a subagent's, a review's or one that Codex runs for itself.

Codex runs the hooks of such threads with the session id of the user's session. Their transcript is their own, and some
versions give no agent id.
"""

from collections.abc import Mapping
from enum import StrEnum

_ID_LENGTH = 36


class ThreadKind(StrEnum):
    """Kind of a thread."""

    USER = "user"
    SUBAGENT = "subagent"
    REVIEW = "review"
    OWN = "Codex's own"
    """Codex runs it for itself: an automatic review of a call, a compaction."""


def thread_id(transcript: str) -> str | None:
    """Return the id of the thread that a transcript's file name names; None if it names none."""
    name = transcript.replace("\\", "/").rpartition("/")[2].removesuffix(".zst")
    found = name.removesuffix(".jsonl")[-_ID_LENGTH:]
    return found if len(found) == _ID_LENGTH and found.count("-") == 4 and found.replace("-", "").isalnum() else None


def thread_kind(meta: Mapping[str, object]) -> ThreadKind:
    """Return the kind of the thread that a `session_meta` begins."""
    source = meta.get("source")
    kind = source.get("subagent") if isinstance(source, dict) else None
    if kind is None:
        return ThreadKind.USER
    if kind == "review":
        return ThreadKind.REVIEW
    return ThreadKind.SUBAGENT if isinstance(kind, dict) and "thread_spawn" in kind else ThreadKind.OWN
