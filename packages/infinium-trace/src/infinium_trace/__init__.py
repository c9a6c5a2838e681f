"""The model of an agent's session, and the Infinium trace made of it. Pure: no files, no clock, no network."""

from infinium_trace.context import Limits, TraceContext
from infinium_trace.events import (
    AssistantSaid,
    ChangeKind,
    Compacted,
    Event,
    EventSource,
    FileChange,
    ModelResponded,
    PermissionAsked,
    RecordSkipped,
    SessionEnded,
    SessionStarted,
    SubagentEnded,
    SubagentStarted,
    TokenUsage,
    ToolFinished,
    ToolStarted,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)
from infinium_trace.fit import MAX_BODY_BYTES, encode
from infinium_trace.fold import fold
from infinium_trace.identity import trace_key
from infinium_trace.payload import Payload, session_payload, turn_payload
from infinium_trace.preview import clean, preview
from infinium_trace.redact import Redactor
from infinium_trace.session import (
    Compaction,
    Message,
    ModelCall,
    PermissionRequest,
    Session,
    Step,
    Subagent,
    ToolCall,
    Turn,
)

__all__ = [
    "MAX_BODY_BYTES",
    "AssistantSaid",
    "ChangeKind",
    "Compacted",
    "Compaction",
    "Event",
    "EventSource",
    "FileChange",
    "Limits",
    "Message",
    "ModelCall",
    "ModelResponded",
    "Payload",
    "PermissionAsked",
    "PermissionRequest",
    "RecordSkipped",
    "Redactor",
    "Session",
    "SessionEnded",
    "SessionStarted",
    "Step",
    "Subagent",
    "SubagentEnded",
    "SubagentStarted",
    "TokenUsage",
    "ToolCall",
    "ToolFinished",
    "ToolStarted",
    "TraceContext",
    "Turn",
    "TurnEnded",
    "TurnStarted",
    "TurnStatus",
    "clean",
    "encode",
    "fold",
    "preview",
    "session_payload",
    "trace_key",
    "turn_payload",
]
