"""The steps of a payload, and the errors in them."""

from collections.abc import Iterable, Mapping

from infinium_trace._kept import KeptErrors, KeptSteps
from infinium_trace._shown import Arguments, Payload, Shown, argument_text, changed, milliseconds, present, relative
from infinium_trace.events import TokenUsage, TurnStatus
from infinium_trace.options import TraceOptions
from infinium_trace.preview import preview
from infinium_trace.session import Compaction, Message, PermissionRequest, Step, Subagent, ToolCall, Turn

_LINE = 80
_DESCRIPTION = 500
_ERROR_LINE = 300
_MCP = "mcp__"


class StepWriter:
    """Writes the steps of one payload, and gathers their errors."""

    def __init__(self, shown: Shown, options: TraceOptions, *, bounded: bool) -> None:
        self.steps, self.errors = KeptSteps(bounded=bounded), KeptErrors(bounded=bounded)
        self._shown, self._options = shown, options
        self._count = 0
        self._cwd: str | None = None
        """The directory of the turn being written: paths below it are told without it."""

    def write(self, turns: Iterable[Turn], cwd: str | None) -> None:
        """Add the steps of these turns, numbered through, each subagent's behind its own; `cwd` is the session's."""
        for turn in turns:
            self._cwd = turn.cwd or cwd
            for step in turn.steps:
                self._write(step, None)
            if turn.status in (TurnStatus.FAILED, TurnStatus.INTERRUPTED):
                kind = "TurnFailed" if turn.status is TurnStatus.FAILED else "TurnInterrupted"
                self._note_error(kind, self._shown.text(turn.reason) or turn.status.value)

    def _write(self, step: Step, subagent_id: str | None) -> None:
        match step:
            case ToolCall():
                self._tool_call(step, subagent_id)
            case Message():
                said = self._shown.short(step.text, self._options.max_output_preview)
                self._add("message", "Assistant message", subagent_id, output_preview=said)
            case Compaction():
                what = f"Conversation compacted ({step.trigger})" if step.trigger else "Conversation compacted"
                self._add("compaction", what, subagent_id, duration_ms=milliseconds(step.duration_ms))
            case PermissionRequest():
                self._permission(step, subagent_id)
            case Subagent():
                self._subagent(step)
                for inner in step.steps:
                    self._write(inner, step.subagent_id)

    def _add(
        self,
        action: str,
        description: str,
        subagent_id: str | None,
        metadata: Mapping[str, object] | None = None,
        **fields: object,
    ) -> None:
        about = {**(metadata or {}), **present(agent_id=subagent_id)}
        self._count += 1
        step = present(step_number=self._count, action=action, description=description, **fields, metadata=about)
        self.steps.add(self._shown.redacted(step))

    def _permission(self, asked: PermissionRequest, subagent_id: str | None) -> None:
        answer = asked.answer.value if asked.answer else "no answer recorded"
        self._add(
            "permission_request",
            f"Permission requested: {asked.tool} ({answer})",
            subagent_id,
            present(call_id=asked.call_id, answer=answer),
            duration_ms=milliseconds(asked.waited_ms),
            input_preview=self._shown.short(
                argument_text(self._shown.arguments(asked.arguments)), self._options.max_input_preview
            ),
        )

    def _subagent(self, agent: Subagent) -> None:
        error = None
        if agent.status in (TurnStatus.FAILED, TurnStatus.INTERRUPTED):
            kind = "SubagentFailed" if agent.status is TurnStatus.FAILED else "SubagentInterrupted"
            error = self._note_error(kind, self._shown.text(agent.reason) or agent.status.value)
        self._add(
            "subagent",
            f"Subagent {agent.agent_type or agent.subagent_id}",
            None,
            {
                "agent_id": agent.subagent_id,
                **present(agent_type=agent.agent_type, status=agent.status.value),
                **_tokens(agent.usage, agent.calls),
            },
            duration_ms=milliseconds(agent.duration_ms),
            input_preview=self._shown.short(agent.prompt, self._options.max_input_preview),
            output_preview=self._shown.short(agent.last_message, self._options.max_output_preview),
            error=error,
        )

    def _tool_call(self, call: ToolCall, subagent_id: str | None) -> None:
        arguments = self._shown.arguments(call.arguments)
        asked = self._shown.short(argument_text(arguments), self._options.max_input_preview)
        answered = self._shown.short(call.output, self._options.max_output_preview)
        error = self._tool_error(call) if call.failed else None
        duration = milliseconds(call.duration_ms)
        server, _, tool = call.tool.removeprefix(_MCP).partition("__") if call.tool.startswith(_MCP) else ("", "", "")
        self._add(
            "tool_call",
            self._tool_description(call, arguments),
            subagent_id,
            present(
                call_id=call.call_id,
                called_by=call.parent_call_id,
                mcp_server=server,
                mcp_tool=tool,
                exit_code=call.exit_code,
                cwd=call.cwd,
                background=call.background or None,
                finished=None if call.finished else False,
                files=[changed(change, self._cwd) for change in call.changes],
            ),
            duration_ms=duration,
            input_preview=asked,
            output_preview=answered,
            error=error,
            tool_call=present(
                tool_name=call.tool,
                duration_ms=duration,
                input_summary=asked,
                output_summary=answered,
                error=error["message"] if error else None,
            ),
        )

    def _tool_description(self, call: ToolCall, arguments: Arguments) -> str:
        command = arguments.get("command") if isinstance(arguments, Mapping) else None
        if isinstance(command, str):
            return self._shown.first_line(command, _LINE) or call.tool
        if call.changes:
            names = ", ".join(relative(change.path, self._cwd) for change in call.changes)
            return f"{call.tool}: {names}"[:_DESCRIPTION]
        return call.tool

    def _tool_error(self, call: ToolCall) -> Payload:
        line = next((line for line in self._shown.text(call.output).splitlines() if line.strip()), "")
        if call.exit_code is not None:
            message = f"{call.tool} ended with exit code {call.exit_code}"
            message += f": {preview(line, _ERROR_LINE)}" if line else ""
            return self._note_error("CommandFailed", message, str(call.exit_code))
        kind = "ToolRefused" if call.refused else "ToolAborted" if call.aborted else "ToolFailed"
        return self._note_error(kind, self._shown.text(call.error) or line or f"{call.tool} failed")

    def _note_error(self, kind: str, message: str, code: str | None = None) -> Payload:
        shown = message if code else preview(message, _ERROR_LINE)
        error = present(error_type=kind, message=shown, recoverable=True, error_code=code)
        self.errors.add(self._shown.redacted(error))
        return error


def _tokens(usage: TokenUsage, calls: int) -> Payload:
    """A subagent's own tokens; nothing where no record told of them."""
    if not calls:
        return {}
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "cached_tokens": usage.cached,
        "reasoning_tokens": usage.reasoning,
        "model_calls": calls,
    }
