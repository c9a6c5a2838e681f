"""Builds the spans of one turn. Pure: no file, clock or network, and no OpenTelemetry library.

The agent's invocation is the root. Below it are the responses of the model and the subagents, below each response the
tools that it called, below a subagent its own responses. A turn's trace id and span ids are derived from its trace
key and the agent's own ids, so that a turn has the same ids however often it is built.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from enum import Enum
from hashlib import sha256
from uuid import UUID

import msgspec
from infinium_trace import (
    Compaction,
    ModelCall,
    PermissionRequest,
    Redactor,
    Session,
    Step,
    Subagent,
    ToolCall,
    TraceContext,
    TraceOptions,
    Turn,
    TurnStatus,
    clean,
    preview,
    trace_key,
)
from msgspec import Struct, field

from infinium_codex.otlp import conventions as names

Attribute = str | int | float | bool
_UNKNOWN = "unknown"


class SpanKind(Enum):
    """Kind of a span, as OpenTelemetry names it."""

    INTERNAL = "internal"
    CLIENT = "client"


class SpanEvent(Struct, frozen=True, kw_only=True):
    """Something that happened at one moment of a span."""

    name: str
    at_ms: int
    """UTC epoch milliseconds."""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


class Span(Struct, frozen=True, kw_only=True):
    """One span of a turn's trace."""

    span_id: int
    """64 bits, not 0."""
    parent_id: int | None
    name: str
    kind: SpanKind
    started_at_ms: int
    """UTC epoch milliseconds."""
    ended_at_ms: int
    attributes: Mapping[str, Attribute]
    error: bool = False
    events: tuple[SpanEvent, ...] = ()


class TurnSpans(Struct, frozen=True, kw_only=True):
    """The spans of one turn, the root first."""

    key: str
    """The turn's trace key."""
    trace_id: int
    """128 bits, not 0."""
    spans: tuple[Span, ...]


def build_spans(
    session: Session, turn: Turn, context: TraceContext, options: TraceOptions, *, capture_content: bool = False
) -> TurnSpans:
    """Build the spans of a turn. With `capture_content` they contain texts, redacted and limited as in a trace.

    Raises RedactionPatternError for an invalid pattern in the options.
    """
    key = trace_key(context.session_id, None, turn.id, "turn")
    texts = _Texts(options, with_content=capture_content and not options.metadata_only)
    return TurnSpans(
        key=key, trace_id=UUID(key).int, spans=_Builder(key, session, turn, context, options, texts).build()
    )


class _Texts:
    """Redacts texts, then truncates them. Names are always redacted; contents are empty unless they are wanted."""

    def __init__(self, options: TraceOptions, *, with_content: bool) -> None:
        self._redactor: Redactor = options.redactor()
        self._with_content = with_content

    def name(self, value: str) -> str:
        """Return a name without secrets and control characters."""
        return self._redactor.text(clean(value))

    def content(self, value: str | None, limit: int) -> str:
        """Return a text of the user, the model or a tool; empty if contents are not wanted."""
        if not value or not self._with_content:
            return ""
        return preview(self._redactor.text(clean(value)), limit, tail=0.5)

    def arguments(self, value: Mapping[str, object] | str | None, limit: int) -> str:
        """Return a call's arguments, as JSON if they are an object."""
        if value is None or isinstance(value, str):
            return self.content(value, limit)
        return self.content(_json(self._redactor.value(dict(value))), limit)


