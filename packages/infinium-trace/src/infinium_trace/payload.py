"""A turn, or a session, as the Infinium API's trace payload. Absent values are left out, never null."""

from collections.abc import Mapping, Sequence

from infinium_trace._kept import KeptText
from infinium_trace._shown import Payload, Shown, count, iso, present
from infinium_trace._steps import StepWriter
from infinium_trace._totals import Totals
from infinium_trace.context import TraceContext
from infinium_trace.languages import languages_of
from infinium_trace.options import TraceOptions
from infinium_trace.session import Compaction, Session, Turn

MAX_NAME = 500
MAX_DESCRIPTION = 10_000
MAX_DURATION_SECONDS = 86_400.0
_NAME = 80
_MARK = 40
"""Room for a preview's mark."""


class PayloadWriter:
    """Writes one payload. With `bounded`, it keeps no more of a long session than fits into a body."""

    def __init__(self, context: TraceContext, options: TraceOptions, *, bounded: bool) -> None:
        self.context, self.options = context, options
        self.session = Session()
        self.redactor = options.redactor()
        self.shown = Shown(self.redactor, metadata_only=options.metadata_only)
        self.steps = StepWriter(self.shown, options, bounded=bounded)
        self.totals = Totals(options, self.shown)
        self._description = KeptText("; ", MAX_DESCRIPTION)

    def title(self, turn: Turn) -> str:
        line = self.shown.first_line(turn.prompt, _NAME)
        if not line and turn.prompt is None and any(isinstance(step, Compaction) for step in turn.steps):
            return "Conversation compacted"
        return line or f"Turn {turn.id}"

    def add(self, session: Session, turns: Sequence[Turn]) -> None:
        self.session = session
        for turn in turns:
            self._description.add(_says(turn))
        self.totals.add(session, turns)
        self.steps.write(turns, session.cwd)
        self.shown.forget()

    def payload(self, title: str, tags: Mapping[str, str]) -> Payload:
        totals = self.totals
        ended = max(totals.ended_at_ms, totals.started_at_ms or 0)
        prompt, words = self._short(totals.prompts), self._short(totals.words)
        head = self.shown.redacted(
            present(
                name=title[:MAX_NAME],
                description=self._description.shown(MAX_DESCRIPTION - _MARK),
                current_datetime=iso(ended),
                duration=min(max(totals.duration_ms / 1000, 0.0), MAX_DURATION_SECONDS),
                input_summary=prompt,
                output_summary=words,
                expected_outcome={"task_objective": prompt} if prompt else None,
            )
        )
        work = present(steps=self.steps.steps.steps(), errors=self.steps.errors.errors())
        about = self.shown.redacted(
            present(
                llm_usage=totals.tokens.payload(totals.models, self.session.provider),
                sections=self._sections(totals.started_at_ms or 0, ended),
            )
        )
        return {**head, **work, **about, "environment": self._environment(tags)}

    @property
    def left_out(self) -> dict[str, int]:
        """The number of steps, errors and model calls that a bounded writer did not keep."""
        found = {
            "steps_left_out": self.steps.steps.left_out,
            "errors_left_out": self.steps.errors.left_out,
            "calls_left_out": self.totals.tokens.left_out,
        }
        return {what: number for what, number in found.items() if number}

    def _short(self, text: KeptText) -> str | None:
        self.shown.cut += text.is_cut
        return text.shown() or None

    def _sections(self, started: int, ended: int) -> Payload:
        totals = self.totals
        files = totals.files
        runs = totals.tests.values()
        return present(
            development=present(
                programming_language=", ".join(languages_of(files)) or None,
                files_modified=files,
                tests_run=sum(run.run for run in runs) if runs else None,
                tests_passed=sum(run.passed for run in runs) if runs else None,
            ),
            general=present(
                tools_used=sorted(totals.tools),
                warnings=totals.warnings,
                tags=[self.options.program, *self.options.tags],
            ),
            time_tracking=present(start_time=iso(started), end_time=iso(ended)),
            project=present(project_name=self.context.project_name),
        )

    def _environment(self, tags: Mapping[str, str]) -> Payload:
        session, context, options, totals = self.session, self.context, self.options, self.totals
        last, usage = totals.last, totals.tokens.usage
        told = totals.tokens.count > 0
        before = context.commit_at(totals.started_at_ms or 0)
        after = context.commit_at(totals.ended_at_ms) or context.git_commit or session.git_commit
        custom = present(
            session=context.session_id,
            status=", ".join(totals.statuses),
            cwd=(last.cwd if last else None) or session.cwd,
            git_branch=context.git_branch if context.git_branch or context.git_commit else session.git_branch,
            git_commit=after,
            git_commit_before=before if before != after else None,
            permission_mode=(last.permission_mode if last else None) or session.permission_mode,
            models=", ".join(totals.models),
            originator=session.originator,
            stop_hook_continuations=str(totals.continuations) if totals.continuations else None,
            cost_estimated_by=None if totals.tokens.cost is None else f"list prices of {options.prices.as_of}",
            cached_tokens=str(usage.cached) if told else None,
            reasoning_tokens=str(usage.reasoning) if told else None,
            first_token_ms=str(last.first_token_ms) if last and last.first_token_ms is not None else None,
            sources=", ".join(sorted(totals.sources)),
            os=context.os,
            redaction=options.redaction,
            previews_cut=str(self.shown.cut) if self.shown.cut else None,
        )
        found = self.shown.redacted(
            present(
                framework=options.program,
                framework_version=session.client_version,
                sdk_version=options.version,
                python_version=context.runtime.rpartition(" ")[2] if context.runtime else None,
                runtime=context.runtime,
            )
        )
        custom = self.shown.redacted({**custom, **tags, **options.custom_tags})
        if self.redactor.counts:
            counts = sorted(self.redactor.counts.items())
            custom["redacted"] = ", ".join(f"{kind}: {number}" for kind, number in counts)
        return {**found, "custom_tags": custom}


def _says(turn: Turn) -> str:
    """What a reader of the list wants to know of a turn, in a line."""
    callers = {call.parent_call_id for call in turn.tool_calls}
    calls = [call for call in turn.tool_calls if call.call_id not in callers]  # a program's work is its calls'
    failed = sum(call.failed for call in calls)
    parts = [f"{turn.status.value} turn", count(len(calls), "tool call") + (f" ({failed} failed)" if failed else "")]
    if turn.continuations:
        parts.append(f"continued {count(turn.continuations, 'time')} by a stop hook")
    if turn.subagents:
        parts.append(count(len(turn.subagents), "subagent"))
    if turn.changes:
        parts.append(f"{count(len(turn.changes), 'file')} changed")
    if turn.calls:
        usage = turn.usage
        parts.append(
            f"{usage.prompt:,} prompt ({usage.cached:,} cached) and {usage.completion:,} completion"
            f" ({usage.reasoning:,} reasoning) tokens in {count(len(turn.calls), 'model call')}"
        )
    return ", ".join(parts)
