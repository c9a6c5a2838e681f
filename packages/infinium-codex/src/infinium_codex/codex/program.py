"""The Codex on this machine: where it is, which version, and what that version can do."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

Version = tuple[int, int, int]

HOOKS_SINCE: Version = (0, 114, 0)
"""The oldest version seen to run hooks."""
SESSION_END_SINCE: Version = (0, 145, 0)
FULL_EVENTS_SINCE: Version = (0, 150, 0)
ASYNC_SINCE: Version = (0, 150, 0)
"""First version seen to run async hooks; 0.129 to 0.147 skip them with a warning."""
TRUST_SINCE: Version = (0, 129, 0)
"""From here on hooks need trust, and app-server answers `hooks/list`."""
HOOKS_ON_SINCE: Version = (0, 124, 0)
"""Before, hooks are off unless `features.codex_hooks` is set."""

_CORE_EVENTS = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop")
_NEW_EVENTS = ("SubagentStart", "SubagentStop", "Interrupt", "PreCompact", "PostCompact", "PermissionRequest")
_TOOL_EVENTS = ("PreToolUse", "PostToolUse")


class CodexProgram(Struct, frozen=True, kw_only=True):
    """One Codex: its program and its version (None when it did not say)."""

    path: str
    version: Version | None

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version)) if self.version else "unknown version"

    def since(self, version: Version) -> bool:
        """Whether it is at least this version; one of unknown version counts as new."""
        return self.version is None or self.version >= version

    @property
    def can_async(self) -> bool:
        """Whether it runs async hooks, and does not skip them."""
        return self.since(ASYNC_SINCE)


def find_codex(environ: Mapping[str, str]) -> CodexProgram | None:
    """The `codex` on PATH."""
    path = shutil.which("codex", path=environ.get("PATH", ""))
    if path is None:
        return None
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=False, env=dict(environ)
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    return CodexProgram(path=path, version=(int(found[1]), int(found[2]), int(found[3])) if found else None)


def events_of(codex: CodexProgram | None) -> tuple[str, ...]:
    """The events this Codex has; all of them where there is no Codex yet (an old one passes over what it lacks)."""
    events: tuple[str, ...] = _CORE_EVENTS
    if codex is None or codex.since(SESSION_END_SINCE):
        events += ("SessionEnd",)
    if codex is None or codex.since(FULL_EVENTS_SINCE):
        events += _NEW_EVENTS
    return events


def runs_async(codex: CodexProgram | None, event: str) -> bool:
    """Whether the event's hook is best run without Codex waiting: a tool's, where Codex can do that."""
    return event in _TOOL_EVENTS and codex is not None and codex.version is not None and codex.version >= ASYNC_SINCE


def codex_home(environ: Mapping[str, str]) -> Path:
    """Codex's own home: `CODEX_HOME`, else `~/.codex`."""
    chosen = environ.get("CODEX_HOME")
    return Path(chosen) if chosen else Path.home() / ".codex"
