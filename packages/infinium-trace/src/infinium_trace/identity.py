"""Computes the key of a trace. The same turn always has the same key."""

import uuid

_NAMESPACE = uuid.UUID("5f0f6c1e-6c1b-5d0e-9a57-0f6b6c6e7a11")


def trace_key(session_id: str, subagent_id: str | None, turn_id: str, kind: str) -> str:
    """Return the UUIDv5 of session, subagent (None for the user's own turn), turn and kind ("turn" or "session")."""
    fields = (session_id, subagent_id or "", turn_id, kind)
    name = "".join(f"{len(field)}:{field}" for field in fields)
    # An id may contain lone surrogates.
    return str(uuid.uuid5(_NAMESPACE, name.encode("utf-8", "backslashreplace").decode()))
