"""Faulty servers, networks and keyrings."""

from collections.abc import Callable
from pathlib import Path

import pytest
from answers import ACCEPTED, NOT_NOW, certificate, connect_proxy
from api import Api, reply, serve
from lab import CANARY, Lab, Row

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]
ELSEWHERE = "https://infinium.invalid/v1"


@pytest.mark.parametrize("name", NOT_NOW)
def test_a_server_that_does_not_take_it_now(lab: Lab, api: Api, tell: Tell, name: str) -> None:
    good = api.answers
    api.answers = [NOT_NOW[name]]
    lab.turn("s-1", "t-1")
    lab.wait_until_idle()
    assert len(list(lab.outbox.pending())) == 1
    assert lab.errors()
    injected = len(api.requests)
    api.answers = good
    tell(lab.account(name, injected))


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_server_that_takes_it_and_says_so_strangely(lab: Lab, api: Api, tell: Tell, name: str) -> None:
    api.answers = [ACCEPTED[name]]
    lab.turn("s-1", "t-1")
    lab.turn("s-1", "t-2")
    row = lab.account(name, 2)
    assert row.resent == 0
    tell(row)


def test_a_server_that_is_down_for_an_hour(lab: Lab, api: Api, times: Times, tell: Tell) -> None:
    good = api.answers
    api.answers = [reply(500, b"<h1>Internal Server Error</h1>")]
    runs = times(4, 60)
    for number in range(runs):
        lab.turn("s-1", f"t-{number}")
        lab.run("retry")
    lab.wait_until_idle()
    assert len(list(lab.outbox.pending())) == runs
    injected = len(api.requests)
    assert injected <= runs * 8, "one trace is tried for all that wait, not each of them"
    api.answers = good
    tell(lab.account("500 for many runs", injected))


@pytest.mark.parametrize(
    "answer", [reply(400), reply(413), reply(302, b"", "Location: /elsewhere")], ids=["400", "413", "302"]
)
def test_a_server_that_will_never_take_it(lab: Lab, api: Api, tell: Tell, answer: bytes) -> None:
    """The trace becomes a dead letter, and `retry` queues it again."""
    good = api.answers
    api.answers = [answer]
    lab.turn("s-1", "t-1")
    lab.wait_until_idle()
    assert len(lab.outbox.dead_letters()) == len(api.requests) == 1
    api.answers = good
    lab.run("retry", "--dead")
    tell(lab.account(f"{answer[9:12].decode()}, and revived", 1))


def test_a_redirect_to_another_host(lab: Lab, api: Api, tell: Tell) -> None:
    good = api.answers
    with serve([reply(200)]) as other:
        api.answers = [reply(307, b"", f"Location: http://127.0.0.1:{other.port}/v1")]
        lab.turn("s-1", "t-1")
        lab.wait_until_idle()
        assert other.requests == []
    api.answers = good
    lab.run("retry", "--dead")
    tell(lab.account("a redirect to another host", 1))


def test_a_server_that_does_not_know_the_secret(lab: Lab, api: Api, tell: Tell) -> None:
    """One request is sent; all traces are parked until the credentials change."""
    good = api.answers
    api.answers = [reply(401, f"bad key {CANARY}".encode())]
    for number in range(3):
        lab.turn("s-1", f"t-{number}")
    lab.wait_until_idle()
    assert len(api.requests) == 1
    api.answers = good
    lab.keyring.write_text(f"answer {CANARY}-new")
    tell(lab.account("401, then other credentials", 1))


def test_nobody_there(lab: Lab, tell: Tell) -> None:
    with serve([reply(200)]) as gone:
        lab.send_to(gone.base_url)
    lab.turn("s-1", "t-1")
    lab.wait_until_idle()
    with serve([reply(200)], port=gone.port) as back:
        lab.api = back
        tell(lab.account("nobody listens", 1))


def test_no_name_and_no_proxy(lab: Lab, tmp_path: Path, tell: Tell) -> None:
    """The name is not found, the proxy is absent, the proxy refuses; then the connection works again."""
    lab.send_to(ELSEWHERE)
    with serve([reply(200)]) as gone:
        closed = f"http://127.0.0.1:{gone.port}"
    with serve([reply(502)]) as refusing:
        lab.turn("s-1", "t-1")
        lab.wait_until_idle()
        for number, proxy in enumerate((closed, f"http://127.0.0.1:{refusing.port}"), 2):
            lab.turn("s-1", f"t-{number}", environ={"HTTPS_PROXY": proxy})
            lab.wait_until_idle()
            lab.run("retry", environ={"HTTPS_PROXY": proxy})
    assert len(list(lab.outbox.pending())) == 3
    with serve([reply(200)], tls=certificate(tmp_path)) as behind, connect_proxy(behind.port) as proxy:
        lab.api = behind
        lab.environ |= {"HTTPS_PROXY": proxy, "INFINIUM_VERIFY_SSL": "false"}
        tell(lab.account("DNS fails, proxy gone, proxy refuses", 3))
    assert any("INFINIUM_VERIFY_SSL" in message for message in lab.errors())


@pytest.mark.parametrize("expired", [True, False], ids=["expired", "of an unknown authority"])
def test_a_certificate_that_is_not_to_be_trusted(lab: Lab, tmp_path: Path, tell: Tell, *, expired: bool) -> None:
    with serve([reply(200)], tls=certificate(tmp_path, expired=expired)) as api:
        lab.api = api
        lab.send_to(f"https://127.0.0.1:{api.port}/v1")
        lab.turn("s-1", "t-1")
        lab.wait_until_idle()
        assert api.requests == []
        assert len(list(lab.outbox.pending())) == 1
        lab.environ |= {"INFINIUM_VERIFY_SSL": "false"}
        tell(lab.account(f"a certificate that is {'expired' if expired else 'of an unknown authority'}", 1))
    assert any("INFINIUM_VERIFY_SSL" in message for message in lab.errors())


@pytest.mark.parametrize("behaviour", ["hang", "fail"])
def test_a_keyring_that_does_not_answer(lab: Lab, api: Api, tell: Tell, behaviour: str) -> None:
    lab.keyring.write_text(f"{behaviour} ?")
    lab.turn("s-1", "t-1")
    lab.wait_until_idle()
    assert api.requests == []
    assert len(list(lab.outbox.pending())) == 1
    assert any("keyring" in message for message in lab.errors())
    lab.keyring.write_text(f"answer {CANARY}")
    tell(lab.account(f"a keyring that {'hangs' if behaviour == 'hang' else 'fails'}", 1))
