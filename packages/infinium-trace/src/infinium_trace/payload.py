"""Writes the Infinium API's payload of a turn or a session. Absent values are left out, never null."""

from collections.abc import Mapping, Sequence

from infinium_trace._bounded import BoundedText
from infinium_trace._format import Payload, count, iso_time, present
from infinium_trace._renderer import Renderer
from infinium_trace._step_writer import StepWriter
from infinium_trace._totals import Totals
from infinium_trace.context import TraceContext
from infinium_trace.languages import languages_of
from infinium_trace.options import TraceOptions
from infinium_trace.session import Compaction, Session, ToolCall, Turn
from infinium_trace.tree_changes import TreeChanges, merged_changes, patches_of

MAX_NAME = 500
MAX_DESCRIPTION = 10_000
MAX_DURATION_SECONDS = 86_400.0
_TITLE = 80
_TAIL = 0.3
"""Share of a truncated prompt or last message that is taken from its end."""


class PayloadWriter:
    """Writes one payload. With `bounded`, it keeps no more of a long session than fits into a body."""

    def __init__(self, context: TraceContext, options: TraceOptions, *, bounded: bool) -> None:
        self.context, self.options, self._of_session = context, options, bounded
        self.session = Session()
        self.redactor = options.redactor()
        self.renderer = Renderer(self.redactor, metadata_only=options.metadata_only)
        self.steps = StepWriter(self.renderer, options, bounded=bounded)
        self.totals = Totals(options, self.renderer, of_session=bounded)
        self._description = BoundedText("; ", MAX_DESCRIPTION)

    def title(self, turn: Turn) -> str:
        """Return the first line of the prompt, else a title for a turn without a prompt."""
        line = self.renderer.first_line(turn.prompt, min(_TITLE, self.options.max_input_summary))
        if not line and turn.prompt is None and any(isinstance(step, Compaction) for step in turn.steps):
            return "Conversation compacted"
        return line or f"Turn {turn.id}"

    def add(self, session: Session, turns: Sequence[Turn], trees: Mapping[str, TreeChanges] | None = None) -> None:
        """Add turns, with the session as it was read with them.

        `trees` has what turns changed in their checkouts, by the turns' ids. For a single turn the context has it.
        """
        self.session = session
        if self.context.changes is not None:
            trees = {turn.id: self.context.changes for turn in turns}
        trees = trees or {}
        for turn, test_run in zip(turns, self.totals.add(session, turns, trees), strict=True):
            changes = merged_changes(turn.changes, trees.get(turn.id), turn.cwd or session.cwd)
            self._description.add(_describe(turn, len(changes), test_run))
        self.steps.write(turns, session.cwd)
        if not self._of_session:
            self._write_changes(turns[0], session.cwd)
        self.renderer.clear_cache()

    def _write_changes(self, turn: Turn, cwd: str | None) -> None:
        """Add a step for what the turn changed in its checkout, else for its patches."""
        limit = self.options.max_input_preview
        changes = self.context.changes or patches_of(turn, turn.cwd or cwd, limit)
        if changes is not None:
            self.steps.write_changes(changes)

    def payload(self, title: str, tags: Mapping[str, str]) -> Payload:
        """Return the payload of the turns so far. `tags` are added to its custom tags."""
        totals = self.totals
        ended = max(totals.ended_at_ms, totals.started_at_ms or 0)
        prompts, last_messages = self._summary(totals.prompts), self._summary(totals.last_messages)
        head = present(
            name=title[:MAX_NAME],
            description=self._description.preview(),
            current_datetime=iso_time(ended),
            duration=min(max(totals.duration_ms / 1000, 0.0), MAX_DURATION_SECONDS),
            input_summary=prompts,
            output_summary=last_messages,
            expected_outcome=self._expected_outcome(),
        )
        tail = present(
            llm_usage=totals.tokens.payload(totals.models, self.session.provider),
            sections=self._sections(totals.started_at_ms or 0, ended),
        )
        return {
            **self.renderer.redacted(head),
            **present(
                steps=self.steps.steps.steps(), errors=self.steps.errors.errors()
            ),  # redacted when they were added
            **self.renderer.redacted(tail),
            "environment": self._environment(tags),
        }

    @property
    def left_out(self) -> dict[str, int]:
        """The number of steps, errors and model calls that a bounded writer did not keep."""
        found = {
            "steps_left_out": self.steps.steps.left_out,
            "errors_left_out": self.steps.errors.left_out,
            "calls_left_out": self.totals.tokens.left_out,
        }
        return {what: number for what, number in found.items() if number}

    def _expected_outcome(self) -> Payload:
        """Return what the user asked for, and what the project's own file demands."""
        rubric = self.totals.rubric
        if self.context.acceptance:
            rubric.add_acceptance(self.renderer.text(self.context.acceptance), self.context.acceptance_file)
        return rubric.payload()

    def _summary(self, text: BoundedText) -> str | None:
        self.renderer.truncated += text.is_truncated
        return text.preview(tail=_TAIL) or None

    def _sections(self, started: int, ended: int) -> Payload:
        totals = self.totals
        files = totals.files
        return present(
            development=present(
                programming_language=", ".join(languages_of(files)) or None,
                files_modified=files,
                tests_run=totals.tests.run,
                tests_passed=totals.tests.passed,
            ),
            general=present(
                tools_used=sorted(totals.tools),
                warnings=totals.warnings,
                tags=[self.options.program, *self.options.tags],
            ),
            time_tracking=present(start_time=iso_time(started), end_time=iso_time(ended)),
            project=present(project_name=self.context.project_name),
        )

    def _environment(self, tags: Mapping[str, str]) -> Payload:
        runtime = self.context.runtime
        found = present(
            framework=self.options.program,
            framework_version=self.session.client_version,
            sdk_version=self.options.version,
            python_version=runtime.rpartition(" ")[2] if runtime else None,
            runtime=runtime,
        )
        totals = self.totals
        turn = totals.last_turn or Turn(id="", started_at_ms=0)
        custom = {
            **self._session_tags(turn),
            **self._git_tags(),
            **self._change_tags(),
            **self._work_tags(turn),
            **totals.tests.tags(),
            **self._token_tags(turn),
            **self._time_tags(),
            **_condition_tags(turn),
            **self._source_tags(),
            **tags,
            **self.options.custom_tags,
        }
        found, custom = self.renderer.redacted(found), self.renderer.redacted(custom)
        if self.redactor.counts:
            counts = sorted(self.redactor.counts.items())
            custom["redacted"] = ", ".join(f"{kind}: {number}" for kind, number in counts)
        return {**found, "custom_tags": custom}

    def _session_tags(self, turn: Turn) -> Payload:
        return present(
            session=self.context.session_id,
            status=", ".join(self.totals.statuses),
            cwd=turn.cwd or self.session.cwd,
        )

    def _git_tags(self) -> Payload:
        """Return branch and commits: those of the checkout, else those that the session started with."""
        context, session, totals = self.context, self.session, self.totals
        before = context.commit_at(totals.started_at_ms or 0)
        after = context.commit_at(totals.ended_at_ms) or context.git_commit or session.git_commit
        return present(
            git_branch=context.git_branch if context.git_branch or context.git_commit else session.git_branch,
            git_commit=after,
            git_commit_before=before if before != after else None,
        )

    def _change_tags(self) -> Payload:
        """Return the lines that changed and the state of the work tree, for which the API has no fields."""
        totals, changes = self.totals, self.context.changes
        if not totals.files:
            lines: Payload = {}
        else:
            lines = {"lines_added": str(totals.lines_added), "lines_removed": str(totals.lines_removed)}
        dirty = None if changes is None or changes.is_dirty is None else str(changes.is_dirty).lower()
        return {**lines, **present(git_dirty=dirty)}

    def _work_tags(self, turn: Turn) -> Payload:
        totals = self.totals
        return present(
            permission_mode=turn.permission_mode or self.session.permission_mode,
            models=", ".join(totals.models),
            originator=self.session.originator,
            turns_undone=str(totals.undone) if totals.undone else None,
            stop_hook_continuations=str(totals.continuations) if totals.continuations else None,
        )

    def _token_tags(self, turn: Turn) -> Payload:
        """Return numbers for which the API has no field."""
        tokens = self.totals.tokens
        return present(
            cost_estimated_by=None if tokens.cost is None else f"list prices of {self.options.prices.as_of}",
            cost_unknown_for=", ".join(tokens.unpriced),
            cached_tokens=str(tokens.usage.cached) if tokens.count else None,
            reasoning_tokens=str(tokens.usage.reasoning) if tokens.count else None,
            first_token_ms=None if turn.first_token_ms is None else str(turn.first_token_ms),
        )

    def _time_tags(self) -> Payload:
        """Return how the turns spent their time, in milliseconds."""
        time = self.totals.time
        if time is None:
            return {}
        return {
            "time_model_ms": str(round(time.model)),
            "time_tools_ms": str(round(time.tools)),
            "time_permission_ms": str(round(time.permission)),
            "time_other_ms": str(round(time.other)),
        }

    def _source_tags(self) -> Payload:
        truncated = self.renderer.truncated
        return present(
            sources=", ".join(sorted(self.totals.sources)),
            expected_outcome_from=", ".join(self.totals.rubric.sources),
            os=self.context.os,
            redaction=self.options.redaction,
            previews_cut=str(truncated) if truncated else None,
        )


