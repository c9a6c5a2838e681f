"""The HTTP client of the trace endpoint: one request, one outcome."""

import os
import time
from collections.abc import Callable, Mapping

from infinium_transport import _answer
from infinium_transport._talker import Dialogue, Exchange, Route, Talker
from infinium_transport.address import BadAddress, endpoint, proxy_for
from infinium_transport.model import Envelope, Outcome, Parcel, Parcels, Reached, Rejected, Retry
from infinium_transport.policy import classify, parse_retry_after


class Client:
    """Posts traces over one kept-alive session; use it as a context manager, or `close` it.

    No redirect is followed and no `.netrc` read: both would hand the secret to somebody else. Proxies come from
    `environ` alone. Certificates are checked against the operating system's trust store.

    A request takes no longer than `timeout` seconds, name look-up and answer included, however slowly its bytes come:
    another thread makes it, and is left behind when its time is over.
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
        self._talker: Talker | None = None
        self._routes: dict[tuple[str, str, str], Route | BadAddress] = {}

    def send(self, envelope: Envelope, secret: str) -> Outcome:
        """Post one trace. Never raises: what went wrong comes back as the outcome."""
        outcomes: list[Outcome] = []

        def parcels() -> Parcels:
            outcomes.append((yield envelope, secret))

        waiting = parcels()
        self.send_all(waiting, next(waiting))
        return outcomes[0]

    def send_all(self, parcels: Parcels, parcel: Parcel) -> None:
        """Post traces one after another: `parcel`, and what the generator yields when it is sent an outcome.

        The generator runs in another thread most of the time. What it raises is raised here.
        """
        self._hold(self._dialogue(parcels, parcel))

    def _dialogue(self, parcels: Parcels, parcel: Parcel) -> Dialogue:
        try:
            while True:
                envelope, secret = parcel
                place = envelope.base_url, envelope.agent_id, secret
                route = self._routes.get(place)
                if route is None:
                    route = self._routes[place] = self._post(*place)
                if isinstance(route, BadAddress):
                    outcome: Outcome = Rejected(status=None, words=route.reason)
                else:
                    exchange = Exchange(route=route, key=envelope.key, body=envelope.body)
                    yield exchange
                    outcome = self._outcome(exchange, secret)
                parcel = parcels.send(outcome)
        except StopIteration:
            return

    def _outcome(self, exchange: Exchange, secret: str) -> Outcome:
        if exchange.status is None:
            return Retry(reason=self._why_not(exchange, secret))
        # The status is the server's word. What happened to the rest of the answer does not take it back.
        trace_id = _answer.trace_id(exchange.answer)
        return classify(
            exchange.status,
            words=_answer.sentence(_answer.words(exchange.answer), secret),
            trace_id=_answer.sentence(trace_id, secret) if trace_id else None,
            retry_after=parse_retry_after(exchange.retry_after, now=self._clock()),
        )

    def reach(self, base_url: str, agent_id: str) -> Reached | Retry | Rejected:
        """Ask an agent's trace address for nothing: a GET without a secret, to which any answer shows it is there."""
        route = self._route("GET", base_url, agent_id, {})
        if isinstance(route, BadAddress):
            return Rejected(status=None, words=route.reason)
        exchange = Exchange(route=route)
        self._hold(each for each in (exchange,))
        if exchange.status is None:
            return Retry(reason=self._why_not(exchange, ""))
        return Reached(url=route.url, status=exchange.status, date=exchange.date)

    def close(self) -> None:
        """Let the connections go."""
        talker, self._talker = self._talker, None
        if talker is not None:
            talker.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _post(self, base_url: str, agent_id: str, secret: str) -> Route | BadAddress:
        if not secret.isascii() or not secret.isprintable():
            return BadAddress(reason="the agent's secret holds characters that no HTTP header can carry")
        headers = {"x-agent-id": agent_id, "x-agent-key": secret, "Content-Type": "application/json"}
        return self._route("POST", base_url, agent_id, headers)

    def _route(self, method: str, base_url: str, agent_id: str, headers: dict[str, str]) -> Route | BadAddress:
        target = endpoint(base_url, agent_id, allow_http=self._allow_http)
        if isinstance(target, BadAddress):
            return target
        proxy = proxy_for(target, self._environ)
        return Route(
            method=method,
            url=target.url,
            headers={**headers, "Accept": "application/json", "User-Agent": self._user_agent},
            proxies={"https" if target.secure else "http": proxy} if proxy else {},
        )

    def _hold(self, dialogue: Dialogue) -> None:
        """Make every request of a dialogue, on one connection as long as it lasts."""
        exchange = next(dialogue, None)
        while exchange is not None:
            talker = self._talker or self._new_talker()
            self._talker = None
            if talker.walk(dialogue, exchange) is None:
                self._talker = talker
                return
            # Whatever state the connection is in, the next attempt starts anew.
            exchange = next(dialogue, None)

    def _why_not(self, exchange: Exchange, secret: str) -> str:
        """Why there is no answer."""
        if not exchange.in_time:
            return f"no answer within {self._timeout:g} s"
        error = exchange.error
        if error is None:
            return "the answer ended before it began"
        return _answer.sentence(f"{type(error).__name__}: {error}", secret)

    def _new_talker(self) -> Talker:
        import niquests

        # HTTP/3 goes over UDP, past any proxy; revocation look-ups would tell third parties when we send.
        session = niquests.Session(disable_http3=True, retries=0, revocation_configuration=None)
        session.trust_env = False
        if not self._verify_ssl:
            import warnings

            import urllib3

            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)  # the caller warns, once
        return Talker(session, timeout=self._timeout, verify=self._verify_ssl)
