"""A thread that talks HTTP, so that whoever waits for it can leave when the time is over."""

import threading
from collections.abc import Generator
from contextlib import suppress
from time import monotonic
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


Dialogue = Generator[Exchange, None, None]
"""Yields each request when it is to be made, and is resumed when the exchange holds what came of it."""


class Talker:
    """Owns a session, and a thread that walks through a dialogue.

    A socket's own time-outs only bound the wait for the next byte, and nothing bounds a name look-up. A request that
    takes too long is left to the thread, which ends with its connection or with the process.

    The thread resumes the dialogue itself: handing each answer over to whoever waits, and the next request back, would
    take longer than a file takes to be written.
    """

    def __init__(self, session: "Session", *, timeout: float, verify: bool) -> None:
        self._session = session
        self._timeout = timeout
        self._verify = verify
        self._template: tuple[Route, PreparedRequest] | None = None

    def walk(self, dialogue: Dialogue, exchange: Exchange) -> Exchange | None:
        """Go through a dialogue from `exchange` on, to its end.

        Gives an exchange that failed or is overdue: the dialogue stands there, and the talker is not to be used again.
        """
        walk = _Walk(dialogue, exchange)
        threading.Thread(target=self._walk, args=(walk,), daemon=True).start()
        try:
            while not walk.ended.wait(max(walk.since + self._timeout - monotonic(), 0.0)):
                with walk.turn:
                    if not walk.ended.is_set() and walk.since + self._timeout <= monotonic():
                        walk.left = True
                        walk.exchange.in_time = False
                        return walk.exchange
        except BaseException:  # Ctrl-C
            walk.left = True
            raise
        if walk.failure is not None:
            self.close()
            raise walk.failure
        return None if walk.exchange.error is None else walk.exchange

    def close(self) -> None:
        """Have the session closed, by a thread: it may wait for bytes that do not come."""
        thread = threading.Thread(target=self._close, daemon=True)
        thread.start()
        thread.join(_CLOSE_SECONDS)

    def _walk(self, walk: "_Walk") -> None:
        while True:
            try:
                self._talk(walk.exchange)
            except Exception as error:  # niquests lets through what urllib3, TLS and the socket raise
                walk.exchange.error = error
            with walk.turn:
                if not walk.left:
                    walk.step()
                if walk.left or walk.ended.is_set():
                    break
        if walk.left or walk.exchange.error is not None:
            self._close()

    def _close(self) -> None:
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


class _Walk:
    """Where a thread is in a dialogue, for the one who waits."""

    def __init__(self, dialogue: Dialogue, exchange: Exchange) -> None:
        self.dialogue = dialogue
        self.exchange = exchange
        self.since = monotonic()
        """When the exchange began."""
        self.turn = threading.Lock()
        """Held while the dialogue is resumed, which may take as long as it likes."""
        self.left = False
        """Nobody waits any more: the dialogue is another one's to resume."""
        self.ended = threading.Event()
        self.failure: BaseException | None = None
        """What the dialogue raised."""

    def step(self) -> None:
        """Resume the dialogue, unless the exchange failed."""
        if self.exchange.error is None:
            try:
                following = next(self.dialogue, None)
            except BaseException as failure:
                self.failure = failure
            else:
                if following is not None:
                    self.exchange, self.since = following, monotonic()
                    return
        self.ended.set()


def _header(response: "Response", name: str) -> str | None:
    value = response.headers.get(name)
    return value if isinstance(value, str) else None
