"""Builds a tool call from the events that report it."""

from collections.abc import Mapping

from msgspec import Struct, field

from infinium_trace._merged_values import MergedValues
from infinium_trace.events import EventSource, ToolFinished, ToolStarted
from infinium_trace.session import ToolCall

KILLED = -1
"""Exit code of a background command that the agent killed on exit."""


class ToolCallBuilder(Struct):
    """A tool call that more events may still add to."""

    call_id: str
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    still_running: bool = False
    background: bool = False
    refused: bool = False
    aborted: bool = False
    output_parts: dict[tuple[int, str], None] = field(default_factory=dict)
    """Parts of the output after its beginning, by time."""
    values: MergedValues = field(default_factory=MergedValues)

    def start(self, event: ToolStarted) -> None:
        """Add the start of the call."""
        if self.started_at_ms is None:
            self.started_at_ms = event.at_ms
        arguments = dict(event.arguments) if isinstance(event.arguments, Mapping) else event.arguments
        # The first record of a call has the model's own arguments; later records are derived from it.
        options = dict(event.options) if event.options else None
        self.values.merge(event, first=True, tool=event.tool, arguments=arguments, options=options)

    def finish(self, event: ToolFinished) -> None:
        """Add a result of the call, or a part of it."""
        self._set_end(event)
        self.background |= event.still_running
        self.refused |= event.refused
        self.aborted |= event.aborted
        if event.output_continues:
            self.output_parts[event.at_ms, event.output or ""] = None
        elif event.still_running:
            self.values.merge(event, beginning=event.output)
        else:
            self.values.merge(event, output=event.output)
        if not event.still_running:
            # The first record of an ended command has the agent's exact measurement; later texts repeat it rounded.
            duration = None if event.duration_ms is None else float(event.duration_ms)
            self.values.merge(event, first=True, duration_ms=duration)
        self.values.merge(
            event,
            tool=event.tool,
            exit_code=event.exit_code,
            failed=event.failed,
            error=event.error,
            cwd=event.cwd,
            parent_call_id=event.parent_call_id,
            waits_for=event.waits_for,
            changes=tuple(event.changes) or None,
        )

    def _set_end(self, event: ToolFinished) -> None:
        """Set the end to the time of the first record of it: hooks and the model's copy come later."""
        if self.still_running and event.source is EventSource.HOOK:
            return  # the hook of a background command runs when the agent continues without it
        if self.ended_at_ms is not None and self.background and not self.still_running:
            return  # a record after the end of a background command does not restart it
        if self.ended_at_ms is None or self.still_running or event.still_running:
            self.ended_at_ms = event.at_ms
        self.still_running = event.still_running

    def build(self) -> ToolCall:
        """Return the tool call as the events so far report it."""
        started = self.started_at_ms if self.started_at_ms is not None else self.ended_at_ms or 0
        get = self.values.get
        return ToolCall(
            call_id=self.call_id,
            tool=get("tool", str) or "unknown",
            started_at_ms=started,
            ended_at_ms=self.ended_at_ms,
            duration_ms=self._duration(started),
            arguments=get("arguments", dict) or get("arguments", str),
            options=get("options", dict),
            output=self._output(),
            exit_code=get("exit_code", int),
            failed=self._failed(),
            error=get("error", str),
            refused=self.refused,
            aborted=self.aborted,
            cwd=get("cwd", str),
            changes=get("changes", tuple) or (),
            finished=self.ended_at_ms is not None and not self.still_running,
            background=self.background,
            parent_call_id=get("parent_call_id", str),
            waits_for=get("waits_for", str),
        )

    def _failed(self) -> bool:
        if self.refused or self.aborted:
            return False  # the user decided it
        exit_code = self.values.get("exit_code", int)
        if exit_code is None:
            return bool(self.values.get("failed", bool) or self.values.get("error", str))
        if self.background and exit_code == KILLED:
            return False  # the command was meant to keep running
        return exit_code != 0

    def _duration(self, started: int) -> float | None:
        """Return the measured duration, at most the time from start to end, in milliseconds."""
        if self.values.get("waits_for", str) is not None:
            return None
        measured = self.values.get("duration_ms", float)
        if self.ended_at_ms is None:
            return measured
        elapsed = float(max(self.ended_at_ms - started, 0))
        return elapsed if measured is None else min(measured, elapsed)

    def _output(self) -> str | None:
        """Return the whole output of one record, else its parts in order of time."""
        whole = self.values.get("output", str, source=EventSource.TRANSCRIPT)
        beginning = self.values.get("beginning", str)
        if beginning is None:
            return whole if whole is not None else self.values.get("output", str)
        if whole is not None and whole.startswith(beginning):
            return whole
        rest = "".join(text for _, text in sorted(self.output_parts))
        return beginning + (rest or whole or "")
