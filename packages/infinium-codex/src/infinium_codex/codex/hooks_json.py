"""Plans changes to `.codex/hooks.json`: adds our hooks and removes them, and keeps every other byte where possible.

Nothing here reads or writes files: `project_hooks.py` does.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from infinium_codex.capture.hook_command import FOR_USER
from infinium_codex.capture.launcher_windows import windows_command
from infinium_codex.codex.hook_events import EVENT_NAMES
from infinium_codex.codex.json_text import append_item, indent_of, newline_of, remove_item

IsOurs = Callable[[str], bool]
"""Returns whether a hook command is one of this connector's."""

_OLD_CONNECTOR = re.compile(r"infinium[-_]codex(?:[-_]connector)?\b")


class HooksFileError(Exception):
    """The content of hooks.json is not what Codex reads. The text says what is wrong, where, and what to do."""


class Hook(Struct, frozen=True, kw_only=True):
    """One hook of this connector."""

    event: str
    command: str
    timeout_seconds: int = 5
    run_async: bool = False
    for_user: bool = False
    """Whether it is registered for all projects of the user."""

    def to_group(self) -> dict[str, object]:
        """Return the hook's group in hooks.json. Its content must not vary: another one loses the user's trust."""
        handler: dict[str, object] = {
            "type": "command",
            "command": self.command,
            "commandWindows": windows_command(f"{self.event} {FOR_USER}" if self.for_user else self.event),
            "timeout": self.timeout_seconds,
        }
        if self.run_async:
            handler["async"] = True
        return {"hooks": [handler]}


class Plan(Struct, frozen=True, kw_only=True):
    """The new text of hooks.json, and how it differs from the old one."""

    text: str | None
    """None if the file is to be deleted."""
    changed: bool
    added: tuple[str, ...] = ()
    """Events that get a hook."""
    removed: tuple[str, ...] = ()
    """Events that lose a hook; those that also get one have it replaced."""
    repaired: tuple[str, ...] = ()
    """Events that a connector 1.x wrote at the top level."""


def plan_install(
    text: str | None, hooks: Sequence[Hook], is_ours: IsOurs, *, can_async: bool, renew: bool = False
) -> Plan:
    """Plan to add the hooks that are missing. A hook that works is kept as it is, so that it keeps the user's trust.

    `can_async` says whether this Codex runs async hooks; if it does not, an async hook is replaced. With `renew`, a
    hook that Codex waits for is replaced by an async one where possible: the user is about to trust the hooks again.
    """
    edit = _FileEdit(text)
    added: list[str] = []
    removed: list[str] = []
    for hook in hooks:
        ours = edit.our_groups(hook.event, is_ours)
        if not any(_is_current(group, hook, can_async=can_async, renew=renew) for group in ours):
            removed += edit.remove_groups(hook.event, ours)
            edit.append_group(hook.event, hook.to_group())
            added.append(hook.event)
    if text is not None and not added and not edit.repaired:
        return Plan(text=text, changed=False)
    return Plan(
        text=edit.render(),
        changed=True,
        added=tuple(added),
        removed=tuple(removed),
        repaired=tuple(edit.repaired),
    )


def plan_removal(text: str, is_ours: IsOurs) -> Plan:
    """Plan to remove our hooks, and with them events and a file that are then empty."""
    edit = _FileEdit(text)
    removed: list[str] = []
    for event in list(edit.events):
        removed += edit.remove_groups(event, edit.our_groups(event, is_ours))
        if event in removed and not edit.events[event]:
            edit.remove_event(event)
    if not removed and not edit.repaired:
        return Plan(text=text, changed=False)
    edit.remove_empty_hooks()
    return Plan(
        text=None if edit.is_empty else edit.render(),
        changed=True,
        removed=tuple(removed),
        repaired=tuple(edit.repaired),
    )


def our_hooks(text: str, is_ours: IsOurs) -> dict[str, str]:
    """Return the command of our hook for each event that has one."""
    events = _object(parse(text), "hooks")
    return {
        event: command
        for event, groups in events.items()
        for group in (groups if isinstance(groups, list) else [])
        for command in _commands(group)
        if is_ours(command)
    }


def old_hooks(text: str, is_ours: IsOurs) -> tuple[str, ...]:
    """Return the events with a hook of a connector 1.x, at the top level of the file or under `hooks`."""
    document = parse(text)
    found = []
    for events in (document, _object(document, "hooks")):
        for event, groups in events.items():
            all_groups = groups if isinstance(groups, list) else []
            if any(_is_old(group) and not _is_our_group(group, is_ours) for group in all_groups):
                found.append(event)
    return tuple(found)


