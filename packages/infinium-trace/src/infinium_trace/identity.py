"""The key of a trace: the same turn has the same key, however often and wherever it is built."""

import uuid

_NAMESPACE = uuid.UUID("5f0f6c1e-6c1b-5d0e-9a57-0f6b6c6e7a11")


def trace_key(session_id: str, subagent_id: str | None, turn_id: str, kind: str) -> str:
    """UUIDv5 of session, subagent (None for the user's own), turn and kind of trace ("turn" or "session")."""
    fields = (session_id, subagent_id or "", turn_id, kind)
    name = "".join(f"{len(field)}:{field}" for field in fields)
    # An id that is no valid Unicode has a key too.
    return str(uuid.uuid5(_NAMESPACE, name.encode("utf-8", "backslashreplace").decode()))
