"""What becomes of an OTLP request, by the answer of a real server on loopback."""

import gzip

import pytest
from api import reply, serve
from google.rpc.status_pb2 import Status
from infinium_codex.otlp.sender import OtlpSender, encode_connection
from infinium_codex.otlp.settings import OtlpConnection
from infinium_transport import Accepted, Envelope, Outcome, Rejected, Retry, Unauthorized
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

KEY = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
BODY = b"\x0a\x02ab" * 100


def send(answer: bytes, *, signal: str = "traces", **options: str) -> tuple[Outcome, dict[str, str], bytes]:
    """The outcome of one request with this answer, and the request as it came in."""
    with serve([answer]) as api:
        url = f"http://127.0.0.1:{api.port}/v1/{signal}"
        envelope = Envelope(
            key=KEY, agent_id="otlp", base_url=url, body=BODY, created=0.0, name="x", labels={"signal": signal}
        )
        sender = OtlpSender("test/1")
        outcome = sender.send(envelope, encode_connection(OtlpConnection(url=url, **options)))  # type: ignore[arg-type]
        sender.close()
        [request] = api.requests
    return outcome, request.headers, request.body


def test_a_request_is_protobuf_with_the_users_headers() -> None:
    outcome, headers, body = send(reply(200, b""), headers="x-mlflow-experiment-id=0,authorization=Basic%20YTpi")
    assert outcome == Accepted(trace_id=None)
    assert headers[""] == "POST /v1/traces HTTP/1.1"
    assert (headers["content-type"], headers["x-mlflow-experiment-id"]) == ("application/x-protobuf", "0")
    assert headers["authorization"] == "Basic YTpi"
    assert body == BODY


def test_a_compressed_request() -> None:
    _, headers, body = send(reply(200, b""), compression="gzip")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == BODY


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_statuses_after_which_a_request_is_retried(status: int) -> None:
    outcome, _, _ = send(reply(status, b"later", "Retry-After: 9"))
    assert outcome == Retry(reason=f"HTTP {status}: later", after=9.0, status=status)


@pytest.mark.parametrize("status", [301, 400, 404, 408, 413, 500, 501])
def test_statuses_that_are_final(status: int) -> None:
    outcome, _, _ = send(reply(status, Status(code=3, message="no such span").SerializeToString()))
    assert outcome == Rejected(status=status, message="no such span")


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_park_the_queue(status: int) -> None:
    outcome, _, _ = send(reply(status, b"key sesame-4711 unknown"), headers="x-key=sesame-4711")
    assert outcome == Unauthorized(status=status, message="key *** unknown")


def test_a_partial_success_is_not_sent_again() -> None:
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 2
    answer.partial_success.error_message = "too old"
    outcome, _, _ = send(reply(200, answer.SerializeToString()))
    assert outcome == Rejected(status=200, message="2 rejected: too old")
    metrics = ExportMetricsServiceResponse()
    metrics.partial_success.rejected_data_points = 1
    metrics.partial_success.error_message = "no delta"
    outcome, _, _ = send(reply(200, metrics.SerializeToString()), signal="metrics")
    assert outcome == Rejected(status=200, message="1 rejected: no delta")


@pytest.mark.parametrize("body", [b"", b"{}", b"ok", ExportTraceServiceResponse().SerializeToString()])
def test_a_success_with_any_body(body: bytes) -> None:
    """Engines answer with JSON, text or nothing."""
    outcome, _, _ = send(reply(200, body))
    assert outcome == Accepted(trace_id=None)


def test_headers_that_http_cannot_carry_park_the_queue() -> None:
    sender = OtlpSender("test/1")
    url = "http://127.0.0.1:1/v1/traces"
    envelope = Envelope(key=KEY, agent_id="otlp", base_url=url, body=b"", created=0.0, name="x")
    outcome = sender.send(envelope, encode_connection(OtlpConnection(url=url, headers="x-key=ä")))
    assert isinstance(outcome, Unauthorized)
    assert "ä" not in outcome.message
