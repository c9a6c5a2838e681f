"""Writes the steps of a payload, and collects their errors.

Each thing is said once, in the step itself: what a step is about, its input, its output, its error. A tool call has no
second copy of them, and the list of errors names the step.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from infinium_trace._bounded import BoundedErrors, BoundedSteps
from infinium_trace._format import Payload, count, file_change, milliseconds, present, relative_path
from infinium_trace._renderer import Arguments, Renderer, argument_text
from infinium_trace.events import ContextItem, TokenUsage, TurnStatus
from infinium_trace.failure_reason import failure_reason
from infinium_trace.options import TraceOptions
from infinium_trace.preview import clip, preview
from infinium_trace.session import Compaction, Message, PermissionRequest, Reasoning, Step, Subagent, ToolCall, Turn
from infinium_trace.tree_changes import TreeChanges

_LINE = 80
_SUBJECT = 200
_MAX_LISTED = 200
"""Files that are listed with their lines; the names of all are in the section `development`."""
_DESCRIPTION = 500
_ERROR_LINE = 300
_TAIL_OF_FAILURE = 0.7
"""Share of a failed call's preview that is taken from the end of its output, where reasons are."""
_MCP = "mcp__"


class StepWriter:
    """Writes the steps of one payload, and collects their errors."""

    def __init__(self, renderer: Renderer, options: TraceOptions, *, bounded: bool) -> None:
        self.steps, self.errors = BoundedSteps(bounded=bounded), BoundedErrors(bounded=bounded)
        self._renderer, self._options = renderer, options
        self._count = 0
        self._of_session = bounded
        self._undone = False
        self._cwd: str | None = None
        """The directory of the current turn. Paths are relative to it."""

    def write(self, turns: Iterable[Turn], cwd: str | None) -> None:
        """Add the steps of these turns. The steps of a subagent follow its own. `cwd` is the session's directory."""
        for turn in turns:
            self._cwd, self._undone = turn.cwd or cwd, turn.undone
            if turn.context:
                self._context(turn.context)
            for step in turn.steps:
                self._write_step(step, None)
            if turn.status in (TurnStatus.FAILED, TurnStatus.INTERRUPTED):
                kind = "TurnFailed" if turn.status is TurnStatus.FAILED else "TurnInterrupted"
                self._add_error(kind, self._renderer.text(turn.reason) or turn.status.value, of_turn=True)

    def write_changes(self, changes: TreeChanges) -> None:
        """Add a last step for what the turn changed in its checkout, with a unified diff; none without changes."""
        if not changes.files and not changes.commits:
            return
        added, removed = (sum(lines or 0 for lines in column) for column in zip(*_lines(changes), strict=True))
        description = f"{count(len(changes.files), 'file')} changed, {added:,} lines added, {removed:,} removed"
        if changes.commits:
            description += f", {count(len(changes.commits), 'commit')}"
        self._add(
            "file_changes",
            description,
            None,
            present(
                files=[file_change(change, self._cwd) for change in changes.files[:_MAX_LISTED]],
                files_not_listed=max(len(changes.files) - _MAX_LISTED, 0) or None,
                commits=[
                    present(commit=one.commit, subject=self._renderer.first_line(one.subject, _SUBJECT))
                    for one in changes.commits
                ],
            ),
            output_preview=self._renderer.preview(changes.diff, self._options.max_diff, tail=0.2),
        )

    def _write_step(self, step: Step, subagent_id: str | None) -> None:
        match step:
            case ToolCall():
                self._tool_call(step, subagent_id)
            case Message():
                text = self._renderer.preview(step.text, self._options.max_output_preview)
                self._add("message", "Assistant message", subagent_id, output_preview=text)
            case Reasoning():
                if self._options.reasoning:
                    text = self._renderer.preview(step.text, self._options.max_output_preview)
                    self._add("reasoning", "Reasoning of the model", subagent_id, output_preview=text)
            case Compaction():
                description = f"Conversation compacted ({step.trigger})" if step.trigger else "Conversation compacted"
                self._add("compaction", description, subagent_id, duration_ms=milliseconds(step.duration_ms))
            case PermissionRequest():
                self._permission(step, subagent_id)
            case Subagent():
                self._subagent(step)
                for inner in step.steps:
                    self._write_step(inner, step.subagent_id)

    def _context(self, items: Sequence[ContextItem]) -> None:
        """Add one step for what the model was given beside the request."""
        kinds = Counter(item.kind for item in items)
        description = ", ".join(f"{kind} ({number})" if number > 1 else kind for kind, number in kinds.items())
        texts = "\n\n".join(f"{item.name or item.kind}:\n{item.text}" for item in items if item.text)
        self._add(
            "context",
            f"Given with the request: {description}"[:_DESCRIPTION],
            None,
            {"context": [self._context_item(item) for item in items]},
            input_preview=self._renderer.preview(texts, self._options.max_input_preview),
        )

    def _context_item(self, item: ContextItem) -> Payload:
        name = relative_path(item.name, self._cwd) if item.name else None
        return present(kind=item.kind, name=name, sha256=item.sha256, characters=len(item.text) if item.text else None)

    def _add(
        self,
        action: str,
        description: str,
        subagent_id: str | None,
        metadata: Mapping[str, object] | None = None,
        **fields: object,
    ) -> None:
        all_metadata = {**(metadata or {}), **present(agent_id=subagent_id, undone=self._undone or None)}
        self._count += 1
        step = present(step_number=self._count, action=action, description=description, **fields, metadata=all_metadata)
        self.steps.add(self._renderer.redacted(step))

    def _permission(self, request: PermissionRequest, subagent_id: str | None) -> None:
        answer = request.answer.value if request.answer else "no answer recorded"
        self._add(
            "permission_request",
            f"Permission requested: {request.tool} ({answer})",
            subagent_id,
            present(
                call_id=request.call_id,
                answer=answer,
                answered_by="automatic review" if request.reviewed else None,
                risk=request.risk,
                reason=self._renderer.text(request.reason),
            ),
            duration_ms=milliseconds(request.waited_ms),
            input_preview=self._renderer.preview(
                argument_text(self._renderer.arguments(request.arguments)), self._options.max_input_preview
            ),
        )

    def _subagent(self, agent: Subagent) -> None:
        error = None
        if agent.status in (TurnStatus.FAILED, TurnStatus.INTERRUPTED):
            kind = "SubagentFailed" if agent.status is TurnStatus.FAILED else "SubagentInterrupted"
            error = self._add_error(kind, self._renderer.text(agent.reason) or agent.status.value)
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
            input_preview=self._renderer.preview(agent.prompt, self._options.max_input_preview),
            output_preview=self._renderer.preview(agent.last_message, self._options.max_output_preview),
            error=error,
        )

    def _tool_call(self, call: ToolCall, subagent_id: str | None) -> None:
        arguments = self._renderer.arguments(call.arguments)
        description = self._tool_description(call, arguments)
        input_preview = self._renderer.preview(argument_text(arguments), self._options.max_input_preview)
        error = self._tool_error(call) if call.failed else None
        duration = milliseconds(call.duration_ms)
        server, _, tool = call.tool.removeprefix(_MCP).partition("__") if call.tool.startswith(_MCP) else ("", "", "")
        self._add(
            "tool_call",
            description,
            subagent_id,
            present(
                call_id=call.call_id,
                called_by=call.parent_call_id,
                mcp_server=server,
                mcp_tool=tool,
                exit_code=call.exit_code,
                cwd=None if call.cwd == self._cwd else call.cwd,
                background=call.background or None,
                outcome="refused" if call.refused else "interrupted by the user" if call.aborted else None,
                waits_for=call.waits_for,
                finished=None if call.finished else False,
                options=self._renderer.arguments(call.options),
                files=[file_change(change, self._cwd) for change in call.changes],
            ),
            duration_ms=duration,
            input_preview=None if input_preview == description else input_preview,
            output_preview=self._output_preview(call),
            error=error,
            tool_call=present(tool_name=call.tool, duration_ms=duration),
        )

    def _output_preview(self, call: ToolCall) -> str | None:
        """Return a preview of the output. That of a failed call is longer and has more of the end."""
        if call.failed:
            return self._renderer.preview(call.output, self._options.max_failure_preview, tail=_TAIL_OF_FAILURE)
        return self._renderer.preview(call.output, self._options.max_output_preview)

    def _tool_description(self, call: ToolCall, arguments: Arguments) -> str:
        command = arguments.get("command") if isinstance(arguments, Mapping) else None
        if isinstance(command, str):
            return self._renderer.first_line(command, _LINE) or call.tool
        if call.changes:
            names = ", ".join(relative_path(change.path, self._cwd) for change in call.changes)
            return f"{call.tool}: {names}"[:_DESCRIPTION]
        return call.tool

    def _tool_error(self, call: ToolCall) -> Payload:
        reason = failure_reason(self._renderer.text(call.output))
        if call.exit_code is not None:
            message = f"{call.tool} ended with exit code {call.exit_code}"
            if reason:
                message += f": {preview(reason, _ERROR_LINE)}"
            elif call.output is not None and not call.output.strip():
                message += ", without output"
            return self._add_error("CommandFailed", message, str(call.exit_code))
        error = self._renderer.text(call.error)
        if len(error) > _ERROR_LINE:
            error = failure_reason(error)
        return self._add_error("ToolFailed", error or reason or f"{call.tool} failed")

    def _add_error(self, kind: str, message: str, code: str | None = None, *, of_turn: bool = False) -> Payload:
        """Return the error of the next step, and list it in short. A turn's error has no step and is listed whole."""
        text = message if code else preview(message, _ERROR_LINE)
        error = present(error_type=kind, message=text, recoverable=True, error_code=code)
        if not (self._undone and self._of_session):
            listed = error if of_turn else {**error, "message": f"Step {self._count + 1}: {clip(text, _LINE)}"}
            self.errors.add(self._renderer.redacted(listed))
        return error


def _lines(changes: TreeChanges) -> list[tuple[int | None, int | None]]:
    """Return the lines added and removed of each file."""
    return [(0, 0), *((change.lines_added, change.lines_removed) for change in changes.files)]


def _tokens(usage: TokenUsage, calls: int) -> Payload:
    """Return a subagent's own tokens; nothing if no record reports them."""
    if not calls:
        return {}
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "cached_tokens": usage.cached,
        "reasoning_tokens": usage.reasoning,
        "model_calls": calls,
    }
