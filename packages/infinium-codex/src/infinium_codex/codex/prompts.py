"""Tells the user's request apart from what Codex's clients and Codex itself put around it.

An IDE or the desktop app sends the request below headings with the open files, the selection and the files the user
mentioned. Codex sends instruction files (AGENTS.md) and skills as messages of the user.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

from infinium_trace.events import ContextItem
from infinium_trace.lazy_pattern import lazy_pattern
from msgspec import Struct

from infinium_codex.support.json_fields import text

_REQUEST = lazy_pattern(r"^## My request for Codex:?[ \t]*$", re.MULTILINE)
_SECTION = lazy_pattern(
    r"^#{1,2} (Context from my IDE setup|Active file|Active selection of the file|Open tabs"
    r"|Files mentioned by the user|Review findings):?[ \t]*(.*)$",
    re.MULTILINE,
)
"""Headings of the clients. Other lines like headings are part of a section: a selection may have any text."""
_FIRST_HEADING = lazy_pattern(r"# ([^\n:]+)")
_ENTRY = lazy_pattern(r"^## ([^\n]+)$", re.MULTILINE)
_LIST_ITEM = lazy_pattern(r"^- (?:[^\n:]+: )?([^\n]+)$", re.MULTILINE)
_INSTRUCTIONS = lazy_pattern(
    r"# (\S+) instructions(?: for ([^\n]+))?\s+<INSTRUCTIONS>\n(.*?)\n?</INSTRUCTIONS>", re.DOTALL
)
_SKILL = lazy_pattern(r"<skill>\s*<name>([^<\n]+)</name>(?:\s*<path>([^<\n]+)</path>)?")

IMAGE, AUDIO, SKILL, INSTRUCTIONS = "image", "audio", "skill", "instructions"
_MOST_ITEMS = 50
_LONGEST_TEXT = 4_000


class Prompt(Struct, frozen=True, kw_only=True):
    """A prompt, with the request separated from its context."""

    request: str | None
    context: tuple[ContextItem, ...] = ()


def read_prompt(prompt: str | None, attachments: tuple[ContextItem, ...] = ()) -> Prompt:
    """Separate the request from the headings that a client put before it.

    A prompt that is nothing but attachments, such as images, becomes their marks: `[image]`.
    """
    request, context = _split(prompt or "")
    marks = " ".join(f"[{item.kind}]" for item in attachments if item.kind in (IMAGE, AUDIO))
    return Prompt(request=request or marks or None, context=(*context, *attachments))


def attached(record: Mapping[str, object]) -> tuple[ContextItem, ...]:
    """Return the images and audio of a `user_message` record."""
    found = [
        ContextItem(kind=kind, name=value if key.startswith("local") and isinstance(value, str) else None)
        for key, kind in (("images", IMAGE), ("local_images", IMAGE), ("audio", AUDIO), ("local_audio", AUDIO))
        for value in _values(record.get(key))
    ]
    return tuple(found[:_MOST_ITEMS])


def attached_items(items: object) -> tuple[ContextItem, ...]:
    """Return what the content of a `UserMessage` item has beside texts: images, skills, mentions."""
    found = []
    for item in _values(items):
        kind = text(item, "type") or "" if isinstance(item, dict) else ""
        if isinstance(item, dict) and kind not in ("", "text"):
            name = text(item, "path") or text(item, "name")
            found.append(ContextItem(kind=kind.removeprefix("local_").removeprefix("input_"), name=name))
    return tuple(found[:_MOST_ITEMS])


def instructions_in(message: str) -> ContextItem | None:
    """Return the instruction files that a message of the user's role carries: directory and hash, never the text."""
    found = _INSTRUCTIONS.match(message.lstrip())
    if found is None:
        return None
    directory = (found[2] or "").strip().rstrip("/\\")
    name = f"{directory}/{found[1]}" if directory else found[1]
    return ContextItem(kind=INSTRUCTIONS, name=name, sha256=hashlib.sha256(found[3].strip().encode()).hexdigest())


def skill_in(message: str) -> ContextItem | None:
    """Return the skill that a message of the user's role carries."""
    found = _SKILL.match(message.lstrip())
    return None if found is None else ContextItem(kind=SKILL, name=found[1].strip(), text=found[2])


def without_plan_tags(message: str) -> str:
    """Return a message without the tags around a proposed plan. An item reports the plan, too."""
    if not message.lstrip().startswith("<proposed_plan>"):
        return message
    return message.strip().removeprefix("<proposed_plan>").removesuffix("</proposed_plan>").strip()


def _split(prompt: str) -> tuple[str, tuple[ContextItem, ...]]:
    begin = prompt.lstrip()
    if not begin.startswith("# "):
        return prompt, ()
    requests = [*_REQUEST.finditer(begin)]
    if not requests:
        return prompt, ()
    # The last heading counts: a selection may hold such a prompt, a request hardly.
    request = begin[requests[-1].end() :].strip()
    return request, tuple(_context(begin[: requests[-1].start()]))[:_MOST_ITEMS]


def _context(envelope: str) -> Iterator[ContextItem]:
    """Yield what the sections of an envelope name."""
    sections = [*_SECTION.finditer(envelope)]
    starts = [section.start() for section in sections]
    unknown = _FIRST_HEADING.match(envelope) if not sections or starts[0] else None
    if unknown:
        body = envelope[unknown.end() : min(starts, default=len(envelope))]
        yield ContextItem(kind=unknown[1].strip().lower(), text=_cut(body.lstrip(":")))
    for section, end in zip(sections, [*starts[1:], len(envelope)], strict=False):
        yield from _section(section[1], section[2].strip(), envelope[section.end() : end])


def _section(title: str, rest: str, body: str) -> Iterator[ContextItem]:
    match title:
        case "Active file":
            yield ContextItem(kind="active file", name=rest or None)
        case "Active selection of the file":
            yield ContextItem(kind="selection", text=_cut(body))
        case "Open tabs":
            files = _LIST_ITEM.findall(body)[:_MOST_ITEMS]
            yield ContextItem(kind="open files", name=", ".join(files) or None)
        case "Files mentioned by the user":
            for entry in _ENTRY.findall(body):
                name, _, path = entry.partition(": ")
                yield ContextItem(kind="mentioned file", name=path.strip() or name.strip())
        case "Review findings":
            entries = [*_ENTRY.finditer(body)]
            ends = [*(entry.start() for entry in entries[1:]), len(body)]
            for entry, end in zip(entries, ends, strict=False):
                yield ContextItem(kind="review finding", name=entry[1].strip(), text=_cut(body[entry.end() : end]))


def _cut(body: str) -> str | None:
    return body.strip("\n")[:_LONGEST_TEXT] or None


def _values(value: object) -> list[object]:
    return value if isinstance(value, list) else []
