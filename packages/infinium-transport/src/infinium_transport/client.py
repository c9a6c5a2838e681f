"""The HTTP client of the trace endpoint: one request, one outcome."""

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct, field

from infinium_transport.address import BadAddress, Endpoint, endpoint, proxy_for
from infinium_transport.model import Envelope, Outcome, Reached, Rejected, Retry
from infinium_transport.policy import classify, parse_retry_after

if TYPE_CHECKING:
    from niquests import Response, Session

MAX_REPLY_BYTES: Final = 64 * 1024
"""More of an answer is not read: it holds an id or a sentence."""
MAX_WORDS: Final = 300
_CONNECT_SECONDS: Final = 10.0
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


class _Exchange(Struct):
    """One request and as much of its answer as has come; another thread fills it in."""

    status: int | None = None
    """Set last of the head: with it, the headers are known too."""
    retry_after: str | None = None
    date: str | None = None
    body: bytes = b""
    error: Exception | None = None
    in_time: bool = True
    """Whether all of it came within the time-out."""
    done: threading.Event = field(default_factory=threading.Event)
    given_up: bool = False
    """Nobody waits any more: whoever comes last closes the session."""


class Client:
    """Posts traces over one kept-alive session; use it as a context manager, or `close` it.

    No redirect is followed and no `.netrc` read: both would hand the secret to somebody else. Proxies come from
    `environ` alone. Certificates are checked against the operating system's trust store.

    A request takes no longer than `timeout` seconds, name look-up and answer included, however slowly its bytes come.
    A socket's own time-outs only bound the wait for the next byte, so each request has a thread, which is left behind
    when its time is over (it ends with its connection or with the process).
    """

    def __init__(
        self,
        *,
        timeout: float,
        verify_ssl: bool,
        user_agent: str,
        allow_http: bool = False,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._timeout = timeout
        self._verify_ssl = verify_ssl
        self._user_agent = user_agent
        self._allow_http = allow_http
        self._environ = environ
        self._clock = clock
        self._session: Session | None = None

    def send(self, envelope: Envelope, secret: str) -> Outcome:
        """Post one trace. Never raises: what went wrong comes back as the outcome."""
        target = endpoint(envelope.base_url, envelope.agent_id, allow_http=self._allow_http)
        if isinstance(target, BadAddress):
            return Rejected(status=None, words=target.reason)
        if not secret.isascii() or not secret.isprintable():
            return Rejected(status=None, words="the agent's secret holds characters that no HTTP header can carry")
        headers = {
            "x-agent-id": envelope.agent_id,
            "x-agent-key": secret,
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": self._user_agent,
            "Idempotency-Key": envelope.key,
        }
        exchange = self._ask("POST", target, headers, envelope.body)
        if exchange.status is None:
            return Retry(reason=self._why_not(exchange, secret))
        # The status is the server's word. What happened to the rest of the answer does not take it back.
        body = exchange.body
        return classify(
            exchange.status,
            words=_sentence(_words(body), secret),
            trace_id=_sentence(trace_id, secret) if (trace_id := _trace_id(body)) else None,
            retry_after=parse_retry_after(exchange.retry_after, now=self._clock()),
        )

    def reach(self, base_url: str, agent_id: str) -> Reached | Retry | Rejected:
        """Ask an agent's trace address for nothing: a GET without a secret, to which any answer shows it is there."""
        target = endpoint(base_url, agent_id, allow_http=self._allow_http)
        if isinstance(target, BadAddress):
            return Rejected(status=None, words=target.reason)
        exchange = self._ask("GET", target, {"Accept": "application/json", "User-Agent": self._user_agent}, None)
        if exchange.status is None:
            return Retry(reason=self._why_not(exchange, ""))
        return Reached(url=target.url, status=exchange.status, date=exchange.date)

    def close(self) -> None:
        """Let the connections go."""
        session, self._session = self._session, None
        if session is not None:
            _close(session)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, target: Endpoint, headers: dict[str, str], body: bytes | None) -> _Exchange:
        """One request, and as much of its answer as comes in time."""
        proxy = proxy_for(target, self._environ)
        proxies = {"https" if target.secure else "http": proxy} if proxy else {}
        if self._session is None:
            self._session = self._new_session()
        session, exchange = self._session, _Exchange()
        arguments = (session, method, target.url, headers, body, proxies, exchange)
        threading.Thread(target=self._talk, args=arguments, daemon=True).start()
        exchange.in_time = exchange.done.wait(self._timeout)
        if not exchange.in_time:
            self._session = None  # closing it now could wait for the very bytes that do not come
            exchange.given_up = True
            if exchange.done.is_set():
                _close(session)
        elif exchange.error is not None:
            self.close()  # whatever state the connection is in, the next attempt starts anew
        return exchange

    def _why_not(self, exchange: _Exchange, secret: str) -> str:
        """Why there is no answer."""
        if not exchange.in_time:
            return f"no answer within {self._timeout:g} s"
        error = exchange.error
        return _sentence(f"{type(error).__name__}: {error}", secret) if error else "the answer ended before it began"

    def _talk(
        self,
        session: "Session",
        method: str,
        url: str,
        headers: dict[str, str],
        body: bytes | None,
        proxies: dict[str, str],
        exchange: _Exchange,
    ) -> None:
        """Fill in the exchange, as far as it gets."""
        try:
            response = session.request(
                method,
                url,
                data=body,
                headers=headers,
                timeout=(min(_CONNECT_SECONDS, self._timeout), self._timeout),
                allow_redirects=False,
                proxies=proxies,
                stream=True,
                verify=self._verify_ssl,
            )
            try:
                exchange.retry_after = _header(response, "Retry-After")
                exchange.date = _header(response, "Date")
                exchange.status = response.status_code
                for chunk in response.iter_content(4096):
                    exchange.body = (exchange.body + chunk)[:MAX_REPLY_BYTES]
                    if len(exchange.body) == MAX_REPLY_BYTES:
                        break
            finally:
                response.close()
        except Exception as error:  # niquests lets through what urllib3, TLS and the socket raise
            exchange.error = error
        finally:
            exchange.done.set()
            if exchange.given_up:
                _close(session)

    def _new_session(self) -> "Session":
        import niquests

        # HTTP/3 goes over UDP, past any proxy; revocation look-ups would tell third parties when we send.
        session = niquests.Session(disable_http3=True, retries=0, revocation_configuration=None)
        session.trust_env = False
        if not self._verify_ssl:
            import warnings

            import urllib3

            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)  # the caller warns, once
        return session


def _close(session: "Session") -> None:
    with suppress(Exception):  # a broken connection may object to being closed
        session.close()


def _header(response: "Response", name: str) -> str | None:
    value = response.headers.get(name)
    return value if isinstance(value, str) else None


def _parsed(body: bytes) -> Mapping[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _trace_id(body: bytes) -> str | None:
    answer = _parsed(body)
    found = answer.get("traceId") or answer.get("id")
    return found if isinstance(found, str) else None


def _words(body: bytes) -> str:
    """What the server said, for a person: its message, else the beginning of its text."""
    answer = _parsed(body)
    for name in ("message", "detail", "error", "title"):
        value = answer.get(name)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value.strip():
            return value
    return body.decode("utf-8", "replace")


def _sentence(text: str, secret: str) -> str:
    """One printable line without the secret, which goes first: a half of it, at the cut, would not be recognized."""
    line = _UNPRINTABLE.sub(" ", text.replace(secret, "***") if secret else text).strip()
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 1]}…"
