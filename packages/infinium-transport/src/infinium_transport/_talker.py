"""A thread that talks HTTP, so that whoever asked it can leave when the time is over."""

import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from niquests import PreparedRequest, Response, Session

MAX_REPLY_BYTES: Final = 64 * 1024
"""More of an answer is not read: it holds an id or a sentence."""
_CONNECT_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 1.0


class Route(Struct, frozen=True, kw_only=True, eq=False):
    """What the requests for one agent have in common."""

    method: str
    url: str
    headers: dict[str, str]
    proxies: dict[str, str]


class Exchange(Struct, kw_only=True, eq=False):
    """One request and as much of its answer as has come; the talker fills it in."""

    route: Route
    key: str = ""
    body: bytes | None = None
    status: int | None = None
    """Set last of the head: with it, the headers are known too."""
    retry_after: str | None = None
    date: str | None = None
    answer: bytes = b""
    error: Exception | None = None
    in_time: bool = True
    """Whether all of it came within the time-out."""


class Talker:
    """Owns a session, and makes one request after another on it.

    A socket's own time-outs only bound the wait for the next byte, and nothing bounds a name look-up. A request that
    takes too long is left to this thread, which ends with its connection or with the process.
    """

    def __init__(self, session: "Session", *, timeout: float, verify: bool) -> None:
        self._session = session
        self._timeout = timeout
        self._verify = verify
        self._template: tuple[Route, PreparedRequest] | None = None
        self._asked: SimpleQueue[Exchange | None] = SimpleQueue()
        self._answered: SimpleQueue[Exchange] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self, exchange: Exchange) -> bool:
        """Make a request; whether it ended in time. A talker that is behind, or whose request failed, is to be left."""
        self._asked.put(exchange)
        try:
            self._answered.get(timeout=self._timeout)
        except Empty:
            exchange.in_time = False
            return False
        return exchange.error is None

    def leave(self) -> None:
        """Have the session closed when its thread gets to it: now, that could wait for bytes that do not come."""
        self._asked.put(None)

    def close(self) -> None:
        """Have the session closed."""
        self.leave()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (exchange := self._asked.get()) is not None:
            try:
                self._talk(exchange)
            except Exception as error:  # niquests lets through what urllib3, TLS and the socket raise
                exchange.error = error
            self._answered.put(exchange)
        with suppress(Exception):  # a broken connection may object to being closed
            self._session.close()

    def _talk(self, exchange: Exchange) -> None:
        response = self._session.send(
            self._prepare(exchange),
            timeout=(min(_CONNECT_SECONDS, self._timeout), self._timeout),
            allow_redirects=False,
            proxies=exchange.route.proxies,
            stream=True,
            verify=self._verify,
        )
        try:
            exchange.retry_after = _header(response, "Retry-After")
            exchange.date = _header(response, "Date")
            exchange.status = response.status_code
            for chunk in response.iter_content(4096):
                exchange.answer = (exchange.answer + chunk)[:MAX_REPLY_BYTES]
                if len(exchange.answer) == MAX_REPLY_BYTES:
                    break
        finally:
            response.close()

    def _prepare(self, exchange: Exchange) -> "PreparedRequest":
        # Checking an address and headers takes niquests as long as writing a file, and they stay the same.
        if self._template is None or self._template[0] is not exchange.route:
            from niquests import Request

            route = exchange.route
            self._template = route, Request(route.method, route.url, headers=route.headers).prepare()
        request = self._template[1].copy()
        if exchange.body is not None:
            assert request.headers is not None
            request.headers["Idempotency-Key"] = exchange.key
            request.prepare_body(exchange.body, None)
        return request


def _header(response: "Response", name: str) -> str | None:
    value = response.headers.get(name)
    return value if isinstance(value, str) else None
