"""Results of traces: fetched from a server on loopback, whatever it answers, and stored within limits."""

import json
import os
import socket
import threading
from pathlib import Path

import pytest
from api import Answer, reply, serve
from infinium_transport import (
    Client,
    Fetched,
    NotReady,
    OutboxLimits,
    Rejected,
    ResultOutcome,
    ResultStore,
    Retry,
    StateDirectory,
    StoredResult,
    Unauthorized,
)
from infinium_transport.results import MAX_RESULT_BYTES

KEY = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = "sesame-4711-canary"


def ask(answer: Answer, trace_id: str = "t-1", secret: str = SECRET, timeout: float = 5.0) -> ResultOutcome:
    """The outcome of one request with this answer."""
    with serve([answer]) as api, Client(user_agent="test/1", timeout=timeout, environ={}) as client:
        return client.fetch_result(api.base_url, AGENT, trace_id, secret)


def answer(result: object) -> bytes:
    return reply(200, json.dumps({"data": {"interpretedTraceResult": result}}).encode())


def test_the_request_has_the_headers_of_a_trace_and_the_path_of_its_result() -> None:
    with serve([answer({"score": 7})]) as api, Client(user_agent="test/1", environ={}) as client:
        assert client.fetch_result(api.base_url, AGENT, "t/1 ?", SECRET) == Fetched(result={"score": 7})
    [(headers, body)] = api.requests
    assert headers[""] == f"GET /v1/agents/{AGENT}/interpreted-result/t%2F1%20%3F HTTP/1.1"
    assert (headers["x-agent-id"], headers["x-agent-key"], headers["user-agent"]) == (AGENT, SECRET, "test/1")
    assert body == b""


@pytest.mark.parametrize("result", ["good", 7, 0, False, [1, {"a": None}], {}, {"score": 0.5}])
def test_a_result_of_any_shape_is_returned_as_it_came(result: object) -> None:
    assert ask(answer(result)) == Fetched(result=result)


@pytest.mark.parametrize(
    "late",
    [
        reply(204, b""),
        reply(202, b'{"message": "working on it"}'),
        reply(200, b"{}"),
        reply(200, b"[]"),
        reply(200, b'{"data": null}'),
        reply(200, b'{"data": {"interpretedTraceResult": null}}'),
        reply(404, b'{"message": "no such result"}'),
    ],
)
def test_a_result_that_is_not_there_yet_is_told_from_a_failure(late: bytes) -> None:
    assert isinstance(ask(late), NotReady)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (reply(400, b"bad"), Rejected),
        (reply(401, b"bad key"), Unauthorized),
        (reply(302, b"", "Location: http://127.0.0.1:1/"), Rejected),
        (reply(429, b"", "Retry-After: 7"), Retry),
        (reply(503, b""), Retry),
        (reply(200, b"<html>"), Rejected),
        (reply(200, b'{"data": "\xff"}'), Rejected),
        (reply(200, b"[" * 100_000), Rejected),
        (answer(json.loads("[" * 200 + "]" * 200)), Rejected),
        (reply(200, b'{"data": {"interpretedTraceResult": "' + b"x" * MAX_RESULT_BYTES + b'"}}'), Rejected),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", Retry),
    ],
)
def test_a_refusal_or_a_broken_answer_is_an_outcome(refusal: bytes, kind: type) -> None:
    assert isinstance(ask(refusal), kind)


def test_an_answer_that_never_ends_is_given_up() -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        while not stop.wait(0.05):
            connection.sendall(b" ")

    assert isinstance(ask(drip, timeout=0.5), Retry)
    stop.set()


def test_the_secret_is_in_no_message() -> None:
    refused = ask(reply(400, f"key {SECRET} \x1b[31m refused".encode()))
    assert refused == Rejected(status=400, message="key *** [31m refused")
    assert ask(reply(200, b""), secret="gr\u00fcn") == Rejected(  # no HTTP header can carry it
        status=None, message="the agent's secret contains characters that an HTTP header cannot carry"
    )


def test_a_result_is_stored_read_replaced_and_removed(tmp_path: Path) -> None:
    store = StateDirectory(tmp_path).results
    first = StoredResult(key=KEY, trace_id="t-1", fetched=1.0, result={"score": 7, "broken": "\ud800"})
    store.store(first)
    assert store.read(KEY) == StoredResult(key=KEY, trace_id="t-1", fetched=1.0, result={"score": 7, "broken": "?"})
    assert (store.directory / f"{KEY}.json").stat().st_mode & 0o777 == 0o600
    store.store(StoredResult(key=KEY, trace_id="t-1", fetched=2.0, result="better"))
    found = store.read(KEY)
    assert found is not None
    assert found.result == "better"
    store.remove([KEY])
    assert store.read(KEY) is None


def test_a_damaged_file_is_no_result(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    (tmp_path / f"{KEY}.json").write_text("{")
    assert store.read(KEY) is None


def test_the_oldest_results_beyond_the_limits_are_removed(tmp_path: Path) -> None:
    store = ResultStore(tmp_path)
    keys = [f"{KEY[:-1]}{number}" for number in range(4)]
    for age, key in enumerate(keys):
        store.store(StoredResult(key=key, trace_id="t", fetched=0.0, result="x" * 100))
        os.utime(tmp_path / f"{key}.json", (1000 - age, 1000 - age))
    store.prune(now=1000.0, limits=OutboxLimits(count=3))
    assert [store.read(key) is not None for key in keys] == [True, True, True, False]
    store.prune(now=1000.0, limits=OutboxLimits(size=250))
    assert [store.read(key) is not None for key in keys] == [True, False, False, False]
    store.prune(now=5000.0, limits=OutboxLimits(age=60.0))
    assert store.read(keys[0]) is None
