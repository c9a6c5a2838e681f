"""The HTTP client of the trace endpoint: one request, one outcome."""

import os
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from msgspec.structs import replace

from infinium_transport import _answer
from infinium_transport._connection import Answer, Connection, Route
from infinium_transport._failure import explain
from infinium_transport.address import BadAddress, Endpoint, check_address, endpoint, proxy_for
from infinium_transport.model import Accepted, Answered, Envelope, Outcome, Reached, Rejected, Retry
from infinium_transport.policy import classify_refusal, parse_retry_after
from infinium_transport.results import MAX_RESULT_BYTES, ResultOutcome, parse_result

DEFAULT_TIMEOUT = 30.0
"""Seconds."""
_BAD_SECRET = "the agent's secret contains characters that an HTTP header cannot carry"  # noqa: S105 - a message


class Client:
    """Posts traces over one kept-alive connection. Use it as a context manager, or call `close`.

    It follows no redirect and reads no `.netrc`: both would give the secret to another host. Proxies come from
    `environ` alone. Certificates are checked against the operating system's trust store. With `verify_ssl` off the
    caller must warn the user; the client prints nothing. `ca_file` replaces the trust store by the certificates in a
    file, and `client_certificate` names the files of a certificate and its key to present to the server.

    A request ends within `timeout` seconds, name look-up and answer included, however slowly the bytes come.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeout: float = DEFAULT_TIMEOUT,
        verify_ssl: bool = True,
        ca_file: str | None = None,
        client_certificate: tuple[str, str] | None = None,
        allow_http: bool = False,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._user_agent = user_agent
        self._timeout = timeout
        self._verify_ssl = verify_ssl
        self._ca_file = ca_file
        self._client_certificate = client_certificate
        self._allow_http = allow_http
        self._environ = environ
        self._clock = clock
        self._connection: Connection | None = None
        self._routes: dict[tuple[str, ...], Route | BadAddress] = {}

    def send(self, envelope: Envelope, secret: str) -> Outcome:
        """Post one trace. Never raises: a failure is returned as the outcome."""
        recipient = envelope.base_url, envelope.agent_id, secret
        route = self._routes.get(recipient)
        if route is None:
            route = self._routes[recipient] = self._post_route(*recipient)
        if isinstance(route, BadAddress):
            return Rejected(status=None, message=route.reason)
        answer = self._request(route, key=envelope.key, body=envelope.body)
        if answer.status is None:
            return Retry(reason=self._failure(answer, route, secret))
        # The status is the server's decision. It holds when the rest of the answer is cut short.
        if 200 <= answer.status < 300:
            trace_id = _answer.trace_id(answer.body)
            return Accepted(trace_id=_answer.one_line(trace_id, secret) if trace_id else None)
        return classify_refusal(
            answer.status,
            message=_answer.one_line(_answer.server_message(answer.body), secret),
            retry_after=parse_retry_after(answer.retry_after, now=self._clock()),
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, key: str = "") -> Answered | Retry | Rejected:
        """Post a body to the address of another protocol; its caller says what a status means. Never raises.

        Returns Retry without an answer, and Rejected for an address or headers that cannot be used.
        """
        names = url, *headers.keys(), *headers.values()
        route = self._routes.get(names)
        if route is None:
            usable = all(text.isascii() and text.isprintable() for text in (*headers.keys(), *headers.values()))
            target = check_address(url, allow_http=self._allow_http)
            route = self._route_to("POST", target, headers) if usable else BadAddress(reason="a header is not ASCII")
            self._routes[names] = route
        if isinstance(route, BadAddress):
            return Rejected(status=None, message=route.reason)
        answer = self._request(route, key=key, body=body)
        if answer.status is None:
            return Retry(reason=self._failure(answer, route, ""))
        retry_after = parse_retry_after(answer.retry_after, now=self._clock())
        return Answered(status=answer.status, retry_after=retry_after, body=answer.body)

    def reach(self, base_url: str, agent_id: str) -> Reached | Retry | Rejected:
        """Test whether a server answers at an agent's trace address: a GET without the secret; any answer counts."""
        route = self._route("GET", base_url, agent_id, {})
        if isinstance(route, BadAddress):
            return Rejected(status=None, message=route.reason)
        answer = self._request(route)
        if answer.status is None:
            return Retry(reason=self._failure(answer, route, ""))
        return Reached(url=route.url, status=answer.status, date=answer.date)

    def fetch_result(self, base_url: str, agent_id: str, trace_id: str, secret: str) -> ResultOutcome:
        """Fetch the server's interpretation of a trace: its grade. Never raises; a failure is the outcome.

        `trace_id` is the server's id of the trace.
        """
        if not _fits_header(secret):
            return Rejected(status=None, message=_BAD_SECRET)
        resource = ("interpreted-result", trace_id)
        target = endpoint(base_url, agent_id, allow_http=self._allow_http, resource=resource)
        route = self._route_to("GET", target, {"x-agent-id": agent_id, "x-agent-key": secret})
        if isinstance(route, BadAddress):
            return Rejected(status=None, message=route.reason)
        route = replace(route, max_body=MAX_RESULT_BYTES + 1)
        answer = self._request(route)
        if answer.status is None:
            return Retry(reason=self._failure(answer, route, secret))
        if answer.status == 404 or 200 <= answer.status < 300:
            if not answer.in_time or answer.error is not None:
                return Retry(reason="the answer was cut short", status=answer.status)
            message = _answer.one_line(_answer.server_message(answer.body), secret)
            return parse_result(answer.status, answer.body, message)
        return classify_refusal(
            answer.status,
            message=_answer.one_line(_answer.server_message(answer.body), secret),
            retry_after=parse_retry_after(answer.retry_after, now=self._clock()),
        )

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, route: Route, *, key: str = "", body: bytes | None = None) -> Answer:
        # The client owns the connection again only after a request that left it usable. After a failure, a timeout or
        # Ctrl-C the next request opens a new one.
        connection, self._connection = self._connection or self._connect(), None
        usable = False
        try:
            answer = connection.request(route, key=key, body=body)
            usable = answer.error is None and answer.in_time
        finally:
            if usable:
                self._connection = connection
            else:
                connection.abandon()
        return answer

    def _connect(self) -> Connection:
        import niquests

        # HTTP/3 uses UDP and would bypass a proxy. Certificate revocation look-ups would tell third parties when
        # traces are sent.
        session = niquests.Session(disable_http3=True, retries=0, revocation_configuration=None)
        session.trust_env = False
        if not self._verify_ssl:
            import warnings

            import urllib3

            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)  # the caller warns, once
        session.cert = self._client_certificate
        verify = self._ca_file if self._verify_ssl and self._ca_file else self._verify_ssl
        return Connection(session, timeout=self._timeout, verify=verify)

    def _post_route(self, base_url: str, agent_id: str, secret: str) -> Route | BadAddress:
        if not _fits_header(secret):
            return BadAddress(reason=_BAD_SECRET)
        headers = {"x-agent-id": agent_id, "x-agent-key": secret, "Content-Type": "application/json"}
        return self._route("POST", base_url, agent_id, headers)

    def _route(self, method: str, base_url: str, agent_id: str, headers: dict[str, str]) -> Route | BadAddress:
        return self._route_to(method, endpoint(base_url, agent_id, allow_http=self._allow_http), headers)

    def _route_to(self, method: str, target: Endpoint | BadAddress, headers: Mapping[str, str]) -> Route | BadAddress:
        if isinstance(target, BadAddress):
            return target
        proxy = proxy_for(target, self._environ)
        return Route(
            method=method,
            url=target.url,
            headers={"Accept": "application/json", **headers, "User-Agent": self._user_agent},
            proxies={"https" if target.secure else "http": proxy} if proxy else {},
        )

    def _failure(self, answer: Answer, route: Route, secret: str) -> str:
        """Why there is no status."""
        if not answer.in_time:
            return f"no answer within {self._timeout:g} s"
        if answer.error is None:
            return "the connection was closed before an answer"
        proxy = next((_host(address) for address in route.proxies.values()), "")
        return _answer.one_line(explain(answer.error, _host(route.url), proxy), secret)


def _host(url: str) -> str:
    """Host and port of an address, as written there, without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _fits_header(secret: str) -> bool:
    return secret.isascii() and secret.isprintable()
