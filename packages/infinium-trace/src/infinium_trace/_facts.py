"""Single facts, each with the rank of the source that told it: a better source's word is never overwritten."""

from typing import TypeVar

from infinium_trace.events import Event, EventSource

T = TypeVar("T")

RANK = {EventSource.HOOK: 0, EventSource.TRANSCRIPT: 1}
"""The later source wins where both speak: the transcript is what the agent itself remembers."""


class Facts:
    """What is known, by name."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, object]] = {}

    def tell(self, event: Event, *, first: bool = False, **facts: object) -> None:
        """Note facts that are not None. Of two equal sources the later one wins, or with `first` the earlier one."""
        rank = RANK[event.source]
        for name, value in facts.items():
            known = self._known.get(name)
            if value is not None and (known is None or rank > known[0] or (rank == known[0] and not first)):
                self._known[name] = (rank, value)

    def get(self, name: str, kind: type[T], *, of: EventSource | None = None) -> T | None:
        """The fact under `name`, if it is of this kind; with `of`, only if this source told it."""
        rank, value = self._known.get(name, (0, None))
        return value if isinstance(value, kind) and (of is None or RANK[of] == rank) else None
