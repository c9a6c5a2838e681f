"""Check for events that would be traced twice: our hooks in two files, or hooks of an older connector."""

from collections import Counter
from pathlib import Path

from infinium_codex.codex.hooks_json import HooksFileError, old_hooks, our_hooks
from infinium_codex.codex.program import codex_home
from infinium_codex.doctor.checks import FIX, Check, ok, warning
from infinium_codex.doctor.context import CheckContext

NAME = "duplicates"


def duplicates(context: CheckContext) -> Check:
    """Check the project's hooks.json and the user's."""
    paths = (context.hooks.path, codex_home(context.environ) / "hooks.json")
    for path in paths:
        if old := _old_hooks(path, context):
            evidence = f"{path} has hooks of an older connector for {', '.join(old)}."
            fixable = path == context.hooks.path and context.is_set_up
            return warning(NAME, evidence, FIX if fixable else f"Remove them from {path}.")
    events, files = _twice_by_codex(context) if context.answer.answered else _twice_by_files(context, paths)
    if not events:
        return ok(NAME, "None.")
    evidence = f"The infinium-codex hooks for {', '.join(events)} are registered more than once: {', '.join(files)}."
    other = next((file for file in files if file != str(context.hooks.path)), files[0])
    return warning(NAME, evidence, f"Remove the infinium-codex hooks from {other}.")


def _twice_by_codex(context: CheckContext) -> tuple[list[str], list[str]]:
    """Events for which Codex runs several hooks of ours, and the files these are in."""
    ours = [hook for hook in context.answer.listed.hooks if context.hooks.is_ours(hook.command) and hook.enabled]
    counts = Counter(hook.event for hook in ours)
    twice = [event for event, count in counts.items() if count > 1]
    return twice, sorted({hook.source_path for hook in ours if hook.event in twice})


def _twice_by_files(context: CheckContext, paths: tuple[Path, Path]) -> tuple[list[str], list[str]]:
    """The same, for a Codex that does not list its hooks."""
    project, user = (set(read_our_hooks(path, context)) for path in paths)
    return sorted(project & user), [str(path) for path in paths]


def read_our_hooks(path: Path, context: CheckContext) -> dict[str, str]:
    """The commands of our hooks in a file, by event; none for a file that cannot be read (other checks report it)."""
    text = _read(path)
    try:
        return our_hooks(text, context.hooks.is_ours) if text.strip() else {}
    except HooksFileError:
        return {}


def _old_hooks(path: Path, context: CheckContext) -> tuple[str, ...]:
    text = _read(path)
    try:
        return old_hooks(text, context.hooks.is_ours) if text.strip() else ()
    except HooksFileError:
        return ()


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
