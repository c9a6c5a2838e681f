"""Any bytes from a server give an outcome within the timeout that does not contain the secret."""

import gc
from collections.abc import Iterator

import pytest
from api import reply, serve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from infinium_transport import Accepted, Client, Envelope, Rejected, Retry, Unauthorized

SECRET = "sesame-4711-canary"
KEY = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"

_WORDS = st.sampled_from(
    [
        b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/2 ", b"200 OK", b"100 Continue", b"101 Switching", b"204 ", b"304 ", b"307 ",
        b"401 ", b"429 ", b"500 ", b"999 ", b"-1 ", b"\r\n", b"\n", b"\r\n\r\n", b"Content-Length: ", b"5", b"-5",
        b"99999999999999999999", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br, zstd, deflate\r\n", b"Connection: close\r\n", b"Location: http://127.0.0.1:9/\r\n",
        b"Retry-After: ", b"Set-Cookie: a=b\r\n", b"Upgrade: h2c\r\n", b"Alt-Svc: h3=\":443\"\r\n", b"\x1f\x8b\x08\x00",
        b"5\r\nhello\r\n", b"fffffffff\r\n", b"0\r\n\r\n", b'{"message": "', b'"traceId": ', b"[[[[[", SECRET.encode(),
    ]
)  # fmt: skip
ANSWERS = st.one_of(
    st.binary(max_size=300),
    st.lists(_WORDS | st.binary(max_size=6), max_size=25).map(b"".join),
    st.tuples(st.integers(100, 999), st.binary(max_size=200)).map(lambda parts: reply(*parts)),
    st.tuples(
        st.sampled_from((200, 400, 401, 409, 429, 503)), st.lists(_WORDS | st.binary(max_size=6), max_size=12)
    ).map(lambda parts: b"HTTP/1.1 %d X\r\n" % parts[0] + b"".join(parts[1])),
)


@pytest.fixture(scope="module", autouse=True)
def sockets_collected() -> Iterator[None]:
    """After some answers that are not HTTP, niquests leaves the socket to the garbage collector; collect it here."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(answer=ANSWERS)
@example(answer=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")
@example(answer=b"HTTP/1.1 429 X\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n")
@example(answer=b"HTTP/1.1 400 X\r\nContent-Length: 18\r\n\r\n" + SECRET.encode())
@example(answer=b"HTTP/1.1 400 X" + SECRET.encode() + b"\r\n" + SECRET.encode() + b"\r\n\r\n")
@example(answer=reply(200, b'{"traceId": "%s"}' % SECRET.encode()))
@example(answer=reply(400, b"x" * 290 + SECRET.encode()))
def test_any_answer_has_an_outcome(answer: bytes) -> None:
    with (
        serve([lambda connection: connection.sendall(answer)]) as api,
        Client(timeout=2.0, user_agent="test/1", environ={}) as client,
    ):
        envelope = Envelope(key=KEY, agent_id="agent", base_url=api.base_url, body=b"{}", created=0.0, name="x")
        outcome = client.send(envelope, SECRET)
    assert SECRET[:8] not in repr(outcome), "not even a part of it"
    match outcome:
        case Accepted():
            assert b" 2" in answer
        case Retry(after=after):
            assert after is None or after >= 0
        case Rejected(status=status) | Unauthorized(status=status):
            assert status is not None
    assert len(api.requests) == 1, "no redirect is followed and no request is repeated"
