"""Encodes spans and metrics as OTLP requests, with the official OpenTelemetry SDK and exporter (the extra `otlp`)."""

from collections.abc import Iterable, Mapping, Sequence
from platform import system
from typing import TypeVar

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Histogram as SdkHistogram
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from infinium_codex.otlp import conventions as names
from infinium_codex.otlp.measurements import Histogram, Number, TurnMetrics
from infinium_codex.otlp.spans import Attribute, Span, TurnSpans
from infinium_codex.otlp.spans import SpanKind as OwnKind
from infinium_codex.version import VERSION

_SCOPE = InstrumentationScope("infinium-codex-connector", VERSION, names.SCHEMA_URL)
_KINDS = {OwnKind.INTERNAL: SpanKind.INTERNAL, OwnKind.CLIENT: SpanKind.CLIENT}
_Measured = TypeVar("_Measured", Histogram, Number)
_NANOSECONDS = 1_000_000
"""In a millisecond."""


def make_resource(program: str, project: str | None, service_name: str | None, more: Mapping[str, str]) -> Resource:
    """Return the resource of a session: the agent program on this machine, and the user's own attributes."""
    attributes: dict[str, Attribute] = {
        names.SERVICE_NAME: program,
        names.OS_TYPE: system().lower(),
        **({names.PROJECT: project} if project else {}),
        **more,
        **({names.SERVICE_NAME: service_name} if service_name else {}),
    }
    return Resource(_valid(attributes), names.SCHEMA_URL)


def encode_turn(turn: TurnSpans, resource: Resource) -> bytes:
    """Encode the spans of a turn as an `ExportTraceServiceRequest`. The same spans give the same bytes."""
    spans = [_span(span, turn.trace_id, resource) for span in turn.spans]
    return bytes(encode_spans(spans).SerializeToString(deterministic=True))


def encode_measurements(metrics: TurnMetrics, resource: Resource) -> bytes:
    """Encode the metrics of a turn as an `ExportMetricsServiceRequest`, with delta temporality."""
    start, end = metrics.started_at_ms * _NANOSECONDS, max(metrics.ended_at_ms, metrics.started_at_ms) * _NANOSECONDS
    merged = [_histogram(same, start, end) for same in _by_name(metrics.histograms)]
    merged += [_number(same, start, end) for same in _by_name(metrics.numbers)]
    scope = ScopeMetrics(scope=_SCOPE, metrics=merged, schema_url=names.SCHEMA_URL)
    found = ResourceMetrics(resource=resource, scope_metrics=[scope], schema_url=names.SCHEMA_URL)
    request = encode_metrics(MetricsData(resource_metrics=[found]))
    return bytes(request.SerializeToString(deterministic=True))


def _span(span: Span, trace_id: int, resource: Resource) -> ReadableSpan:
    return ReadableSpan(
        name=_text(span.name),
        context=_context(trace_id, span.span_id),
        parent=None if span.parent_id is None else _context(trace_id, span.parent_id),
        resource=resource,
        attributes=_valid(span.attributes),
        events=[Event(one.name, _valid(one.attributes), one.at_ms * _NANOSECONDS) for one in span.events],
        kind=_KINDS[span.kind],
        status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
        start_time=span.started_at_ms * _NANOSECONDS,
        end_time=span.ended_at_ms * _NANOSECONDS,
        instrumentation_scope=_SCOPE,
    )


def _context(trace_id: int, span_id: int) -> SpanContext:
    return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _histogram(same: Sequence[Histogram], start: int, end: int) -> Metric:
    """Return one metric with a point for each set of attributes."""
    points = [
        HistogramDataPoint(
            attributes=_valid(one.attributes),
            start_time_unix_nano=start,
            time_unix_nano=end,
            count=len(one.values),
            sum=sum(one.values),
            bucket_counts=one.counts,
            explicit_bounds=one.bounds,
            min=min(one.values),
            max=max(one.values),
        )
        for one in same
    ]
    first = same[0]
    return Metric(first.name, first.description, first.unit, SdkHistogram(points, AggregationTemporality.DELTA))


def _number(same: Sequence[Number], start: int, end: int) -> Metric:
    """Return one counter or gauge with a point for each set of attributes."""
    points = [NumberDataPoint(_valid(one.attributes), start, end, one.value) for one in same]
    first = same[0]
    data = Gauge(points) if first.is_gauge else Sum(points, AggregationTemporality.DELTA, is_monotonic=True)
    return Metric(first.name, first.description, first.unit, data)


def _by_name(found: Iterable[_Measured]) -> list[list[_Measured]]:
    groups: dict[str, list[_Measured]] = {}
    for one in found:
        groups.setdefault(one.name, []).append(one)
    return list(groups.values())


def _valid(attributes: Mapping[str, Attribute]) -> dict[str, Attribute]:
    return {_text(name): _text(value) if isinstance(value, str) else value for name, value in attributes.items()}


def _text(value: str) -> str:
    """Return a text that UTF-8 can hold: an agent's ids may contain lone surrogates."""
    return value.encode("utf-8", "replace").decode()
