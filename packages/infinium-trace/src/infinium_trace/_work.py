"""What a turn and a subagent have in common: tool calls, messages, compactions, permission requests, in the making."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest

from msgspec import Struct, field
from msgspec.structs import replace

from infinium_trace._facts import Facts
from infinium_trace.events import (
    AssistantSaid,
    Compacted,
    Event,
    EventSource,
    PermissionAsked,
    ToolFinished,
    ToolStarted,
)
from infinium_trace.session import Answer, Compaction, Message, PermissionRequest, Step, ToolCall

KILLED = -1
"""The exit code of a command in the background that the agent ended when it went."""


class _ToolBuilder(Struct):
    call_id: str
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    still_running: bool = False
    background: bool = False
    refused: bool = False
    aborted: bool = False
    continued: dict[tuple[int, str], None] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def start(self, event: ToolStarted) -> None:
        if self.started_at_ms is None:
            self.started_at_ms = event.at_ms
        # The first record of a call is the model's own words; what comes later was made of them.
        self.facts.tell(event, first=True, tool=event.tool, arguments=_plain(event.arguments))

    def finish(self, event: ToolFinished) -> None:
        self._end(event)
        self.background |= event.still_running
        self.refused |= event.refused
        self.aborted |= event.aborted
        if event.output_continues:
            self.continued[event.at_ms, event.output or ""] = None
        elif event.still_running:
            self.facts.tell(event, beginning=event.output)
        else:
            self.facts.tell(event, output=event.output)
        if not event.still_running:
            # The first record of an ended command is the agent's own measurement; its text repeats it rounded.
            duration = None if event.duration_ms is None else float(event.duration_ms)
            self.facts.tell(event, first=True, duration_ms=duration)
        self.facts.tell(
            event,
            tool=event.tool,
            exit_code=event.exit_code,
            failed=event.failed,
            error=event.error,
            cwd=event.cwd,
            parent_call_id=event.parent_call_id,
            changes=tuple(event.changes) or None,
        )

    def _end(self, event: ToolFinished) -> None:
        """The first record of an end dates it: hooks, and what the model is told, come later."""
        if self.still_running and event.source is EventSource.HOOK:
            return  # the hook of a command in the background runs when the agent goes on without it
        if self.ended_at_ms is not None and self.background and not self.still_running:
            return  # what is heard of it after its end does not make it run again
        if self.ended_at_ms is None or self.still_running or event.still_running:
            self.ended_at_ms = event.at_ms
        self.still_running = event.still_running

    def build(self) -> ToolCall:
        started = self.started_at_ms if self.started_at_ms is not None else self.ended_at_ms or 0
        exit_code, error = self.facts.get("exit_code", int), self.facts.get("error", str)
        failed = exit_code != 0 if exit_code is not None else bool(self.facts.get("failed", bool) or error)
        if self.background and exit_code == KILLED:
            failed = False  # it was meant to run on
        duration = self.facts.get("duration_ms", float)
        if self.ended_at_ms is not None:
            elapsed = float(max(self.ended_at_ms - started, 0))
            duration = elapsed if duration is None else min(duration, elapsed)
        return ToolCall(
            call_id=self.call_id,
            tool=self.facts.get("tool", str) or "unknown",
            started_at_ms=started,
            ended_at_ms=self.ended_at_ms,
            duration_ms=duration,
            arguments=self.facts.get("arguments", dict) or self.facts.get("arguments", str),
            output=self._output(),
            exit_code=exit_code,
            failed=failed,
            error=error,
            refused=self.refused,
            aborted=self.aborted,
            cwd=self.facts.get("cwd", str),
            changes=self.facts.get("changes", tuple) or (),
            finished=self.ended_at_ms is not None and not self.still_running,
            background=self.background,
            parent_call_id=self.facts.get("parent_call_id", str),
        )

    def _output(self) -> str | None:
        """All of it as one record tells it, else the pieces of it in the order they came."""
        whole = self.facts.get("output", str, of=EventSource.TRANSCRIPT)
        beginning = self.facts.get("beginning", str)
        if beginning is None:
            return whole if whole is not None else self.facts.get("output", str)
        if whole is not None and whole.startswith(beginning):
            return whole
        rest = "".join(text for _, text in sorted(self.continued))
        return beginning + (rest or whole or "")


class WorkBuilder:
    """Collects the steps of a turn or a subagent."""

    def __init__(self, started_at_ms: int) -> None:
        self.started_at_ms = started_at_ms
        self.ended_at_ms: int | None = None
        self.facts = Facts()
        self._tools: dict[str, _ToolBuilder] = {}
        self._messages: dict[str, Message] = {}
        self._compacted: dict[tuple[str, EventSource], list[Compacted]] = {}
        self._asked: dict[str, PermissionAsked] = {}

    def _tool(self, call_id: str) -> _ToolBuilder:
        return self._tools.setdefault(call_id, _ToolBuilder(call_id))

    def add(self, event: Event) -> None:
        """Take in one event of the work; the ones it does not know are the caller's."""
        match event:
            case ToolStarted():
                self._tool(event.call_id).start(event)
            case ToolFinished():
                self._tool(event.call_id).finish(event)
            case AssistantSaid():
                self._messages.setdefault(
                    event.message_id or event.text, Message(started_at_ms=event.at_ms, text=event.text)
                )
            case Compacted():
                known = self._compacted.setdefault((event.phase, event.source), [])
                if event not in known:
                    known.append(event)
            case PermissionAsked():
                self._asked.setdefault(repr(event), event)
            case _:
                pass

    def _compactions(self) -> list[Compaction]:
        """The first start, and each source's first end, are one compaction's, the second ones the next one's."""
        starts = self._compacted.get(("started", EventSource.HOOK), [])
        ends = [self._compacted.get(("finished", source), []) for source in (EventSource.TRANSCRIPT, EventSource.HOOK)]
        found = []
        for start, *seen in zip_longest(starts, *ends):
            known = [event for event in (start, *seen) if event is not None]
            ended = next((event.at_ms for event in seen if event is not None), None)
            found.append(
                Compaction(
                    started_at_ms=known[0].at_ms,
                    duration_ms=None if start is None or ended is None else float(max(ended - start.at_ms, 0)),
                    trigger=next((event.trigger for event in known if event.trigger), None),
                    summary=next((event.summary for event in known if event.summary), None),
                )
            )
        return found

    def steps(self, last_message: str | None) -> list[Step]:
        """The steps so far. The last message is the turn's own, and a compaction's summary nobody was told."""
        calls = [tool.build() for tool in self._tools.values()]
        compactions = self._compactions()
        unsaid = [compaction.summary for compaction in compactions if compaction.summary]
        said = [
            message
            for message in self._messages.values()
            if message.text != last_message and not any(summary.endswith(message.text) for summary in unsaid)
        ]
        return [*calls, *said, *compactions, *(_request(asked, calls) for asked in self._asked.values())]


