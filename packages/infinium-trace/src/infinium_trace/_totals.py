"""What the turns of a payload amount to, taken in turn by turn: a long session is never whole in memory."""

from collections.abc import Iterable, Mapping, Sequence

from infinium_trace._kept import KeptText
from infinium_trace._shown import Payload, Shown, count, present, relative
from infinium_trace.events import EventSource, TokenUsage
from infinium_trace.fit import MAX_BODY_BYTES, size_of
from infinium_trace.options import TraceOptions
from infinium_trace.prices import PriceTable
from infinium_trace.runner_output import RunOfTests, test_runs
from infinium_trace.session import ModelCall, Session, Turn

_MOST_FILE_BYTES = MAX_BODY_BYTES // 2
_MOST_DISAGREEMENTS = 100


class Totals:
    """Sums and lists over the turns so far."""

    def __init__(self, options: TraceOptions, shown: Shown) -> None:
        self._prices, self._shown = options.prices, shown
        self.turns = 0
        self.last: Turn | None = None
        self.started_at_ms: int | None = None
        self.ended_at_ms = 0
        self.duration_ms = 0.0
        self.prompts = KeptText("\n\n", options.max_input_summary)
        self.words = KeptText("\n\n", options.max_output_summary)
        self.models: dict[str, None] = {}
        self.statuses: dict[str, None] = {}
        self.tools: dict[str, None] = {}
        self.continuations = 0
        self.tests: dict[int, RunOfTests] = {}
        """By a hash of the command: of one that was run again only the last run counts."""
        self.sources: frozenset[EventSource] = frozenset()
        self.tokens = Tokens()
        self._files: dict[str, None] = {}
        self._file_bytes = 0
        self._disagreements: list[str] = []
        self._more: dict[str, int] = {}
        self._skipped: dict[str, int] = {}

    def add(self, session: Session, turns: Sequence[Turn]) -> None:
        """Take in more turns, of the same session as it was read this time."""
        self.sources |= session.sources
        for kind, number in session.skipped.items():
            self._skipped[kind] = self._skipped.get(kind, 0) + number
        for turn in turns:
            self._add(turn, session)
        self.tokens.add([call for turn in turns for call in turn.calls], session.provider, self._prices)

    def _add(self, turn: Turn, session: Session) -> None:
        self.turns += 1
        self.last = turn
        started = turn.started_at_ms if self.started_at_ms is None else min(self.started_at_ms, turn.started_at_ms)
        self.started_at_ms = started
        self.ended_at_ms = max(self.ended_at_ms, turn.ended_at_ms or turn.started_at_ms)
        self.duration_ms += turn.duration_ms or 0.0
        self.continuations += turn.continuations
        for text, kept in ((turn.prompt, self.prompts), (turn.last_message, self.words)):
            if shown := self._shown.text(text):
                kept.add(shown)
        self.models |= dict.fromkeys(turn.models)
        self.statuses.setdefault(turn.status.value)
        self.tools |= dict.fromkeys(call.tool for call in turn.tool_calls)
        for change in turn.changes:
            self._add_file(relative(change.moved_to or change.path, turn.cwd or session.cwd))
        for what in turn.disagreements:
            self._note(self._disagreements, _MOST_DISAGREEMENTS, what)
        commands = (
            (str(call.arguments), call.output) for call in turn.tool_calls if call.output and call.exit_code is not None
        )
        self.tests |= {hash(command): run for command, run in test_runs(commands)}

    def _add_file(self, path: str) -> None:
        if path in self._files:
            return
        if self._file_bytes > _MOST_FILE_BYTES:
            self._more["change"] = self._more.get("change", 0) + 1
            return
        self._files[path] = None
        self._file_bytes += len(path)

    def _note(self, noted: list[str], most: int, what: str) -> None:
        if len(noted) < most:
            noted.append(what)
        else:
            self._more["disagreement"] = self._more.get("disagreement", 0) + 1

    @property
    def files(self) -> list[str]:
        """Paths of the changed files, below their turn's directory (or the session's) without it."""
        return sorted(self._files)

    @property
    def warnings(self) -> list[str]:
        """What a reader has to know who relies on this."""
        found = [f"The sources disagree on {what}." for what in self._disagreements]
        if more := self._more.get("disagreement"):
            found.append(f"{count(more, 'disagreement')} of the sources not listed.")
        if more := self._more.get("change"):
            found.append(f"{count(more, 'file change')} not listed.")
        found += [f"{count(number, 'record')} skipped: {kind}" for kind, number in sorted(self._skipped.items())]
        if EventSource.TRANSCRIPT not in self.sources:
            found.append("No transcript: tokens, exit codes and exact durations are not known.")
        return found


class Tokens:
    """What the model's responses cost."""

    def __init__(self) -> None:
        self.usage = TokenUsage()
        self.count = 0
        self.left_out = 0
        self._latency_ms: int | None = None
        self._cost: float | None = 0.0
        self._calls: list[Payload] = []
        self._bytes = 0

    def add(self, calls: Iterable[ModelCall], provider: str | None, prices: PriceTable) -> None:
        """Take in more responses."""
        calls = list(calls)
        if not calls:
            return
        self.usage = sum((call.usage for call in calls), self.usage)
        latencies = [call.latency_ms for call in calls if call.latency_ms is not None]
        if latencies:
            self._latency_ms = (self._latency_ms or 0) + sum(latencies)
        cost = prices.estimate(calls, provider)
        self._cost = None if cost is None or self._cost is None else self._cost + cost
        self._list(calls, provider, first=not self.count)
        self.count += len(calls)

    def _list(self, calls: list[ModelCall], provider: str | None, *, first: bool) -> None:
        if self.left_out:
            self.left_out += len(calls)
            return
        shown = [_call(call, provider) for call in calls]
        self._calls += shown
        if first:
            return  # most payloads tell of one turn and have no need to be measured
        self._bytes += size_of(shown)
        if self._bytes > MAX_BODY_BYTES:  # they go all together where there is no room
            self.left_out, self._calls = len(self._calls), []

    @property
    def cost(self) -> float | None:
        """In dollars; None where the price of a response is not known."""
        return round(self._cost, 6) if self._cost else None

    def payload(self, models: Mapping[str, None], provider: str | None) -> Payload | None:
        """As the API wants it."""
        if not self.count and not models:
            return None
        told = self.count > 0
        return present(
            model=next(iter(models), None),
            provider=provider,
            prompt_tokens=self.usage.prompt if told else None,
            completion_tokens=self.usage.completion if told else None,
            total_tokens=self.usage.total if told else None,
            estimated_cost_usd=self.cost,
            api_calls_count=self.count if told else None,
            total_latency_ms=self._latency_ms,
            calls=self._calls,
        )


def _call(call: ModelCall, provider: str | None) -> Payload:
    return present(
        model=call.model,
        provider=provider,
        prompt_tokens=call.usage.prompt,
        completion_tokens=call.usage.completion,
        latency_ms=call.latency_ms,
        purpose=f"subagent {call.subagent_id}" if call.subagent_id else None,
    )
