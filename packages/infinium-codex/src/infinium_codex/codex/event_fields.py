"""The fields that every neutral event has."""

from typing import TypedDict

from infinium_trace.events import EventSource


class EventFields(TypedDict):
    """Keyword arguments for an event's constructor: when it happened, who reports it, and whose it is."""

    at_ms: int
    source: EventSource
    turn_id: str | None
    subagent_id: str | None


def at_time(fields: EventFields, at_ms: int | None) -> EventFields:
    """Return the fields with another time, or unchanged if there is none."""
    return fields if at_ms is None else EventFields(**{**fields, "at_ms": at_ms})


def of_subagent(fields: EventFields, subagent_id: str, turn_id: str | None) -> EventFields:
    """Return the fields for an event of a subagent, in the subagent's own turn."""
    return EventFields(**{**fields, "turn_id": turn_id, "subagent_id": subagent_id})
