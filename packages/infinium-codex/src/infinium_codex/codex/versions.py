"""What each version of Codex can do. Every rule that depends on Codex's version takes its number from here.

The numbers are the oldest versions in which a behaviour was observed on the real Codex; versions in between may have it
too. To support a new version: record it (`nox -s record`), add a constant here if it behaves differently, and use the
constant with `CodexProgram.since` or `is_at_least`.
"""

import re

Version = tuple[int, int, int]

HOOKS_SINCE: Version = (0, 114, 0)
"""Codex runs hooks."""
HOOKS_ON_SINCE: Version = (0, 124, 0)
"""Hooks are on by default. Before, `features.codex_hooks = true` turns them on."""
TRUST_SINCE: Version = (0, 129, 0)
"""Hooks need the user's trust, app-server answers `hooks/list`, and the feature flag is named `hooks`."""
MAIN_HOOKS_SINCE: Version = (0, 131, 0)
"""In a linked worktree, Codex reads the main checkout's hooks. Before, it reads the worktree's own."""
SESSION_END_SINCE: Version = (0, 145, 0)
"""Codex has the SessionEnd event."""
TURN_ERRORS_SINCE: Version = (0, 145, 0)
"""A transcript's `task_complete` names the error of a failed turn; 0.140 does not."""
ASYNC_SINCE: Version = (0, 150, 0)
"""Codex runs async hooks. 0.129 to 0.147 skip them with a warning."""
FULL_EVENTS_SINCE: Version = (0, 150, 0)
"""Codex has the events of subagents, interruption, compaction and permission requests."""

_NUMBER = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?")


def parse_version(text: str) -> Version | None:
    """Return the first version number in `text` (`codex-cli 0.169.0`), or None if there is none."""
    found = _NUMBER.search(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def format_version(version: Version | None) -> str:
    """Return the version for people to read."""
    return ".".join(map(str, version)) if version else "unknown version"


def is_at_least(version: Version | None, since: Version) -> bool:
    """Return whether a version is `since` or newer. An unknown version counts as new."""
    return version is None or version >= since
