"""Renders texts for a payload: cleaned, redacted, then truncated."""

from collections.abc import Mapping

from infinium_trace._format import Payload
from infinium_trace.preview import clean, clip, preview
from infinium_trace.redact import Redactor

Arguments = Mapping[str, object] | str | None


class Renderer:
    """Renders the texts of one payload. Every text is redacted before it is truncated."""

    def __init__(self, redactor: Redactor, *, metadata_only: bool) -> None:
        self.truncated = 0
        """Number of previews that do not contain the whole text."""
        self._metadata_only = metadata_only
        self._redactor = redactor
        self._texts: dict[str, str] = {}
        """Rendered texts. Each is redacted once, so that its findings are counted once."""
        self._counted: set[int] = set()
        """Hashes of the texts with findings that were counted."""

    def text(self, value: str | None) -> str:
        """Return the whole text; an empty text if only metadata is sent."""
        if value is None or self._metadata_only:
            return ""
        if value not in self._texts:
            counts = dict(self._redactor.counts)
            # Clean first: terminal escapes inside a secret would hide it from the rules.
            self._texts[value] = self._redactor.text(clean(value))
            if counts != self._redactor.counts:
                if hash(value) in self._counted:
                    self._redactor.counts = counts
                self._counted.add(hash(value))
        return self._texts[value]

    def clear_cache(self) -> None:
        """Release the rendered texts: the next turn has others. Findings are still counted once."""
        self._texts.clear()

    def redacted(self, payload: Payload) -> Payload:
        """Return a part of a payload with its paths, branches and names redacted."""
        found = self._redactor.value(payload)
        assert isinstance(found, dict)
        return found

    def first_line(self, value: str | None, limit: int) -> str:
        """Return the first line that is not empty, clipped."""
        lines = self.text(value).strip().splitlines()
        return clip(lines[0], limit) if lines else ""

    def preview(self, value: str | None, limit: int, *, tail: float = 0.5) -> str | None:
        """Return a preview of the text; None if it is empty. `tail` is the share taken from the end of the text."""
        text = self.text(value)
        shown = preview(text, limit, tail=tail)
        self.truncated += shown != text
        return shown or None

    def arguments(self, arguments: Arguments) -> Arguments:
        """Return a call's arguments. A value under the name of a secret is redacted, whatever it looks like."""
        if not isinstance(arguments, Mapping):
            return arguments
        found = self._redactor.value(dict(arguments))
        return found if isinstance(found, dict) else {}


def argument_text(arguments: Arguments) -> str | None:
    """Return the arguments as a text: the command if it is the only argument, else JSON."""
    if arguments is None or isinstance(arguments, str):
        return arguments
    command = arguments.get("command")
    if len(arguments) == 1 and isinstance(command, str):
        return command
    import json  # most calls have a command only

    return json.dumps(arguments, ensure_ascii=False, default=str)
