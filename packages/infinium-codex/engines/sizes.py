"""Measures one turn of the real Codex: the requests of this connector beside those of Codex's own OTLP export.

The turn has two tools. Codex exports spans, logs and metrics to a receiver on loopback; the connector exports spans and
metrics to another one. `nox -s otlp_size` prints the table in docs/fleet.md.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from codex_install import NEWEST, install_codex
from infinium_codex.demo.scripted_model import ScriptedModel
from machine import end_background, wait_for
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sandbox import Sandbox
from scenarios import PROMPT, failing_command_patch_message


class Receiver:
    """The bodies of the requests to each path."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.bodies: dict[str, list[bytes]] = {}

    def size(self, path: str) -> int:
        """Bytes of all requests to a path."""
        return sum(map(len, self.bodies.get(path, ())))

    @property
    def spans(self) -> int:
        """Number of all spans."""
        requests = (ExportTraceServiceRequest.FromString(body) for body in self.bodies.get("/v1/traces", ()))
        scopes = (scope for request in requests for found in request.resource_spans for scope in found.scope_spans)
        return sum(len(scope.spans) for scope in scopes)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive requests on a free loopback port while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            receiver.bodies.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def own_export(url: str) -> str:
    """The lines of Codex's configuration that turn its own export on."""
    exporters = (
        ("exporter", "logs"),
        ("trace_exporter", "traces"),
        ("metrics_exporter", "metrics"),
    )
    lines = [
        f'{name} = {{ otlp-http = {{ endpoint = "{url}/v1/{signal}", protocol = "binary" }} }}'
        for name, signal in exporters
    ]
    return "\n[otel]\nlog_user_prompt = true\n" + "\n".join(lines) + "\n"


def measure(root: Path, *, contents: bool) -> list[str]:
    """Play the turn once; return rows of the table."""
    sandbox = Sandbox(root, install_codex(NEWEST), NEWEST)
    with receiving() as codex, receiving() as ours, ScriptedModel(failing_command_patch_message()) as model:
        sandbox.configure_codex(model, last=own_export(codex.url))
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        environ = {"CONNECTOR_OTLP_ENDPOINT": ours.url, "OTEL_METRICS_EXPORTER": "otlp"}
        environ |= {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"} if contents else {}
        sandbox.codex_exec(PROMPT, environ=environ)
        wait_for(lambda: "/v1/metrics" in ours.bodies, "the connector's export")
        sandbox.wait_until_idle()
        local = sum(path.stat().st_size for path in (sandbox.state / "local").glob("*.json"))
        end_background(root)
        rows = [_row(f"this connector{', with contents' if contents else ''}", ours)]
        return (
            rows
            if contents
            else [_row(f"Codex {NEWEST} itself", codex), *rows, f"| Infinium trace | – | {local:,} | – | – |"]
        )


def _row(name: str, found: Receiver) -> str:
    traces, logs, metrics = (found.size(f"/v1/{signal}") for signal in ("traces", "logs", "metrics"))
    return f"| {name} | {found.spans} | {traces:,} | {logs:,} | {metrics:,} |"


def main() -> None:
    """Print the table."""
    print("| export of one turn with two tools | spans | bytes of spans | bytes of logs | bytes of metrics |")
    print("|---|---|---|---|---|")
    for contents in (False, True):
        with TemporaryDirectory() as directory:
            print("\n".join(measure(Path(directory), contents=contents)))


if __name__ == "__main__":
    main()
