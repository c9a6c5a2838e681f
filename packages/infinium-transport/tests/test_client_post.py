"""`Client.post` against real sockets: the requests of a protocol other than the trace endpoint's."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from api import reply, serve
from infinium_transport import Answered, Client, Rejected, Retry


def client(**options: object) -> Client:
    return Client(user_agent="test/1", timeout=5.0, environ={}, clock=lambda: 0, **options)  # type: ignore[arg-type]


def test_the_body_and_the_headers_are_posted_to_the_address_as_it_is() -> None:
    with serve([reply(200, b"\x0a\x00")]) as api, client() as sender:
        url = f"http://127.0.0.1:{api.port}/v1/traces"
        answer = sender.post(url, b"\x0a\x03abc", {"Content-Type": "application/x-protobuf", "X-Tenant": "a b"})
    assert answer == Answered(status=200, retry_after=None, body=b"\x0a\x00")
    [(headers, body)] = api.requests
    assert headers[""] == "POST /v1/traces HTTP/1.1"
    assert body == b"\x0a\x03abc"
    assert (headers["content-type"], headers["x-tenant"]) == ("application/x-protobuf", "a b")


def test_any_status_is_an_answer() -> None:
    with serve([reply(429, b"slow", "Retry-After: 7")]) as api, client() as sender:
        assert sender.post(api.base_url, b"", {}) == Answered(status=429, retry_after=7.0, body=b"slow")


def test_a_redirect_is_not_followed() -> None:
    with serve([reply(200)]) as other, serve([reply(307, b"", f"Location: {other.base_url}")]) as api:
        with client() as sender:
            answer = sender.post(api.base_url, b"x", {})
        assert isinstance(answer, Answered)
        assert (answer.status, other.requests) == (307, [])


def test_without_an_answer_the_request_is_retried() -> None:
    with serve([reply(200)]) as api:
        url = api.base_url
    with client() as sender:
        answer = sender.post(url, b"", {})
    assert isinstance(answer, Retry)
    assert "connection refused" in answer.reason


@pytest.mark.parametrize(("url", "headers"), [("ftp://a.example", {}), ("https://a.example", {"X-A": "b\r\nX-C: d"})])
def test_what_cannot_be_requested_is_rejected(url: str, headers: dict[str, str]) -> None:
    with client() as sender:
        assert isinstance(sender.post(url, b"", headers), Rejected)


def test_plain_http_to_another_host_needs_permission() -> None:
    with client() as sender:
        assert isinstance(sender.post("http://collector.invalid/v1/traces", b"", {}), Rejected)
    with client(allow_http=True) as sender:
        assert isinstance(sender.post("http://collector.invalid/v1/traces", b"", {}), Retry)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
def test_certificates_of_an_own_authority_and_of_the_client(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "server")
    own, own_key = make_certificate(tmp_path, "client")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    tls.load_verify_locations(own)
    tls.verify_mode = ssl.CERT_REQUIRED
    with serve([reply(200, b"")], tls=tls) as api:
        url = f"https://localhost:{api.port}/v1/traces"
        with client(ca_file=str(certificate), client_certificate=(str(own), str(own_key))) as sender:
            assert sender.post(url, b"x", {}) == Answered(status=200, retry_after=None, body=b"")
        with client(client_certificate=(str(own), str(own_key))) as sender:
            untrusted = sender.post(url, b"x", {})
        with client(ca_file=str(certificate)) as sender:
            anonymous = sender.post(url, b"x", {})
    assert isinstance(untrusted, Retry)
    assert "certificate" in untrusted.reason
    assert isinstance(anonymous, Retry)


def make_certificate(directory: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return certificate, key