def parse(text: str) -> dict[str, object]:
    """Return the file's JSON object. Raises HooksFileError with the line and column of an error."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise HooksFileError(f"it is not JSON: {error.msg} at {place}. Correct it, or move it aside.") from None
    except RecursionError:
        raise HooksFileError("it is nested too deeply for a hooks file. Move it aside.") from None
    if not isinstance(document, dict):
        raise HooksFileError("it must hold a JSON object. Correct it, or move it aside.")
    return document


class _FileEdit:
    """hooks.json while a plan's changes are made to it: as a document, and as text that keeps the user's bytes."""

    def __init__(self, text: str | None) -> None:
        self._old = text if text is not None and text.strip() else None
        self._document = parse(self._old) if self._old is not None else {}
        self.repaired = _repair(self._document)
        """Events that a connector 1.x wrote at the top level."""
        self.events = _object(self._document, "hooks")
        self._text = None if self.repaired else self._old
        """The edited text; None if a change has no place in it."""

    @property
    def is_empty(self) -> bool:
        return not self.events and set(self._document) <= {"hooks"}

    def our_groups(self, event: str, is_ours: IsOurs) -> list[object]:
        return [group for group in _groups(self.events, event) if _is_our_group(group, is_ours)]

    def append_group(self, event: str, group: Mapping[str, object]) -> None:
        _groups(self.events, event).append(group)
        if self._text is not None:
            self._text = (
                append_item(self._text, ("hooks", event), group)
                or append_item(self._text, ("hooks",), [group], key=event)
                or append_item(self._text, (), {event: [group]}, key="hooks")
            )

    def remove_groups(self, event: str, removed: Sequence[object]) -> list[str]:
        """Remove groups of an event. Returns the event's name once for each."""
        groups = _groups(self.events, event)
        for group in removed:
            self._remove(("hooks", event, groups.index(group)))
            groups.remove(group)
        return [event] * len(removed)

    def remove_event(self, event: str) -> None:
        self._remove(("hooks", event))
        del self.events[event]

    def remove_empty_hooks(self) -> None:
        """Remove the key `hooks` if it has no events and is not the only key."""
        if not self.events and not self.is_empty:
            self._remove(("hooks",))
            del self._document["hooks"]

    def render(self) -> str:
        """Return the edited text if it means the document; else the document in the style of the old text."""
        if self._text is not None and json.loads(self._text) == self._document:
            return self._text
        old = self._old
        text = json.dumps(self._document, indent=2 if old is None else indent_of(old), ensure_ascii=False)
        ending = "" if old is not None and not old.endswith(("\n", "\r")) else "\n"
        return (text + ending).replace("\n", newline_of(old or ""))

    def _remove(self, path: tuple[str | int, ...]) -> None:
        if self._text is not None:
            self._text = remove_item(self._text, path)


def _object(document: dict[str, object], key: str) -> dict[str, object]:
    value = document.setdefault(key, {})
    if not isinstance(value, dict):
        raise HooksFileError(f"{key!r} must be an object. Correct it, or move the file aside.")
    return value


def _groups(events: dict[str, object], event: str) -> list[object]:
    groups = events.setdefault(event, [])
    if not isinstance(groups, list):
        raise HooksFileError(f"hooks.{event} must be a list. Correct it, or move the file aside.")
    return groups


def _handlers(group: object) -> Iterator[Mapping[str, object]]:
    handlers = group.get("hooks") if isinstance(group, dict) else None
    if isinstance(handlers, list):
        yield from (handler for handler in handlers if isinstance(handler, dict))


def _commands(group: object) -> list[str]:
    return [command for handler in _handlers(group) if isinstance(command := handler.get("command"), str)]


def _is_our_group(group: object, is_ours: IsOurs) -> bool:
    commands = _commands(group)
    return bool(commands) and all(is_ours(command) for command in commands)


def _is_current(group: object, hook: Hook, *, can_async: bool, renew: bool) -> bool:
    """Return whether a group of ours works with this Codex, so that it can be kept."""
    matches_all = isinstance(group, dict) and group.get("matcher") in (None, "", "*")
    if not matches_all or hook.command not in _commands(group):
        return False
    if any(handler.get("async") for handler in _handlers(group)):
        return can_async
    return not (can_async and renew and hook.run_async)


def _repair(document: dict[str, object]) -> list[str]:
    """Move the events that a connector 1.x wrote at the top level, where they make Codex ignore the whole file.

    Its own hooks are dropped, the user's are moved under `hooks`. Returns the events.
    """
    repaired = [event for event in EVENT_NAMES if event in document]
    for event in repaired:
        groups = document.pop(event)
        kept = [group for group in groups if not _is_old(group)] if isinstance(groups, list) else []
        if kept:
            _groups(_object(document, "hooks"), event).extend(kept)
    return repaired


def _is_old(group: object) -> bool:
    commands = [*_commands(group), *([group["command"]] if isinstance(group, dict) and "command" in group else [])]
    return any(isinstance(command, str) and _OLD_CONNECTOR.search(command) for command in commands)
