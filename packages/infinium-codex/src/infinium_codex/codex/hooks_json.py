"""`.codex/hooks.json`: put our hooks in and take them out, and keep every other byte as it is."""

import json
import re
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from infinium_codex.codex.hook_events import EVENT_NAMES

IsOurs = Callable[[str], bool]

_OLD_CONNECTOR = re.compile(r"infinium[-_]codex(?:[-_]connector)?\b")


class HooksFileError(Exception):
    """hooks.json is not what Codex reads; the text says where, and what to do."""


class Hook(Struct, frozen=True, kw_only=True):
    """One hook of ours."""

    event: str
    command: str
    timeout_seconds: int = 5
    run_async: bool = False

    def to_group(self) -> dict[str, object]:
        """The group as hooks.json holds it. It is never changed once Codex trusts it, so nothing here may vary."""
        handler: dict[str, object] = {
            "type": "command",
            "command": self.command,
            "commandWindows": f"infinium-codex hook {self.event}",
            "timeout": self.timeout_seconds,
        }
        if self.run_async:
            handler["async"] = True
        return {"hooks": [handler]}


class Plan(Struct, frozen=True, kw_only=True):
    """A new text for hooks.json, and what is different in it."""

    text: str | None
    """None when nothing is left of the file."""
    changed: bool
    added: tuple[str, ...] = ()
    """Events that get a hook of ours."""
    removed: tuple[str, ...] = ()
    repaired: tuple[str, ...] = ()
    """What an older connector had left and is mended."""


def plan_install(
    text: str | None, hooks: Sequence[Hook], is_ours: IsOurs, *, can_async: bool, renew: bool = False
) -> Plan:
    """The file with our hooks. A hook of ours that is there and works is left as it is, whatever its details.

    `can_async` tells whether this Codex runs async hooks: where it does not, an async one of ours is made anew. With
    `renew` one that Codex waits for is too, where it need not: for a user who will trust it again.
    """
    document = parse(text) if text is not None and text.strip() else {}
    repaired = _repair(document)
    events = _object(document, "hooks")
    removed: list[str] = []
    added: list[str] = []
    for hook in hooks:
        groups = _groups(events, hook.event)
        ours = [group for group in groups if _is_our_group(group, is_ours)]
        good = [group for group in ours if _works(group, hook, can_async=can_async, renew=renew)]
        if not good:
            for group in ours:
                groups.remove(group)
                removed.append(hook.event)
            groups.append(hook.to_group())
            added.append(hook.event)
    changed = bool(added or removed or repaired)
    if not changed and text is not None:
        return Plan(text=text, changed=False)
    inserted = None if repaired or removed else _insert(text, [hook for hook in hooks if hook.event in added])
    return Plan(
        text=inserted if inserted is not None and json.loads(inserted) == document else _dump(document, text),
        changed=True,
        added=tuple(added),
        removed=tuple(removed),
        repaired=tuple(repaired),
    )


def plan_removal(text: str, is_ours: IsOurs) -> Plan:
    """The file without our hooks; events and a file that are empty then go as well."""
    document = parse(text)
    repaired = _repair(document)
    events = _object(document, "hooks")
    removed = []
    for event in list(events):
        groups = _groups(events, event)
        ours = [group for group in groups if _is_our_group(group, is_ours)]
        for group in ours:
            groups.remove(group)
            removed.append(event)
        if ours and not groups:
            del events[event]
    if not removed and not repaired:
        return Plan(text=text, changed=False)
    empty = not events and set(document) <= {"hooks"}
    return Plan(
        text=None if empty else _dump(document, text), changed=True, removed=tuple(removed), repaired=tuple(repaired)
    )


def our_hooks(text: str, is_ours: IsOurs) -> dict[str, str]:
    """The command of ours for each event that has one."""
    found = {}
    for event, groups in _object(parse(text), "hooks").items():
        for group in groups if isinstance(groups, list) else []:
            for handler in group.get("hooks", []) if isinstance(group, dict) else []:
                command = handler.get("command") if isinstance(handler, dict) else None
                if isinstance(command, str) and is_ours(command):
                    found[event] = command
    return found


def old_hooks(text: str, is_ours: IsOurs) -> tuple[str, ...]:
    """Events for which the file has a hook of a connector 1.x, at the top level or in its place."""
    document = parse(text)
    found = []
    for events in (document, _object(document, "hooks")):
        for event, groups in events.items():
            all_groups = groups if isinstance(groups, list) else []
            if any(_is_old(group) and not _is_our_group(group, is_ours) for group in all_groups):
                found.append(event)
    return tuple(found)


