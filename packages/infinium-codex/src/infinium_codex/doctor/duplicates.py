"""Check for events that would be traced twice: our hooks in two files, or hooks of an older connector."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from infinium_config.files import read_small_file

from infinium_codex.capture.hook_command import is_for_user
from infinium_codex.codex.hooks_json import HooksFileError, old_hooks, our_hooks
from infinium_codex.codex.project_hooks import user_hooks_file
from infinium_codex.doctor.checks import FIX, Check, ok, warning
from infinium_codex.doctor.context import CheckContext

NAME = "duplicates"

_Registered = tuple[str, str, str]
"""A hook of the connector: its event, its command and the file it is in."""


def duplicates(context: CheckContext) -> Check:
    """Check the project's hooks.json and the user's."""
    paths = (context.hooks.project_path, user_hooks_file(context.environ))
    for path in paths:
        if old := _old_hooks(path, context):
            evidence = f"{path} has hooks of an older connector for {', '.join(old)}."
            fixable = path == context.hooks.path and context.is_set_up
            return warning(NAME, evidence, FIX if fixable else f"Remove them from {path}.")
    registered = _listed(context) if context.answer.answered else _in_files(context, paths)
    kinds = Counter((event, is_for_user(command)) for event, command, _ in registered)
    events = list(dict.fromkeys(event for (event, _), count in kinds.items() if count > 1))
    if not events:
        both = len({is_for_user(command) for _, command, _ in registered}) > 1
        return ok(NAME, "Registered for you and in the project; each event is traced once." if both else "None.")
    files = sorted({file for event, _, file in registered if event in events})
    evidence = f"The infinium-codex hooks for {', '.join(events)} are registered more than once: {', '.join(files)}."
    other = next((file for file in files if file != str(context.hooks.path)), files[0])
    return warning(NAME, evidence, f"Remove the infinium-codex hooks from {other}.")


def _listed(context: CheckContext) -> list[_Registered]:
    """Our hooks that are enabled, as Codex lists them."""
    ours = [hook for hook in context.answer.listed.hooks if context.hooks.is_ours(hook.command) and hook.enabled]
    return [(hook.event, hook.command, hook.source_path) for hook in ours]


def _in_files(context: CheckContext, paths: Iterable[Path]) -> list[_Registered]:
    """The same, for a Codex that does not list its hooks."""
    found = ((path, read_our_hooks(path, context)) for path in paths)
    return [(event, command, str(path)) for path, hooks in found for event, command in hooks.items()]


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
    content = read_small_file(path, follow_links=True)
    return content.decode("utf-8", "replace") if content else ""
