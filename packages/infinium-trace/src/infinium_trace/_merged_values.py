"""Merges values that several sources report; the source with the higher priority wins."""

from typing import TypeVar

from infinium_trace.events import Event, EventSource

T = TypeVar("T")

PRIORITY = {EventSource.HOOK: 0, EventSource.TRANSCRIPT: 1}
"""A transcript has the higher priority: it is the agent's own record."""


class MergedValues:
    """Values by name, each with the priority of its source."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[int, object]] = {}

    def merge(self, event: Event, *, first: bool = False, **values: object) -> None:
        """Store the values that are not None.

        A value from a source of lower priority never replaces one of higher priority. Of two values from the same
        source the later one wins, with `first` the earlier one.
        """
        priority = PRIORITY[event.source]
        for name, value in values.items():
            known = self._values.get(name)
            if value is not None and (known is None or priority > known[0] or (priority == known[0] and not first)):
                self._values[name] = (priority, value)

    def get(self, name: str, kind: type[T], *, source: EventSource | None = None) -> T | None:
        """Return the value if it is of this type; with `source`, only if this source reported it."""
        priority, value = self._values.get(name, (0, None))
        return value if isinstance(value, kind) and (source is None or PRIORITY[source] == priority) else None
