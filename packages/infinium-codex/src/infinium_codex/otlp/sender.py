"""Posts queued OTLP requests, and decides by the OTLP specification what an answer means."""

import gzip

import msgspec
from infinium_transport import Accepted, Answered, Client, Envelope, Outcome, Rejected, Retry, Unauthorized

from infinium_codex.otlp.settings import METRICS, OtlpConnection, parse_pairs
from infinium_codex.otlp.variables import SIGNAL_LABEL

RETRYABLE = frozenset({429, 502, 503, 504})
"""Statuses after which the specification has a request sent again. All others are final."""
_UNAUTHORIZED = frozenset({401, 403})
_MAX_MESSAGE = 300


class OtlpSender:
    """A client for `infinium_transport.deliver`. The secret of an OTLP recipient is its encoded `OtlpConnection`."""

    def __init__(self, user_agent: str) -> None:
        self._user_agent = user_agent
        self._client: Client | None = None
        self._secret = ""

    def send(self, envelope: Envelope, secret: str) -> Outcome:
        """Post one request. Never raises: a failure is returned as the outcome."""
        connection = decode_connection(secret)
        headers, problem = _headers(connection)
        if problem:
            return Unauthorized(status=None, message=problem)
        if self._client is None or secret != self._secret:
            self.close()
            self._client, self._secret = self._connect(connection), secret
        body = envelope.body
        if connection.compression == "gzip":
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, mtime=0)
        answer = self._client.post(envelope.base_url, body, headers, key=envelope.key)
        if not isinstance(answer, Answered):
            return answer
        return _outcome(answer, envelope, tuple(headers.values()))

    def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connect(self, connection: OtlpConnection) -> Client:
        certificate = connection.client_certificate
        return Client(
            user_agent=self._user_agent,
            timeout=connection.timeout,
            ca_file=connection.ca_file or None,
            client_certificate=(certificate, connection.client_key or certificate) if certificate else None,
            allow_http=True,  # the user named the address; a collector in a private network has no certificate
        )


def encode_connection(connection: OtlpConnection) -> str:
    """Encode a connection as the text that stands for the recipient's secret."""
    return msgspec.json.encode(connection).decode()


def decode_connection(text: str) -> OtlpConnection:
    """Decode a connection. Raises msgspec.DecodeError for a text that `encode_connection` did not return."""
    return msgspec.json.decode(text, type=OtlpConnection)


def _headers(connection: OtlpConnection) -> tuple[dict[str, str], str]:
    """Return the headers of every request, and what is wrong with those that the user set."""
    found = parse_pairs(connection.headers)
    if not all(text.isascii() and text.isprintable() for text in (*found.keys(), *found.values())):
        return {}, "a header in OTEL_EXPORTER_OTLP_HEADERS contains characters that HTTP cannot carry"
    return {**found, "Content-Type": "application/x-protobuf", "Accept": "application/x-protobuf"}, ""


def _outcome(answer: Answered, envelope: Envelope, secrets: tuple[str, ...]) -> Outcome:
    if 200 <= answer.status < 300:
        rejected, message = _partial_success(answer.body, envelope)
        if rejected:
            return Rejected(status=answer.status, message=_one_line(f"{rejected} rejected: {message}", secrets))
        return Accepted(trace_id=None)
    message = _one_line(_message(answer.body), secrets)
    if answer.status in RETRYABLE:
        reason = f"HTTP {answer.status}{': ' if message else ''}{message}"
        return Retry(reason=reason, after=answer.retry_after, status=answer.status)
    if answer.status in _UNAUTHORIZED:
        return Unauthorized(status=answer.status, message=message)
    return Rejected(status=answer.status, message=message)


def _partial_success(body: bytes, envelope: Envelope) -> tuple[int, str]:
    """Return how many spans or data points the server did not accept, and why. An unreadable answer is a success."""
    from google.protobuf.message import DecodeError

    try:
        if envelope.labels.get(SIGNAL_LABEL) == METRICS:
            from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

            metrics = ExportMetricsServiceResponse.FromString(body).partial_success
            return metrics.rejected_data_points, metrics.error_message
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        spans = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError:
        return 0, ""
    return spans.rejected_spans, spans.error_message


def _message(body: bytes) -> str:
    """Return the message of a refusal: a protobuf `Status`, or a text."""
    from google.protobuf.message import DecodeError
    from google.rpc.status_pb2 import Status

    try:
        message = Status.FromString(body).message
    except DecodeError:
        message = ""
    return str(message) or body.decode("utf-8", "replace")


def _one_line(text: str, secrets: tuple[str, ...]) -> str:
    """Return one printable line without the values of the headers."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if len(secret) > 3 else text
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= _MAX_MESSAGE else f"{line[: _MAX_MESSAGE - 1]}…"
