"""Derives the metrics of one turn from its spans. Pure.

Counts of turns, tool calls and failures are the counts of the duration histograms, by `error.type` where one failed.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from infinium_codex.otlp import conventions as names
from infinium_codex.otlp.spans import Attribute, Span, TurnSpans


class Histogram(Struct, frozen=True, kw_only=True):
    """The values of one metric with the same attributes."""

    name: str
    unit: str
    description: str
    attributes: Mapping[str, Attribute]
    values: tuple[float, ...]
    bounds: tuple[float, ...]

    @property
    def counts(self) -> list[int]:
        """Number of values in each bucket: up to the first bound, up to the second, …, above the last."""
        found = [0] * (len(self.bounds) + 1)
        for value in self.values:
            found[bisect_left(self.bounds, value)] += 1
        return found


class Number(Struct, frozen=True, kw_only=True):
    """One value of a counter, or of a gauge."""

    name: str
    unit: str
    description: str
    attributes: Mapping[str, Attribute]
    value: float
    is_gauge: bool = False


class TurnMetrics(Struct, frozen=True, kw_only=True):
    """The metrics of one turn. Counters and histograms cover the time of the turn alone (delta temporality)."""

    started_at_ms: int
    ended_at_ms: int
    histograms: tuple[Histogram, ...]
    numbers: tuple[Number, ...]


_KEPT = {
    names.INVOKE_AGENT: (names.OPERATION_NAME, names.AGENT_NAME, names.PROVIDER_NAME, names.ERROR_TYPE),
    names.CHAT: (names.OPERATION_NAME, names.PROVIDER_NAME, names.REQUEST_MODEL, names.ERROR_TYPE),
    names.EXECUTE_TOOL: (names.OPERATION_NAME, names.TOOL_NAME, names.TOOL_TYPE, names.ERROR_TYPE),
}
"""The attributes of a span that its metric has. All of them have few values."""
_DURATIONS = {
    names.INVOKE_AGENT: (names.AGENT_DURATION, "Duration of an agent's invocation."),
    names.CHAT: (names.CHAT_DURATION, "GenAI operation duration."),
    names.EXECUTE_TOOL: (names.TOOL_DURATION, "Duration of a tool's execution."),
}


def measure(turn: TurnSpans, *, queued: int) -> TurnMetrics:
    """Derive the metrics of a turn. `queued` is the number of requests in the outbox now."""
    root = turn.spans[0]
    chats = [span for span in turn.spans if span.attributes[names.OPERATION_NAME] == names.CHAT]
    return TurnMetrics(
        started_at_ms=root.started_at_ms,
        ended_at_ms=root.ended_at_ms,
        histograms=(*_durations(turn.spans), *_tokens(chats)),
        numbers=(
            *_costs(chats),
            Number(
                name=names.QUEUE_METRIC,
                unit="{request}",
                description="Requests that wait in the outbox of one user.",
                attributes={},
                value=queued,
                is_gauge=True,
            ),
        ),
    )


def measure_grade(score: float, program: str, at_ms: int) -> TurnMetrics:
    """Return the metric of one grade that Infinium gave a turn of this agent program."""
    grade = Histogram(
        name=names.GRADE_METRIC,
        unit="1",
        description="Scores that Infinium gave turns.",
        attributes={names.AGENT_NAME: program},
        values=(score,),
        bounds=names.GRADE_BOUNDS,
    )
    return TurnMetrics(started_at_ms=at_ms, ended_at_ms=at_ms, histograms=(grade,), numbers=())


def _durations(spans: Iterable[Span]) -> Iterable[Histogram]:
    for operation, (name, description) in _DURATIONS.items():
        chosen = [span for span in spans if span.attributes[names.OPERATION_NAME] == operation]
        values = [((span.ended_at_ms - span.started_at_ms) / 1000, _kept(span)) for span in chosen]
        yield from _histograms(name, "s", description, names.DURATION_BOUNDS, values)


def _tokens(chats: Iterable[Span]) -> Iterable[Histogram]:
    values = []
    for span in chats:
        for kind, attribute in (("input", names.INPUT_TOKENS), ("output", names.OUTPUT_TOKENS)):
            values.append((float(span.attributes[attribute]), {**_kept(span), names.TOKEN_TYPE: kind}))
    description = "Number of input and output tokens used."
    yield from _histograms(names.TOKEN_USAGE, "{token}", description, names.TOKEN_BOUNDS, values)


def _costs(chats: Iterable[Span]) -> Iterable[Number]:
    totals: dict[tuple[tuple[str, Attribute], ...], float] = {}
    for span in chats:
        if names.COST in span.attributes:
            attributes = tuple(sorted(_kept(span).items()))
            totals[attributes] = totals.get(attributes, 0.0) + float(span.attributes[names.COST])
    for attributes, total in totals.items():
        yield Number(
            name=names.COST_METRIC,
            unit="USD",
            description="Estimated cost of model calls by list prices.",
            attributes=dict(attributes),
            value=total,
        )


def _histograms(
    name: str,
    unit: str,
    description: str,
    bounds: tuple[float, ...],
    values: Sequence[tuple[float, Mapping[str, Attribute]]],
) -> Iterable[Histogram]:
    """Group values by their attributes."""
    groups: dict[tuple[tuple[str, Attribute], ...], list[float]] = {}
    for value, attributes in values:
        groups.setdefault(tuple(sorted(attributes.items())), []).append(value)
    for key, group in groups.items():
        yield Histogram(
            name=name, unit=unit, description=description, attributes=dict(key), values=tuple(group), bounds=bounds
        )


def _kept(span: Span) -> dict[str, Attribute]:
    kept = _KEPT[str(span.attributes[names.OPERATION_NAME])]
    return {name: span.attributes[name] for name in kept if name in span.attributes}
