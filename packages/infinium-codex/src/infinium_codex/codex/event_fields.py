"""Where in time and session an event stands: the fields every neutral event has."""

from typing import TypedDict

from infinium_trace.events import EventSource


class Where(TypedDict):
    """Spread into an event's constructor."""

    at_ms: int
    source: EventSource
    turn_id: str | None
    subagent_id: str | None
