"""One kept-alive HTTP connection whose requests end within a timeout."""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from infinium_transport._daemon_executor import DaemonExecutor

if TYPE_CHECKING:
    from niquests import PreparedRequest, Response, Session

MAX_BODY_BYTES: Final = 64 * 1024
"""The rest of a longer answer to a trace is not read: it holds an id or a sentence."""
_CONNECT_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 1.0


class Route(Struct, frozen=True, kw_only=True, eq=False):
    """What all requests for one agent have in common."""

    method: str
    url: str
    headers: dict[str, str]
    proxies: dict[str, str]
    max_body: int = MAX_BODY_BYTES
    """Bytes of an answer that are read."""


class Answer(Struct, kw_only=True):
    """An HTTP answer, as far as it arrived."""

    status: int | None = None
    """None when no complete head arrived."""
    retry_after: str | None = None
    date: str | None = None
    body: bytes = b""
    error: BaseException | None = None
    """What ended the request early."""
    in_time: bool = True
    """False when the answer was incomplete at the timeout."""


class Connection:
    """Sends requests on a daemon thread so that the caller can enforce a deadline.

    A socket's own timeouts limit only the wait for the next byte, and nothing limits a name look-up. A request that is
    overdue stays with its thread, which closes the connection when the request ends.
    """

    def __init__(self, session: "Session", *, timeout: float, verify: bool | str) -> None:
        self._session = session
        self._timeout = timeout
        self._verify = verify
        self._executor = DaemonExecutor()
        self._template: tuple[Route, PreparedRequest] | None = None

    def request(self, route: Route, *, key: str = "", body: bytes | None = None) -> Answer:
        """Make one request and return what arrived within the timeout.

        After an answer with an error or one that is not in time, the connection must not be used again: close it.
        """
        answer = Answer()
        call = self._executor.submit(lambda: self._exchange(route, key, body, answer))
        try:
            answer.error = call.exception(self._timeout)  # any: niquests lets pass what urllib3, TLS and sockets raise
        except TimeoutError:
            return _at_timeout(answer)
        return answer

    def close(self) -> None:
        """Close the connection after a request that is still under way; wait for that at most one second."""
        closed = self._executor.submit(self._session.close)
        self._executor.shutdown()
        with suppress(Exception):  # closing a broken connection may fail or take too long
            closed.result(_CLOSE_SECONDS)

    def abandon(self) -> None:
        """Close the connection when the request under way ends, without waiting for that."""
        self._executor.submit(self._session.close)
        self._executor.shutdown()

    def _exchange(self, route: Route, key: str, body: bytes | None, answer: Answer) -> None:
        response = self._session.send(
            self._prepare(route, key, body),
            timeout=(min(_CONNECT_SECONDS, self._timeout), self._timeout),
            allow_redirects=False,
            proxies=route.proxies,
            stream=True,
            verify=self._verify,
        )
        try:
            answer.retry_after = _header(response, "Retry-After")
            answer.date = _header(response, "Date")
            answer.status = response.status_code  # last: a reader that sees the status has the headers too
            for chunk in response.iter_content(4096):
                answer.body = (answer.body + chunk)[: route.max_body]
                if len(answer.body) == route.max_body:
                    break
        finally:
            response.close()

    def _prepare(self, route: Route, key: str, body: bytes | None) -> "PreparedRequest":
        # niquests takes as long to check an address and headers as the disk takes to write a file, and both stay the
        # same for all traces of an agent.
        if self._template is None or self._template[0] is not route:
            from niquests import Request

            self._template = route, Request(route.method, route.url, headers=route.headers).prepare()
        request = self._template[1].copy()
        if body is not None:
            assert request.headers is not None
            request.headers["Idempotency-Key"] = key
            request.prepare_body(body, None)
        return request


def _at_timeout(answer: Answer) -> Answer:
    """A copy that the thread, which may still be receiving, does not change."""
    status = answer.status  # read first, since the thread sets it after the headers
    return replace(answer, status=status, in_time=False)


def _header(response: "Response", name: str) -> str | None:
    value = response.headers.get(name)
    return value if isinstance(value, str) else None
