"""Prepares texts for a view: without control characters, redacted, counted by kind."""

import json
from collections.abc import Mapping

from infinium_trace import Redactor, clean


class Texts:
    """Redacts the texts of one turn. Every text is redacted once, so that a finding is counted once."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._known: dict[str, str] = {}

    @property
    def redactions(self) -> Mapping[str, int]:
        """Number of replacements so far, by kind."""
        return dict(self._redactor.counts)

    def text(self, value: str | None) -> str:
        """Return the whole text; an empty one for None."""
        if not value:
            return ""
        if value not in self._known:
            # Clean first: terminal escapes inside a secret would hide it from the rules.
            self._known[value] = self._redactor.text(clean(value))
        return self._known[value]

    def arguments(self, arguments: Mapping[str, object] | str | None) -> str | None:
        """Return a call's arguments as a text: the command, if there is nothing else, else JSON with an indent."""
        if arguments is None or isinstance(arguments, str):
            return self.text(arguments) or None
        command = arguments.get("command")
        if len(arguments) == 1 and isinstance(command, str):
            return self.text(command) or None
        redacted = self._redactor.value(dict(arguments))
        # The standard library's encoder, because msgspec's refuses a lone surrogate.
        return clean(json.dumps(redacted, indent=2, ensure_ascii=False, default=str))


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
