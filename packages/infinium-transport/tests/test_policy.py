"""Delays, Retry-After, addresses and proxies."""

import pytest
from infinium_transport.address import BadAddress, endpoint, proxy_for
from infinium_transport.policy import backoff, parse_retry_after


def test_backoff_grows_is_random_and_capped() -> None:
    waits = [backoff(attempt, None, random=lambda: 1.0) for attempt in (1, 2, 3, 12, 5_000)]
    assert waits == [0.5, 1.0, 2.0, 900.0, 900.0]
    assert backoff(3, None, random=lambda: 0.0) == 0.0
    assert backoff(1, 40.0, random=lambda: 1.0) == 40.0
    assert backoff(1, 1e9, random=lambda: 1.0) == 900.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 5 ", 5.0),
        ("Thu, 01 Jan 1970 00:01:00 GMT", 50.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("٣", None),
        (None, None),
    ],
)
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, now=10.0) == seconds


@pytest.mark.parametrize(
    "base_url",
    [
        "ftp://a.example",
        "https://user:word@a.example",
        "https://a.example?x=1",
        "https://",
        "https://a.example/\r\nHost: b",
        "http://a.example",
        "https://[::1",
    ],
)
def test_addresses_that_are_not_used(base_url: str) -> None:
    assert isinstance(endpoint(base_url, "agent", allow_http=False), BadAddress)


def test_agent_id_is_quoted_in_the_path() -> None:
    found = endpoint("https://a.example/v1/", "../../x?y", allow_http=False)
    assert not isinstance(found, BadAddress)
    assert found.url == "https://a.example/v1/agents/..%2F..%2Fx%3Fy/trace"


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://P:1"}, "http://P:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "other.example"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "a.example"}, None),
        ({"https_proxy": "http://p:1", "NO_PROXY": ".example"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, None),
        ({"http_proxy": "http://p:1"}, None),
        ({"ALL_PROXY": "http://p:1"}, "http://p:1"),
    ],
)
def test_proxies_come_from_the_environment(environ: dict[str, str], proxy: str | None) -> None:
    target = endpoint("https://a.example/v1", "agent", allow_http=False)
    assert not isinstance(target, BadAddress)
    assert proxy_for(target, environ) == proxy
