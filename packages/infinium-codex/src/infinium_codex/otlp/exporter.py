"""Queues the spans and metrics of turns in the outbox, for the addresses of one environment."""

import time
from collections.abc import Mapping
from uuid import UUID, uuid5

from infinium_trace import Session, TraceContext, TraceOptions, Turn
from infinium_transport import Envelope, Outbox, Put

from infinium_codex.otlp.extra import MissingExtraError
from infinium_codex.otlp.measurements import measure, measure_grade
from infinium_codex.otlp.settings import METRICS, TRACES, OtlpSettings
from infinium_codex.otlp.spans import TurnSpans, build_spans
from infinium_codex.otlp.variables import OTLP_AGENT, SIGNAL_LABEL

KIND = "otlp"
"""The label `kind` of what is queued for an engine."""


class OtlpExporter:
    """Queues turns for the addresses of `settings`. `labels` are those of every request, for ledger and queue.

    A turn that was queued or sent before is not queued again, unless `again` makes its keys new.
    """

    def __init__(self, settings: OtlpSettings, outbox: Outbox, labels: Mapping[str, str], *, again: str = "") -> None:
        self._settings, self._outbox, self._labels, self._again = settings, outbox, dict(labels), again

    def queue_turn(self, session: Session, turn: Turn, context: TraceContext, options: TraceOptions) -> Put:
        """Queue the spans of a turn, and its metrics if they are wanted. Returns what became of the spans.

        Raises MissingExtraError, RedactionPatternError, or StorageError.
        """
        try:
            from infinium_codex.otlp import encode
        except ImportError as error:
            raise MissingExtraError from error
        settings = self._settings
        spans = build_spans(session, turn, context, options, capture_content=settings.capture_content)
        resource = encode.make_resource(options.program, context.project_name, settings.service_name, settings.resource)
        done = self._put_turn(spans, TRACES, settings.traces_url, encode.encode_turn(spans, resource), turn, context)
        if settings.metrics_url is not None:
            metrics = measure(spans, queued=sum(1 for _ in self._outbox.pending()))
            body = encode.encode_measurements(metrics, resource)
            self._put_turn(spans, METRICS, settings.metrics_url, body, turn, context)
        return done

    def queue_grade(self, trace_key: str, score: float, program: str, project: str | None) -> None:
        """Queue the score that Infinium gave a trace as a metric, once, if metrics are wanted.

        Raises MissingExtraError or StorageError.
        """
        settings = self._settings
        if settings.metrics_url is None:
            return
        try:
            from infinium_codex.otlp import encode
        except ImportError as error:
            raise MissingExtraError from error
        resource = encode.make_resource(program, project, settings.service_name, settings.resource)
        metrics = measure_grade(score, program, round(time.time() * 1000))
        body = encode.encode_measurements(metrics, resource)
        name = f"OTLP {METRICS} of the grade of {trace_key}"
        self._put(trace_key, METRICS, settings.metrics_url, body, name, {}, part="grade")

    def _put_turn(self, spans: TurnSpans, signal: str, url: str, body: bytes, turn: Turn, context: TraceContext) -> Put:
        what = f"{len(spans.spans)} spans" if signal == TRACES else METRICS
        labels = {"turn": turn.id, "session": context.session_id, "project": context.project_name or ""}
        return self._put(spans.key, signal, url, body, f"OTLP {what} of turn {turn.id}", labels)

    def _put(
        self, trace_key: str, signal: str, url: str, body: bytes, name: str, labels: Mapping[str, str], part: str = ""
    ) -> Put:
        """Queue a request. Its key is derived from the trace's, the address and the part of the trace that it holds."""
        return self._outbox.put(
            Envelope(
                key=str(uuid5(UUID(trace_key), f"{part or signal} {url} {self._again}")),
                agent_id=OTLP_AGENT,
                base_url=url,
                body=body,
                created=time.time(),
                name=name,
                labels={**self._labels, **labels, "kind": KIND, SIGNAL_LABEL: signal},
            )
        )