def parse(text: str) -> dict[str, object]:
    """The file as an object. Raises HooksFileError saying where it is not one."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HooksFileError(f"it is not JSON: {error.msg} at {where}. Mend it, or move it aside.") from None
    except RecursionError:
        raise HooksFileError("it is nested too deeply to be a hooks file. Move it aside.") from None
    if not isinstance(document, dict):
        raise HooksFileError("it must hold a JSON object. Mend it, or move it aside.")
    return document


def _object(document: dict[str, object], key: str) -> dict[str, object]:
    value = document.setdefault(key, {})
    if not isinstance(value, dict):
        raise HooksFileError(f"{key!r} must be an object. Mend it, or move the file aside.")
    return value


def _groups(events: dict[str, object], event: str) -> list[object]:
    groups = events.setdefault(event, [])
    if not isinstance(groups, list):
        raise HooksFileError(f"hooks.{event} must be a list. Mend it, or move the file aside.")
    return groups


def _commands(group: object) -> list[str]:
    handlers = group.get("hooks") if isinstance(group, dict) else None
    found = (
        [handler.get("command") for handler in handlers if isinstance(handler, dict)]
        if isinstance(handlers, list)
        else []
    )
    return [command for command in found if isinstance(command, str)]


def _is_our_group(group: object, is_ours: IsOurs) -> bool:
    commands = _commands(group)
    return bool(commands) and all(is_ours(command) for command in commands)


def _works(group: object, hook: Hook, *, can_async: bool, renew: bool) -> bool:
    handlers = group.get("hooks") if isinstance(group, dict) else None
    if not isinstance(handlers, list) or not isinstance(group, dict):
        return False
    is_async = any(handler.get("async") for handler in handlers if isinstance(handler, dict))
    best = is_async or not (renew and hook.run_async)
    return (
        hook.command in _commands(group)
        and group.get("matcher") in (None, "", "*")
        and (best if can_async else not is_async)
    )


def _repair(document: dict[str, object]) -> list[str]:
    """Mend what connectors 1.x wrote: events at the top level, which make Codex drop the whole file."""
    repaired = []
    for event in EVENT_NAMES:
        if event not in document:
            continue
        groups = document.pop(event)
        kept = [group for group in groups if not _is_old(group)] if isinstance(groups, list) else []
        if kept:
            _groups(_object(document, "hooks"), event).extend(kept)
        repaired.append(event)
    return repaired


def _is_old(group: object) -> bool:
    commands = [*_commands(group), *([group["command"]] if isinstance(group, dict) and "command" in group else [])]
    return any(isinstance(command, str) and _OLD_CONNECTOR.search(command) for command in commands)


def _insert(text: str | None, hooks: Sequence[Hook]) -> str | None:
    """Add the groups as text, each at the end of its event's list; None where the text has no place to be sure of."""
    if text is None or not text.strip():
        return None
    newline = "\r\n" if "\r\n" in text else "\n"
    for hook in hooks:
        indent = _indent_of(text)
        place = _end_of_list(text, ("hooks", hook.event))
        if place is not None:
            text = _with_item(text, place, json.dumps(hook.to_group(), indent=indent), indent, newline)
            continue
        place = _end_of_list(text, ("hooks",))
        if place is None:
            return None
        item = f"{json.dumps(hook.event)}: {json.dumps([hook.to_group()], indent=indent)}"
        text = _with_item(text, place, item, indent, newline)
    return text


def _with_item(text: str, place: "_Place", item: str, indent: int | str | None, newline: str) -> str:
    step = indent if isinstance(indent, str) else " " * (indent or 0)
    if indent is None:
        return f"{text[: place.after_last]}{', ' if place.has_items else ''}{item}{text[place.after_last :]}"
    item = item.replace("\n", newline + step * place.depth)
    lead = "," if place.has_items else ""
    if place.has_items:
        return f"{text[: place.after_last]}{lead}{newline}{step * place.depth}{item}{text[place.after_last :]}"
    tail = f"{newline}{step * (place.depth - 1)}"
    return f"{text[: place.after_last]}{newline}{step * place.depth}{item}{tail}{text[place.close :]}"


class _Place(Struct, frozen=True):
    after_last: int
    """Behind the container's last item, or behind its opening bracket."""
    close: int
    """Where its closing bracket stands."""
    has_items: bool
    depth: int


_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')


def _end_of_list(text: str, path: tuple[str, ...]) -> _Place | None:
    """Where the object or list at `path` ends. The text is known to be JSON."""
    stack: list[tuple[str, str | None]] = []
    key: str | None = None
    last_end = 0
    has_items = False
    tokens = list(_TOKEN.finditer(text))
    for index, token in enumerate(tokens):
        word = token.group()
        if word in "[{":
            stack.append((word, key))
            key = None
            if _path_of(stack) == path:
                last_end, has_items = token.end(), tokens[index + 1].group() not in "]}"
        elif word in "]}":
            if _path_of(stack) == path:
                return _Place(last_end, token.start(), has_items, len(stack))
            stack.pop()
            if _path_of(stack) == path:
                last_end = token.end()
        elif word == ":":
            continue
        elif stack and stack[-1][0] == "{" and index + 1 < len(tokens) and tokens[index + 1].group() == ":":
            key = json.loads(word)
        elif word != "," and _path_of(stack) == path:
            last_end = token.end()
    return None


def _path_of(stack: Sequence[tuple[str, str | None]]) -> tuple[str, ...] | None:
    keys = tuple(key for _, key in stack[1:])
    return None if not stack or None in keys else tuple(key for key in keys if key is not None)


def _indent_of(text: str) -> int | str | None:
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    if found is None:
        return None
    return found[1] if found[1].startswith("\t") else len(found[1])


def _dump(document: Mapping[str, object], old: str | None) -> str:
    indent = _indent_of(old) if old and old.strip() else 2
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    newline = "\r\n" if old and "\r\n" in old else "\n"
    ending = "" if old and old.strip() and not old.endswith(("\n", "\r")) else newline
    return text.replace("\n", newline) + ending
