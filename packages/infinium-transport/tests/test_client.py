"""The client against real sockets: one request, one outcome, and the secret goes to no other host."""

import gzip
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from api import Answer, reply, serve
from infinium_transport import (
    Accepted,
    Client,
    Envelope,
    Outcome,
    Reached,
    Rejected,
    Retry,
    Unauthorized,
)
from infinium_transport._failure import explain

KEY = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"


def envelope(base_url: str, body: bytes = b'{"name": "x"}') -> Envelope:
    return Envelope(key=KEY, agent_id=AGENT, base_url=base_url, body=body, created=0.0, name="x")


def client(*, timeout: float = 5.0, allow_http: bool = False, environ: dict[str, str] | None = None) -> Client:
    return Client(
        timeout=timeout,
        user_agent="test/1",
        allow_http=allow_http,
        environ=environ or {},
        clock=lambda: 0,
    )


def ask(answer: Answer, **options: float) -> Outcome:
    """The outcome of one request with this answer."""
    with serve([answer]) as api, client(**options) as sender:  # type: ignore[arg-type]  # options are floats here
        return sender.send(envelope(api.base_url), SECRET)


def drip(first: bytes, stop: threading.Event) -> Answer:
    """An answer that begins with `first` and continues one byte at a time until `stop`."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(first)
        while not stop.wait(0.05):
            connection.sendall(b" ")

    return answer


def test_request_has_the_form_the_api_documents() -> None:
    body = '{"name": "größer", "nested": [1, 2]}'.encode()
    with serve([reply(200)]) as api, client() as sender:
        outcome = sender.send(envelope(api.base_url, body), SECRET)
    assert outcome == Accepted(trace_id="t-1")
    [(headers, sent)] = api.requests
    assert headers[""] == f"POST /v1/agents/{AGENT}/trace HTTP/1.1"
    assert sent == body
    named = ("x-agent-id", "x-agent-key", "content-type", "user-agent", "idempotency-key")
    assert [headers[name] for name in named] == [AGENT, SECRET, "application/json", "test/1", KEY]


def test_one_connection_serves_many_traces() -> None:
    with serve([reply(200)]) as api, client() as sender:
        outcomes = {sender.send(envelope(api.base_url), SECRET) for _ in range(5)}
    assert outcomes == {Accepted(trace_id="t-1")}
    assert len(api.requests) == 5


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply(201, b'{"id": "t-2"}'), Accepted(trace_id="t-2")),
        (reply(200, b"<html>not JSON</html>"), Accepted(trace_id=None)),
        (reply(204, b""), Accepted(trace_id=None)),
        (reply(400, b'{"message": "name is missing"}'), Rejected(status=400, message="name is missing")),
        (reply(404, b'{"detail": "unknown agent"}'), Rejected(status=404, message="unknown agent")),
        (reply(413, b"too\r\n  large \x1b[31m"), Rejected(status=413, message="too large [31m")),
        (reply(422, b'{"error": {"message": "duration"}}'), Rejected(status=422, message="duration")),
        (reply(401, b'{"message": "bad key"}'), Unauthorized(status=401, message="bad key")),
        (reply(403, b""), Unauthorized(status=403, message="")),
        (reply(409, b""), Retry(reason="HTTP 409", after=None, status=409)),
        (reply(429, b"", "Retry-After: 7"), Retry(reason="HTTP 429", after=7.0, status=429)),
        (reply(429, b""), Retry(reason="HTTP 429", after=60.0, status=429)),
        (
            reply(503, b'{"message": "later"}', "Retry-After: Thu, 01 Jan 1970 00:00:09 GMT"),
            Retry(reason="HTTP 503: later", after=9.0, status=503),
        ),
    ],
)
def test_outcome_of_an_answer(answer: bytes, outcome: Outcome) -> None:
    assert ask(answer) == outcome


def test_a_redirect_is_not_followed() -> None:
    """Niquests would carry the secret's header to the other host."""
    with serve([reply(200)]) as other:
        outcome = ask(reply(307, b"", f"Location: http://127.0.0.1:{other.port}/"))
    assert isinstance(outcome, Rejected)
    assert outcome.status == 307
    assert other.requests == []


def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serve([reply(200)]) as api, client() as sender:
        sender.send(envelope(api.base_url), SECRET)
    assert "authorization" not in api.requests[0][0]


