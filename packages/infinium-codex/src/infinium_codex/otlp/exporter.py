"""Queues the spans and metrics of turns in the outbox, for the addresses of one environment."""

import time
from collections.abc import Mapping
from uuid import UUID, uuid5

from infinium_trace import Session, TraceContext, TraceOptions, Turn
from infinium_transport import Envelope, Outbox, Put

from infinium_codex.otlp.extra import MissingExtraError
from infinium_codex.otlp.measurements import measure
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
        done = self._put(spans, TRACES, settings.traces_url, encode.encode_turn(spans, resource), turn, context)
        if settings.metrics_url is not None and done is Put.queued:
            metrics = measure(spans, queued=sum(1 for _ in self._outbox.pending()))
            body = encode.encode_measurements(metrics, resource)
            self._put(spans, METRICS, settings.metrics_url, body, turn, context)
        return done

    def _put(self, spans: TurnSpans, signal: str, url: str, body: bytes, turn: Turn, context: TraceContext) -> Put:
        key = uuid5(UUID(spans.key), f"{signal} {url} {self._again}")
        what = f"{len(spans.spans)} spans" if signal == TRACES else METRICS
        return self._outbox.put(
            Envelope(
                key=str(key),
                agent_id=OTLP_AGENT,
                base_url=url,
                body=body,
                created=time.time(),
                name=f"OTLP {what} of turn {turn.id}",
                labels={
                    **self._labels,
                    "kind": KIND,
                    SIGNAL_LABEL: signal,
                    "turn": turn.id,
                    "session": context.session_id,
                    "project": context.project_name or "",
                },
            )
        )