def _request(asked: PermissionAsked, calls: Iterable[ToolCall]) -> PermissionRequest:
    """The request with the call it was for, and what became of it."""
    request = PermissionRequest(started_at_ms=asked.at_ms, tool=asked.tool, arguments=asked.arguments)
    fits = [
        call
        for call in calls
        if call.tool == asked.tool
        and call.started_at_ms <= asked.at_ms <= (asked.at_ms if call.ended_at_ms is None else call.ended_at_ms)
        and _command(call.arguments) == _command(request.arguments)
    ]
    if not fits:
        return request
    call = max(fits, key=lambda call: call.started_at_ms)
    request = replace(request, call_id=call.call_id)
    if call.ended_at_ms is None:
        return request
    waited = float(call.ended_at_ms - asked.at_ms)
    if call.refused or call.aborted:
        return replace(request, answer=Answer.REFUSED if call.refused else Answer.NOT_RUN, waited_ms=waited)
    ran = None if call.background else call.duration_ms
    return replace(request, answer=Answer.GRANTED, waited_ms=None if ran is None else max(waited - ran, 0.0))


def _command(arguments: object) -> object:
    """What tells two calls of a tool apart though one source adds a description to the arguments."""
    return arguments.get("command", arguments) if isinstance(arguments, Mapping) else arguments


def _plain(arguments: object) -> object:
    return dict(arguments) if isinstance(arguments, Mapping) else arguments


def in_time(steps: list[Step]) -> tuple[Step, ...]:
    """The steps in the order they began."""
    return tuple(sorted(steps, key=lambda step: step.started_at_ms))