def _condition_tags(turn: Turn) -> Payload:
    """Return the conditions of a turn: effort, sandbox, approval, model before, context and limits used."""
    used = turn.context_used
    return present(
        effort=turn.effort,
        sandbox=turn.sandbox,
        approval=turn.approval,
        previous_model=turn.previous_model,
        context_window=None if turn.context_window is None else str(turn.context_window),
        context_used=None if used is None else str(used),
        rate_limits=turn.limits,
    )


def _outcomes(calls: Sequence[ToolCall]) -> str:
    """Return how many calls failed, and how many the user refused or interrupted."""
    numbers = {
        "failed": sum(call.failed for call in calls),
        "refused": sum(call.refused for call in calls),
        "interrupted": sum(call.aborted and not call.refused for call in calls),
    }
    found = ", ".join(f"{number} {what}" for what, number in numbers.items() if number)
    return f" ({found})" if found else ""


def _describe(turn: Turn, files: int, test_run: str | None) -> str:
    """Return one line on a turn for a list of traces: status, tool calls, subagents, files, tests, tokens."""
    # A call that ran other calls (a program of tool calls) is not counted: its work is that of the other calls.
    callers = {call.parent_call_id for call in turn.tool_calls}
    calls = [call for call in turn.tool_calls if call.call_id not in callers]
    parts = [
        f"{turn.status.value} turn{' (undone)' if turn.undone else ''}",
        count(len(calls), "tool call") + _outcomes(calls),
    ]
    if turn.plan:
        parts.append("proposed a plan")
    if turn.continuations:
        parts.append(f"continued {count(turn.continuations, 'time')} by a stop hook")
    if turn.subagents:
        parts.append(count(len(turn.subagents), "subagent"))
    if files:
        parts.append(f"{count(files, 'file')} changed")
    if test_run:
        parts.append(test_run)
    if turn.calls:
        usage = turn.usage
        parts.append(
            f"{usage.prompt:,} prompt ({usage.cached:,} cached) and {usage.completion:,} completion"
            f" ({usage.reasoning:,} reasoning) tokens in {count(len(turn.calls), 'model call')}"
        )
    return ", ".join(parts)
