"""Names of attributes, operations and metrics, from OpenTelemetry's conventions for generative AI.

The conventions live in open-telemetry/semantic-conventions-genai and are in development. The names are those of the
schema below. Names that begin with `infinium.` are this connector's own, where the conventions have none.
"""

from typing import Final

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai/1.42.0"

INVOKE_AGENT: Final = "invoke_agent"
CHAT: Final = "chat"
EXECUTE_TOOL: Final = "execute_tool"
FUNCTION: Final = "function"
"""`gen_ai.tool.type` of a tool that runs on the client's side."""

OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_VERSION: Final = "gen_ai.agent.version"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_ID: Final = "gen_ai.response.id"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
REASONING_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name of tokens of text
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
ERROR_TYPE: Final = "error.type"
EXIT_CODE: Final = "process.exit.code"
BRANCH: Final = "vcs.ref.head.name"
COMMIT: Final = "vcs.ref.head.revision"
SERVICE_NAME: Final = "service.name"
OS_TYPE: Final = "os.type"

TRACE_KEY: Final = "infinium.trace.key"
TURN_ID: Final = "infinium.turn.id"
TURN_STATUS: Final = "infinium.turn.status"
PROJECT: Final = "infinium.project"
COST: Final = "infinium.cost.usd"
FILES_CHANGED: Final = "infinium.files_changed"
BACKGROUND: Final = "infinium.tool.background"
COMPACTION_EVENT: Final = "infinium.compaction"
PERMISSION_EVENT: Final = "infinium.permission"
ANSWER: Final = "infinium.permission.answer"
TRIGGER: Final = "infinium.compaction.trigger"

EXIT_CODE_ERROR: Final = "exit_code"
"""`error.type` of a call that ended with an exit code other than 0."""
TOOL_ERROR: Final = "tool_error"
"""`error.type` of a call that failed without an exit code."""
REFUSED_ERROR: Final = "permission_denied"
"""`error.type` of a call that the user refused."""
ABORTED_ERROR: Final = "interrupted"
"""`error.type` of a call, turn or subagent that the user interrupted."""
FAILED_ERROR: Final = "agent_error"
"""`error.type` of a turn or subagent that failed."""

AGENT_DURATION: Final = "gen_ai.invoke_agent.duration"
TOOL_DURATION: Final = "gen_ai.execute_tool.duration"
CHAT_DURATION: Final = "gen_ai.client.operation.duration"
TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - a name of tokens of text
COST_METRIC: Final = "infinium.cost"
GRADE_METRIC: Final = "infinium.grade"
QUEUE_METRIC: Final = "infinium.queue.length"

DURATION_BOUNDS: Final = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    *(163.84, 327.68, 655.36, 1310.72),
)
"""Seconds. The bounds of the conventions, and four more: a turn of an agent may take minutes."""
GRADE_BOUNDS: Final = (1.0, 2.0, 3.0, 4.0, 5.0, *(float(score) for score in range(10, 101, 10)))
"""The scale is the server's: grades up to 5, 10 and 100 are told apart."""
TOKEN_BOUNDS: Final = tuple(4.0**power for power in range(14))
