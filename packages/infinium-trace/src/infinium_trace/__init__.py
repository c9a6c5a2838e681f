"""The model of an agent's session, and the Infinium trace made of it. Pure: no files, no clock, no network."""

from infinium_trace._shown import Payload
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
    SourcesDisagreed,
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
from infinium_trace.payload import SessionSummary, session_payload, turn_payload
from infinium_trace.preview import clean, preview
from infinium_trace.prices import Price, PricesError, PriceTable, packaged_prices
from infinium_trace.redact import RedactionPatternError, Redactor
from infinium_trace.runner_output import RunOfTests, read_test_run
from infinium_trace.session import (
    Answer,
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
    "Answer",
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
    "Price",
    "PriceTable",
    "PricesError",
    "RecordSkipped",
    "RedactionPatternError",
    "Redactor",
    "RunOfTests",
    "Session",
    "SessionEnded",
    "SessionStarted",
    "SessionSummary",
    "SourcesDisagreed",
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
    "packaged_prices",
    "preview",
    "read_test_run",
    "session_payload",
    "trace_key",
    "turn_payload",
]
