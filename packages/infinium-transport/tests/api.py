"""An API on loopback with scripted answers that records its requests."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Request(NamedTuple):
    """A request as it came in."""

    headers: dict[str, str]
    """Names in lower case; the request line as `""`."""
    body: bytes

    @property
    def path(self) -> str:
        """The path in the request line."""
        return self.headers[""].split()[1]

    @property
    def trace(self) -> dict[str, Any]:
        """The body, which must be a JSON object."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


@dataclass(slots=True)
class Api:
    """A running server and its requests."""

    port: int
    requests: list[Request] = field(default_factory=list)
    answers: "list[Answer]" = field(default_factory=list)
    """Given in order, one a request; the last one is repeated. A test may replace them at any time."""
    answered: "list[Answer]" = field(default_factory=list)
    """The answer that each request got."""

    @property
    def base_url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.port}/v1"

    def take(self, request: Request) -> "Answer":
        """Record a request and return its answer."""
        with self._lock:
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            self.requests.append(request)
            self.answered.append(answer)
            return answer

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


Answer = bytes | Callable[[socket.socket], None]


def reply(status: int, body: bytes = b'{"message": "ok", "traceId": "t-1"}', *headers: str) -> bytes:
    """A whole HTTP answer."""
    head = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


@contextmanager
def serve(answers: Sequence[Answer], tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Api]:
    """Serve the answers in order, one a request; the last one is repeated. Uses a free port unless `port` is given."""
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    api = Api(port=listener.getsockname()[1], answers=list(answers))
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        if tls is not None:
            try:
                connection = tls.wrap_socket(connection, server_side=True)
            except OSError:
                return  # the client did not accept the certificate
        with connection, connection.makefile("rb") as file:
            while (request := _read(file.readline, file.read)) is not None:
                answer = api.take(request)
                try:
                    if callable(answer):
                        answer(connection)
                        return
                    connection.sendall(answer)
                except OSError:
                    return

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield api
    finally:
        with suppress(OSError):  # on Windows `close` alone ends `accept`
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def receive(*statuses: int) -> AbstractContextManager[Api]:
    """Serve these statuses in order, then 200 for ever; the n-th answer, if it is a 200, has the trace id `trace-n`."""
    answers = []
    for number, status in enumerate((*statuses, 200), 1):
        answer = {"message": "ok", "traceId": f"trace-{number}"} if status == 200 else {"message": f"scripted {status}"}
        answers.append(reply(status, json.dumps(answer).encode()))
    return serve(answers)


def _read(readline: Callable[[], bytes], read: Callable[[int], bytes]) -> Request | None:
    try:
        first = readline()
        if not first:
            return None
        headers = {"": first.decode().strip()}
        while line := readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", "0"))
        body = read(length)
        return Request(headers, body) if len(body) == length else None
    except (OSError, ValueError):
        return None
