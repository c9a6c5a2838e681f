"""Texts and values as a payload may show them: cleaned, redacted, cut; absent ones left out."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from infinium_trace.events import FileChange
from infinium_trace.preview import clean, preview
from infinium_trace.redact import Redactor

Payload = dict[str, object]
Arguments = Mapping[str, object] | str | None

_LAST_MS = 253_402_300_799_000
"""The last second of the year 9999."""


class Shown:
    """Every text is cleaned and goes through the redactor before it is cut."""

    def __init__(self, redactor: Redactor, *, metadata_only: bool) -> None:
        self.metadata_only = metadata_only
        self.cut = 0
        """Previews that do not hold the whole text."""
        self._redactor = redactor
        self._texts: dict[str, str] = {}
        """Texts as they may be shown: each is gone through once, so that what was taken out is counted once."""
        self._counted: set[int] = set()
        """Hashes of the texts something was taken out of."""

    def text(self, value: str | None) -> str:
        """All of the text; nothing of it where only metadata is sent."""
        if value is None or self.metadata_only:
            return ""
        if value not in self._texts:
            counts = dict(self._redactor.counts)
            # Cleaned first: a secret with terminal escapes in it would not be known for one.
            self._texts[value] = self._redactor.text(clean(value))
            if counts != self._redactor.counts:
                if hash(value) in self._counted:
                    self._redactor.counts = counts
                self._counted.add(hash(value))
        return self._texts[value]

    def forget(self) -> None:
        """Keep no texts: the next turns have others. What was counted stays counted once."""
        self._texts.clear()

    def redacted(self, payload: Payload) -> Payload:
        """A part of a payload with what a path, a branch or a name may hold taken out too."""
        found = self._redactor.value(payload)
        assert isinstance(found, dict)
        return found

    def first_line(self, value: str | None, limit: int) -> str:
        """The first line that is not empty."""
        lines = self.text(value).strip().splitlines()
        return preview(lines[0], limit) if lines else ""

    def short(self, value: str | None, limit: int) -> str | None:
        """A preview of the text; None where there is nothing to show."""
        text = self.text(value)
        shown = preview(text, limit)
        self.cut += shown != text
        return shown or None

    def arguments(self, arguments: Arguments) -> Arguments:
        """A call's arguments; what stands under the name of a secret is one, whatever it looks like."""
        if not isinstance(arguments, Mapping):
            return arguments
        found = self._redactor.value(dict(arguments))
        return found if isinstance(found, dict) else {}


def argument_text(arguments: Arguments) -> str | None:
    """The arguments as a text: the command alone where that is all there is."""
    if arguments is None or isinstance(arguments, str):
        return arguments
    command = arguments.get("command")
    if len(arguments) == 1 and isinstance(command, str):
        return command
    return json.dumps(arguments, ensure_ascii=False, default=str)


def present(**fields: object) -> Payload:
    """The fields that have something to say."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {}, ())}


def relative(path: str, cwd: str | None) -> str:
    """The path, without the directory it is below."""
    if cwd and PurePosixPath(path).is_relative_to(cwd):
        return str(PurePosixPath(path).relative_to(cwd))
    return path


def changed(change: FileChange, cwd: str | None) -> Payload:
    """What happened to a file."""
    return present(
        path=relative(change.path, cwd),
        kind=change.kind.value,
        moved_to=relative(change.moved_to, cwd) if change.moved_to else None,
        lines_added=change.lines_added,
        lines_removed=change.lines_removed,
    )


def milliseconds(duration: float | None) -> float | int | None:
    """To the microsecond; a whole number where there is no fraction."""
    if duration is None:
        return None
    rounded = round(duration, 3)
    return int(rounded) if rounded.is_integer() else rounded


def iso(epoch_ms: int) -> str:
    """A time as the API wants it; a record may date itself anywhere."""
    epoch_ms = min(max(epoch_ms, 0), _LAST_MS)
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
