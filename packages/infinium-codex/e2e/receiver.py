"""An Infinium API on loopback: keeps every request, answers as told."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def trace(self) -> dict[str, Any]:
        """The body as JSON."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found


class Receiver:
    """Listens while the `with` block runs. `statuses` are answered in order, then 200."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.requests: list[Received] = []
        self.statuses = list(statuses)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def base_url(self) -> str:
        """What the project file names."""
        return f"http://127.0.0.1:{self._server.server_port}/api/v1"

    def take(self, request: Received) -> int:
        """Keep a request and give the status to answer with."""
        with self._lock:
            self.requests.append(request)
            return self.statuses.pop(0) if self.statuses else 200

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: else each answer waits 40 ms for an acknowledgement

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.take(Received(path=self.path, headers=headers, body=body))
            answer = {"message": "ok" if status == 200 else f"scripted {status}"}
            if status == 200:
                answer["traceId"] = f"trace-{len(receiver.requests)}"
            reply = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

    return Handler
