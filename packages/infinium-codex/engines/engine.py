"""OTLP engines with a page: Arize Phoenix and MLflow, each from an environment of its own, on loopback."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

START_SECONDS = 240.0
"""Phoenix takes 21 s on an idle machine, MLflow 9 s; both first create their databases."""
INPUT, OUTPUT = "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """A span as an engine's own API returns it."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    parent_id: str | None
    name: str
    is_error: bool
    input_tokens: int
    output_tokens: int


class Engine(Protocol):
    """What the tests need of an engine."""

    name: str
    headers: str
    """The value of OTEL_EXPORTER_OTLP_HEADERS."""

    def command(self, programs: Path, port: int, directory: Path) -> tuple[list[str], Mapping[str, str]]:
        """The command that serves on the port, and its variables. `programs` is the `bin` of its environment."""

    def is_ready(self, url: str) -> bool:
        """Whether it answers."""

    def spans(self, url: str) -> list[FoundSpan]:
        """Every span that it has."""

    def total_tokens(self, url: str, trace_id: str) -> tuple[int, int]:
        """The tokens that it adds up for a trace: input and output."""

    def page(self, url: str, trace_id: str) -> str:
        """The address of the trace's page."""


class Phoenix:
    """Arize Phoenix."""

    name, headers = "Phoenix", ""

    def command(self, programs: Path, port: int, directory: Path) -> tuple[list[str], Mapping[str, str]]:
        variables = {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_WORKING_DIR": str(directory),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        }
        return [str(programs / "phoenix"), "serve"], variables

    def is_ready(self, url: str) -> bool:
        return bool(get_json(f"{url}/v1/projects")["data"] is not None)

    def spans(self, url: str) -> list[FoundSpan]:
        found: list[FoundSpan] = []
        cursor = ""
        while True:
            page = get_json(f"{url}/v1/projects/default/spans?limit=500{cursor}")
            found += [_phoenix_span(span) for span in page["data"]]
            if not page["next_cursor"]:
                return found
            cursor = f"&cursor={page['next_cursor']}"

    def total_tokens(self, url: str, trace_id: str) -> tuple[int, int]:
        figures = "cumulativeTokenCountPrompt cumulativeTokenCountCompletion"
        query = f"query($id: String!) {{ trace: getTraceByOtelId(traceId: $id) {{ rootSpan {{ {figures} }} }} }}"
        answer = get_json(f"{url}/graphql", json.dumps({"query": query, "variables": {"id": trace_id}}).encode())
        root = answer["data"]["trace"]["rootSpan"]
        return int(root["cumulativeTokenCountPrompt"]), int(root["cumulativeTokenCountCompletion"])

    def page(self, url: str, trace_id: str) -> str:
        project = get_json(f"{url}/v1/projects")["data"][0]["id"]
        return f"{url}/projects/{project}/traces/{trace_id}"


class MLflow:
    """MLflow. It takes spans for an experiment, named in a header."""

    name, headers = "MLflow", "x-mlflow-experiment-id=0"

    def command(self, programs: Path, port: int, directory: Path) -> tuple[list[str], Mapping[str, str]]:
        store = f"sqlite:///{directory / 'mlflow.db'}"
        options = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", store]
        return [str(programs / "mlflow"), "server", *options], {"MLFLOW_DISABLE_TELEMETRY": "true"}

    def is_ready(self, url: str) -> bool:
        return bool(get_json(f"{url}/api/2.0/mlflow/experiments/get?experiment_id=0")["experiment"])

    def spans(self, url: str) -> list[FoundSpan]:
        traces = get_json(f"{url}/api/2.0/mlflow/traces?experiment_ids=0").get("traces", [])
        found = []
        for trace in traces:
            whole = get_json(f"{url}/api/3.0/mlflow/traces/get?trace_id={trace['request_id']}")["trace"]
            found += [_mlflow_span(span) for span in whole["spans"]]
        return found

    def total_tokens(self, url: str, trace_id: str) -> tuple[int, int]:
        trace = get_json(f"{url}/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}")["trace"]
        usage = json.loads(trace["trace_info"]["trace_metadata"]["mlflow.trace.tokenUsage"])
        return int(usage["input_tokens"]), int(usage["output_tokens"])

    def page(self, url: str, trace_id: str) -> str:
        return f"{url}/#/experiments/0/traces?selectedEvaluationId=tr-{trace_id}"


def _phoenix_span(span: Mapping[str, Any]) -> FoundSpan:
    attributes = span["attributes"]
    return FoundSpan(
        trace_id=span["context"]["trace_id"],
        span_id=span["context"]["span_id"],
        parent_id=span["parent_id"],
        name=span["name"],
        is_error=span["status_code"] == "ERROR",
        input_tokens=int(attributes.get(INPUT, 0)),
        output_tokens=int(attributes.get(OUTPUT, 0)),
    )


def _mlflow_span(span: Mapping[str, Any]) -> FoundSpan:
    numbers = {one["key"]: one["value"].get("int_value") for one in span["attributes"]}
    parent = span.get("parent_span_id")
    return FoundSpan(
        trace_id=base64.b64decode(span["trace_id"]).hex(),
        span_id=base64.b64decode(span["span_id"]).hex(),
        parent_id=base64.b64decode(parent).hex() if parent else None,
        name=span["name"],
        is_error="ERROR" in str(span.get("status", {}).get("code")),
        input_tokens=int(numbers.get(INPUT) or 0),
        output_tokens=int(numbers.get(OUTPUT) or 0),
    )


@contextmanager
def serving(engine: Engine, programs: Path, directory: Path, port: int) -> Iterator[str]:
    """Serve an engine while the block runs; yields its address, when it answers."""
    directory.mkdir(parents=True, exist_ok=True)
    command, variables = engine.command(programs, port, directory)
    url = f"http://127.0.0.1:{port}"
    with (directory / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_ready(engine, url, process, directory)
            yield url
        finally:
            _end(process)


def _wait_until_ready(engine: Engine, url: str, process: "subprocess.Popen[bytes]", directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if engine.is_ready(url):
                return
        except (OSError, ValueError, KeyError):
            time.sleep(0.5)
    text = (directory / "output.txt").read_text("utf-8", "replace")[-2_000:]
    raise AssertionError(f"{engine.name} does not answer at {url}:\n{text}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End an engine and the processes it started."""
    for number in (15, 9):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            continue
    process.wait(15)


def get_json(url: str, body: bytes | None = None) -> Any:
    """Return the JSON at an address, by GET or, with a body, by POST. Raises OSError or ValueError."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        raise ValueError(f"{url}: {error.code} {error.read()[:300]!r}") from error


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def take_screenshot(page: str, path: Path) -> bool:
    """Write a picture of a page with a headless Chromium; False if there is none."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        return False
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1500,1000"]
    profile = path.with_suffix(".profile")
    command = [chromium, *options, f"--user-data-dir={profile}", "--virtual-time-budget=30000", f"--screenshot={path}"]
    subprocess.run([*command, page], check=True, capture_output=True, timeout=180)
    shutil.rmtree(profile, ignore_errors=True)
    return path.exists()