class _Builder:
    def __init__(
        self, key: str, session: Session, turn: Turn, context: TraceContext, options: TraceOptions, texts: _Texts
    ) -> None:
        self._key, self._session, self._turn = key, session, turn
        self._context, self._options, self._texts = context, options, texts
        self._ids: set[int] = set()
        self._spans: list[Span] = []
        self._common: dict[str, Attribute] = {
            names.PROVIDER_NAME: texts.name(session.provider or _UNKNOWN),
            names.CONVERSATION_ID: context.session_id,
        }
        self._calls: dict[str | None, list[ModelCall]] = {}
        for call in turn.calls:
            self._calls.setdefault(call.subagent_id, []).append(call)

    def build(self) -> tuple[Span, ...]:
        turn = self._turn
        root = self._id("turn", turn.id)
        self._agent(root, None, turn.steps)
        ended = turn.ended_at_ms or max((span.ended_at_ms for span in self._spans), default=turn.started_at_ms)
        span = Span(
            span_id=root,
            parent_id=None,
            name=f"{names.INVOKE_AGENT} {self._options.program}",
            kind=SpanKind.INTERNAL,
            started_at_ms=turn.started_at_ms,
            ended_at_ms=max(ended, turn.started_at_ms),
            attributes=self._root_attributes(),
            error=_status_error(turn.status) is not None,
            events=tuple(self._events(turn.steps)),
        )
        return (span, *self._spans)

    def _root_attributes(self) -> dict[str, Attribute]:
        turn, session, context = self._turn, self._session, self._context
        commit = context.commit_at(turn.started_at_ms) or session.git_commit or context.git_commit
        branch = session.git_branch or context.git_branch
        cost = self._options.prices.estimate(turn.calls, session.provider) if turn.calls else None
        prompt = self._texts.content(turn.prompt, self._options.max_input_summary)
        answer = self._texts.content(turn.last_message, self._options.max_output_summary)
        return _present(
            {
                names.OPERATION_NAME: names.INVOKE_AGENT,
                **self._common,
                names.AGENT_NAME: self._options.program,
                names.AGENT_VERSION: session.client_version,
                names.REQUEST_MODEL: turn.models[-1] if turn.models else None,
                names.ERROR_TYPE: _status_error(turn.status),
                names.BRANCH: branch and self._texts.name(branch),
                names.COMMIT: commit,
                names.TRACE_KEY: self._key,
                names.TURN_ID: turn.id,
                names.TURN_STATUS: turn.status.value,
                names.COST: cost,
                names.FILES_CHANGED: len(turn.changes),
                names.INPUT_MESSAGES: prompt and _message("user", prompt),
                names.OUTPUT_MESSAGES: answer and _message("assistant", answer, finish_reason="stop"),
            }
        )

    def _agent(self, agent_span: int, agent: str | None, steps: Iterable[Step]) -> None:
        """Add the responses and steps of the turn's own agent, or of a subagent, below its span."""
        calls = self._calls.get(agent, [])
        call_spans = [self._chat(call, agent_span) for call in calls]
        ends = [call.ended_at_ms for call in calls]
        tools: dict[str, int] = {}
        for step in steps:
            # The record of a response's tokens follows the records of what the response began.
            at = bisect_left(ends, step.started_at_ms)
            parent = call_spans[at] if at < len(call_spans) else agent_span
            match step:
                case ToolCall():
                    tools[step.call_id] = self._tool(step, agent, tools.get(step.parent_call_id or "", parent))
                case Subagent():
                    # Not below a response: engines add up tokens and leave out those below a span that has some.
                    self._subagent(step, agent_span)
                case _:
                    pass  # messages, reasoning, compactions and permission requests are no operations of their own

    def _chat(self, call: ModelCall, parent: int) -> int:
        usage = call.usage
        model = call.model or (self._turn.models[-1] if self._turn.models else "")
        span_id = self._id("response", call.response_id, call.subagent_id or "")
        attributes = _present(
            {
                names.OPERATION_NAME: names.CHAT,
                **self._common,
                names.REQUEST_MODEL: model,
                names.RESPONSE_ID: call.response_id,
                names.INPUT_TOKENS: usage.prompt,
                names.OUTPUT_TOKENS: usage.completion,
                names.CACHE_READ_TOKENS: usage.cached,
                names.REASONING_TOKENS: usage.reasoning,
                names.COST: self._options.prices.cost(call, self._session.provider),
            }
        )
        self._spans.append(
            Span(
                span_id=span_id,
                parent_id=parent,
                name=f"{names.CHAT} {model}".rstrip(),
                kind=SpanKind.CLIENT,
                started_at_ms=call.ended_at_ms - (call.latency_ms or 0),
                ended_at_ms=call.ended_at_ms,
                attributes=attributes,
            )
        )
        return span_id

    def _tool(self, call: ToolCall, agent: str | None, parent: int) -> int:
        name = self._texts.name(call.tool)
        span_id = self._id("tool", call.call_id, agent or "")
        error = _call_error(call)
        limit = self._options.max_failure_preview if call.failed else self._options.max_output_preview
        attributes = _present(
            {
                names.OPERATION_NAME: names.EXECUTE_TOOL,
                names.CONVERSATION_ID: self._context.session_id,
                names.TOOL_NAME: name,
                names.TOOL_TYPE: names.FUNCTION,
                names.TOOL_CALL_ID: call.call_id,
                names.ERROR_TYPE: error,
                names.EXIT_CODE: call.exit_code,
                names.FILES_CHANGED: len(call.changes) or None,
                names.BACKGROUND: call.background or None,
                names.TOOL_ARGUMENTS: self._texts.arguments(call.arguments, self._options.max_input_preview),
                names.TOOL_RESULT: self._texts.content(call.output, limit),
            }
        )
        self._spans.append(
            Span(
                span_id=span_id,
                parent_id=parent,
                name=f"{names.EXECUTE_TOOL} {name}",
                kind=SpanKind.INTERNAL,
                started_at_ms=call.started_at_ms,
                ended_at_ms=call.started_at_ms + round(max(call.duration_ms or 0.0, 0.0)),
                attributes=attributes,
                error=error is not None,
            )
        )
        return span_id

    def _subagent(self, agent: Subagent, parent: int) -> None:
        name = self._texts.name(agent.agent_type or "subagent")
        span_id = self._id("subagent", agent.subagent_id)
        calls = self._calls.get(agent.subagent_id, [])
        before = len(self._spans)
        self._agent(span_id, agent.subagent_id, agent.steps)
        last = max((span.ended_at_ms for span in self._spans[before:]), default=agent.started_at_ms)
        task = self._texts.content(agent.prompt, self._options.max_input_summary)
        answer = self._texts.content(agent.last_message, self._options.max_output_summary)
        attributes = _present(
            {
                names.OPERATION_NAME: names.INVOKE_AGENT,
                **self._common,
                names.AGENT_NAME: name,
                names.AGENT_ID: agent.subagent_id,
                names.REQUEST_MODEL: next((call.model for call in calls if call.model), None),
                names.ERROR_TYPE: _status_error(agent.status),
                names.TURN_STATUS: agent.status.value,
                names.INPUT_MESSAGES: task and _message("user", task),
                names.OUTPUT_MESSAGES: answer and _message("assistant", answer, finish_reason="stop"),
            }
        )
        self._spans.insert(
            before,
            Span(
                span_id=span_id,
                parent_id=parent,
                name=f"{names.INVOKE_AGENT} {name}",
                kind=SpanKind.INTERNAL,
                started_at_ms=agent.started_at_ms,
                ended_at_ms=max(agent.ended_at_ms or last, agent.started_at_ms),
                attributes=attributes,
                error=_status_error(agent.status) is not None,
                events=tuple(self._events(agent.steps)),
            ),
        )

    def _events(self, steps: Iterable[Step]) -> Iterable[SpanEvent]:
        for step in steps:
            if isinstance(step, Compaction):
                attributes = _present({names.TRIGGER: step.trigger})
                yield SpanEvent(name=names.COMPACTION_EVENT, at_ms=step.started_at_ms, attributes=attributes)
            elif isinstance(step, PermissionRequest):
                answer = step.answer.value if step.answer else None
                attributes = _present({names.TOOL_NAME: self._texts.name(step.tool), names.ANSWER: answer})
                yield SpanEvent(name=names.PERMISSION_EVENT, at_ms=step.started_at_ms, attributes=attributes)

    def _id(self, *parts: str) -> int:
        """Derive a span id from the trace key and the agent's ids. An id that is taken is derived again."""
        text = "\0".join((self._key, *parts))
        while True:
            found = int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
            if found and found not in self._ids:
                self._ids.add(found)
                return found
            text += "\0again"


def _call_error(call: ToolCall) -> str | None:
    if call.refused:
        return names.REFUSED_ERROR
    if call.aborted:
        return names.ABORTED_ERROR
    if not call.failed:
        return None
    return names.EXIT_CODE_ERROR if call.exit_code else names.TOOL_ERROR


def _status_error(status: TurnStatus) -> str | None:
    if status is TurnStatus.FAILED:
        return names.FAILED_ERROR
    return names.ABORTED_ERROR if status is TurnStatus.INTERRUPTED else None


def _message(role: str, text: str, **more: str) -> str:
    """Return a message as JSON, in the form of the conventions."""
    return _json([{"role": role, "parts": [{"type": "text", "content": text}], **more}])


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()


def _present(attributes: Mapping[str, Attribute | None]) -> dict[str, Attribute]:
    """Return the attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None and value != ""}