def test_a_proxy_in_the_process_environment_is_not_taken_for_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask(reply(200)) == Accepted(trace_id="t-1")


def test_the_answer_echoing_the_secret_does_not_show_it() -> None:
    outcome = ask(reply(400, f"bad key {SECRET}".encode()))
    assert outcome == Rejected(status=400, message="bad key ***")


def test_refused_connection_is_retried_later() -> None:
    with serve([reply(200)]) as api:
        base_url = api.base_url
    with client() as sender:
        outcome = sender.send(envelope(base_url), SECRET)
    assert isinstance(outcome, Retry)
    assert outcome.status is None
    assert SECRET not in outcome.reason


def test_server_that_never_answers_is_abandoned_at_the_timeout() -> None:
    assert isinstance(ask(_hold, timeout=0.3), Retry)


def test_answer_cut_short_in_its_head_is_retried_later() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Le"
    assert isinstance(ask(lambda connection: connection.sendall(head), timeout=1.0), Retry)


def test_answer_cut_short_in_its_body_counts_by_its_status() -> None:
    """The server has accepted the trace: another request would send it twice."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf"
    assert ask(lambda connection: connection.sendall(head), timeout=1.0) == Accepted(trace_id=None)


def test_late_answer_is_discarded_and_the_next_trace_uses_a_new_connection() -> None:
    def late(connection: socket.socket) -> None:
        answer = reply(200, b'{"traceId": "late"}')
        for start in range(0, len(answer), 5):  # each chunk within the timeout
            time.sleep(0.1)
            connection.sendall(answer[start : start + 5])

    with serve([reply(200), late, reply(200)]) as api, client(timeout=0.3) as sender:
        found = [sender.send(envelope(api.base_url), SECRET) for _ in range(4)]
    accepted = Accepted(trace_id="t-1")
    assert found == [accepted, Retry(reason="no answer within 0.3 s"), accepted, accepted]
    assert len(api.requests) == 4


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", Retry(reason="no answer within 0.5 s")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", Accepted(trace_id=None)),
        (b"HTTP/1.1 503 No\r\nContent-Length: 9999\r\n\r\n", Retry(reason="HTTP 503", status=503)),
    ],
)
def test_slow_answer_ends_at_the_timeout(first: bytes, outcome: Outcome) -> None:
    """Each byte arrives within the timeout, the whole answer never does. A complete head counts by its status."""
    stop = threading.Event()
    watchdog = threading.Timer(20, stop.set)
    watchdog.start()
    found = ask(drip(first, stop), timeout=0.5)
    assert not stop.is_set(), "the sender waited until the server gave up"
    watchdog.cancel()
    stop.set()
    assert found == outcome


def test_name_lookup_counts_towards_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer has no timeout of its own."""
    release = threading.Event()

    def stuck(*_: object, **__: object) -> list[object]:
        release.wait(20)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    with client(timeout=0.3, allow_http=True) as sender:
        outcome = sender.send(envelope("http://api.example/v1"), SECRET)
    assert not release.is_set()
    release.set()
    assert outcome == Retry(reason="no answer within 0.3 s")


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_failure_is_one_sentence_that_names_the_reason() -> None:
    """Not the library's objects, and nothing before the reason that could cut it off."""
    port = closed_port()
    with client(allow_http=True) as sender:
        assert sender.send(envelope(f"http://127.0.0.1:{port}/v1"), SECRET) == Retry(
            reason=f"connection refused by 127.0.0.1:{port}"
        )
    with client(allow_http=True, environ={"http_proxy": f"http://u:pw@127.0.0.1:{port}"}) as sender:
        assert sender.send(envelope("http://api.example/v1"), SECRET) == Retry(
            reason=f"connection refused by the proxy 127.0.0.1:{port}"
        )
    with serve([lambda connection: connection.close()]) as api, client() as sender:
        host = api.base_url.split("/")[2]
        assert sender.send(envelope(api.base_url), SECRET) == Retry(
            reason=f"{host} closed the connection before it answered"
        )


def certificate_error(message: str) -> Exception:
    """A failed handshake as the libraries wrap it."""
    cause = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
    cause.verify_message = message
    outer = OSError("HTTPSConnectionPool(host='api.example', port=443): Max retries exceeded")
    outer.__cause__ = cause
    return outer


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (certificate_error("self-signed certificate"), "the certificate of api.example is self-signed"),
        (
            certificate_error("unable to get local issuer certificate"),
            "the certificate of api.example is signed by an authority that this machine does not trust",
        ),
        (certificate_error("certificate has expired"), "the certificate of api.example has expired"),
        (
            certificate_error("Hostname mismatch, certificate is not valid for 'api.example'."),
            "the certificate of api.example is for another name",
        ),
        (certificate_error("CRL too old"), "the certificate of api.example is not valid: CRL too old"),
        (socket.gaierror(-2, "Name or service not known"), "the name api.example cannot be resolved"),
        (OSError(101, "Network is unreachable"), "connection to api.example failed: Network is unreachable"),
        (ValueError("<urllib3.Pool object at 0x7f00>: odd"), "the request to api.example failed: odd"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_sentence_for_a_failure(error: Exception, sentence: str) -> None:
    assert explain(error, "api.example") == sentence


_PROGRAM = """\
import sys
from infinium_transport import Client, Envelope

with Client(timeout=float(sys.argv[2]), user_agent="test/1", environ={}) as client:
    envelope = Envelope(key="0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f", agent_id="a", base_url=sys.argv[1], body=b"{}",
                        created=0.0, name="x")
    print(client.send(envelope, "secret").reason)
"""


def test_process_exits_while_a_request_is_overdue() -> None:
    """The server never finishes its answer, and the thread that waits for it does not keep the process alive."""
    stop = threading.Event()
    with serve([drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", stop)]) as api:
        command = [sys.executable, "-c", _PROGRAM, api.base_url, "0.3"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        stop.set()
    assert (done.stdout, done.stderr) == ("no answer within 0.3 s\n", "")


@pytest.mark.skipif(os.name == "nt", reason="a process of Windows cannot send Ctrl+C to one other process")
def test_ctrl_c_ends_a_request() -> None:
    with serve([_hold]) as api:
        command = [sys.executable, "-c", _PROGRAM, api.base_url, "60"]
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background ignores it
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while not api.requests:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (-signal.SIGINT, "")
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_huge_answer_is_not_read_to_its_end() -> None:
    """A small gzip body that unpacks to 200 MiB is read up to a limit."""
    body = gzip.compress(bytes(200 << 20))
    outcome = ask(reply(400, body, "Content-Encoding: gzip"))
    assert isinstance(outcome, Rejected)
    assert len(outcome.message) <= 300


def test_plain_http_goes_to_loopback_only() -> None:
    with client() as sender:
        outcome = sender.send(envelope("http://api.example/v1"), SECRET)
    assert isinstance(outcome, Rejected)
    assert "plain http to api.example would expose the secret" in outcome.message


@pytest.mark.parametrize("secret", ["two\r\nlines", "größer", "nul\0"])
def test_secret_with_characters_not_allowed_in_headers_is_not_sent(secret: str) -> None:
    with serve([reply(200)]) as api, client() as sender:
        outcome = sender.send(envelope(api.base_url), secret)
    assert isinstance(outcome, Rejected)
    assert secret not in outcome.message
    assert api.requests == []


def _hold(connection: socket.socket) -> None:
    try:
        connection.recv(1)
    except OSError:
        return


def test_reach_sends_a_get_without_the_secret() -> None:
    """Any answer counts; the report has the server's clock."""
    refused = reply(405, b"", "Date: Mon, 23 Nov 2026 14:00:00 GMT")
    with serve([refused]) as api, client() as asker:
        found = asker.reach(api.base_url, AGENT)
    url = f"{api.base_url}/agents/{AGENT}/trace"
    assert found == Reached(url=url, status=405, date="Mon, 23 Nov 2026 14:00:00 GMT")
    [(headers, body)] = api.requests
    assert headers[""] == f"GET /v1/agents/{AGENT}/trace HTTP/1.1"
    assert {"x-agent-key", "x-agent-id", "idempotency-key"} & set(headers) == set()
    assert body == b""


def test_reach_reports_a_refused_connection_and_an_address_it_does_not_use() -> None:
    with client() as asker:
        assert isinstance(asker.reach("http://127.0.0.1:9/v1", AGENT), Retry)
        assert asker.reach("http://elsewhere.example", AGENT) == Rejected(
            status=None, message="plain http to elsewhere.example would expose the secret on the network; use https"
        )
