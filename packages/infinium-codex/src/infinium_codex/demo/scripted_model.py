"""A model server on loopback that answers Codex from a script, so that a real turn needs no account and no network.

It implements the part of the Responses API that Codex uses: `POST /v1/responses`, answered with server-sent events.
Tools are called by the names that the running Codex offers, which differ between versions.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from msgspec import Struct, field

_SHELL_TOOLS = {"exec_command": "cmd", "shell_command": "command"}
"""Names of the shell tool, newest first, each with its argument."""


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens reported for one response, as the Responses API counts them."""

    input_tokens: int
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def to_wire(self) -> dict[str, Any]:
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.input_tokens + self.output_tokens,
        }


class Say(Struct, frozen=True):
    """The model sends a message."""

    text: str


class Shell(Struct, frozen=True):
    """The model runs a shell command."""

    command: str


class Patch(Struct, frozen=True):
    """The model applies a patch in Codex's patch format."""

    text: str


class Told(Struct, frozen=True):
    """An argument taken from a tool output: the first group of the pattern's last match."""

    pattern: str


class Call(Struct, frozen=True):
    """The model calls a function tool by name, in its namespace if the tool is not offered without one.

    An argument may be `Told`.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    namespace: str | None = None


class Program(Struct, frozen=True):
    """The model calls a custom tool with text, such as Code Mode's `exec` with a program."""

    name: str
    text: str


class Item(Struct, frozen=True):
    """The model sends an output item of another type, such as `web_search_call`."""

    fields: dict[str, Any]


class Pause(Struct, frozen=True):
    """The server waits before it streams the next move."""

    seconds: float


class Fail(Struct, frozen=True):
    """The server answers with an HTTP error."""

    status: int = 500


class Break(Struct, frozen=True):
    """The stream ends here, without `response.completed` and its usage."""


Move = Say | Shell | Patch | Call | Program | Item | Pause | Fail | Break


class Reply(Struct, frozen=True):
    """One response of the model: its moves and the usage it reports."""

    moves: Sequence[Move]
    usage: Usage
    wait: float = 0.0
    """Seconds before the server answers."""
    to: str | None = None
    """Text in the user's messages (or in a subagent's task) that this reply answers, instead of the next request."""
    aside: bool = False
    """Whether Codex makes the request for itself, outside any turn, such as for the session's title."""

    @property
    def completes(self) -> bool:
        """Whether the response ends regularly and reports its usage."""
        return not any(isinstance(move, Fail | Break) for move in self.moves)


class ScriptedModel:
    """Serves `replies` in order, one per request, and repeats the last one; keeps every request.

    A reply with `to` is served once, to a request whose conversation contains that text, so that a subagent's requests
    get their own replies. Use it as a context manager: it listens on a free loopback port while the block runs.
    """

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._in_order = [reply for reply in replies if reply.to is None]
        self._awaited = [reply for reply in replies if reply.to is not None]
        self._served: list[Reply] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """The `base_url` for Codex's provider configuration."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def reported(self) -> list[Usage]:
        """The usage of every completed response of a turn so far, in the order of the requests."""
        with self._lock:
            return [reply.usage for reply in self._served if reply.completes and not reply.aside]

    def take(self, request: dict[str, Any]) -> tuple[int, Reply]:
        """Keep a request; returns its number and its reply."""
        with self._lock:
            conversation = _user_text(request)
            reply = next((reply for reply in self._awaited if reply.to and reply.to in conversation), None)
            if reply is not None:
                self._awaited.remove(reply)
            else:
                reply = self._in_order[0]
                self._in_order = self._in_order[1:] or self._in_order
            self.requests.append(request)
            self._served.append(reply)
            return len(self.requests) - 1, reply

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def codex_config(base_url: str, project: str, version: str) -> str:
    """The config.toml for this version of Codex: uses the model at `base_url` and trusts `project`."""
    minor = int(version.split(".")[1])
    # Codex offers tools by model: these models get a shell and apply_patch.
    model = "gpt-5.5" if minor >= 140 else "gpt-5.4"
    return (
        f'model = "{model}"\n'
        'model_provider = "scripted"\n'
        "\n"
        "[model_providers.scripted]\n"
        'name = "scripted"\n'
        f'base_url = "{base_url}"\n'
        'wire_api = "responses"\n'
        "supports_websockets = false\n"
        "request_max_retries = 0\n"
        "stream_max_retries = 0\n"
        "\n"
        "[features]\n"
        "enable_request_compression = false\n"
        "\n"
        f"[projects.{json.dumps(project)}]\n"
        'trust_level = "trusted"\n'
    )


def demo_turn() -> list[Reply]:
    """The demo's replies: run a program that is missing, add it with a patch, run it again."""
    patch = '*** Begin Patch\n*** Add File: hello.py\n+print("Hello from Codex")\n*** End Patch\n'
    return [
        Reply([Shell("python3 hello.py")], Usage(input_tokens=4_210, output_tokens=96, reasoning_tokens=64)),
        Reply([Patch(patch)], Usage(input_tokens=4_480, cached_tokens=4_096, output_tokens=71, reasoning_tokens=12)),
        Reply([Shell("python3 hello.py")], Usage(input_tokens=4_630, cached_tokens=4_352, output_tokens=24)),
        Reply(
            [Say("hello.py was missing; I added it, and it runs.")],
            Usage(input_tokens=4_700, cached_tokens=4_608, output_tokens=19),
        ),
    ]


DEMO_PROMPT = "Run hello.py, and add it if it is missing."


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; otherwise each answer waits 40 ms for an acknowledgement

    def __init__(self, model: ScriptedModel, *connection: Any) -> None:
        self._model = model
        super().__init__(*connection)  # handles the connection's requests

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the terminal shows the demo."""

    def do_GET(self) -> None:
        self._answer(404, b"{}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.endswith("/responses"):
            self._answer(404, b"{}")
            return
        request = json.loads(body)
        number, reply = self._model.take(request)
        if reply.wait:
            threading.Event().wait(reply.wait)
        failure = next((move for move in reply.moves if isinstance(move, Fail)), None)
        if failure is not None:
            self._answer(failure.status, b'{"error": {"message": "scripted failure"}}')
        else:
            self._stream(_events(request, number, reply))

    def _stream(self, events: Iterator[dict[str, Any]]) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            for event in events:
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
        except OSError:
            return  # the user interrupted the turn, and Codex closed the connection

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _events(request: dict[str, Any], number: int, reply: Reply) -> Iterator[dict[str, Any]]:
    response_id = f"resp_{number}"
    yield {"type": "response.created", "response": {"id": response_id}}
    for index, move in enumerate(reply.moves):
        if isinstance(move, Break):
            return
        if isinstance(move, Pause):
            threading.Event().wait(move.seconds)
            continue
        item = _item(request, f"{number}_{index}", move)
        if isinstance(move, Say):
            yield {"type": "response.output_item.added", "output_index": index, "item": {**item, "content": []}}
            yield {
                "type": "response.output_text.delta",
                "item_id": item["id"],
                "output_index": index,
                "content_index": 0,
                "delta": move.text,
            }
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    done = {"id": response_id, "status": "completed", "output": [], "usage": reply.usage.to_wire()}
    yield {"type": "response.completed", "response": done}


def _user_text(request: dict[str, Any]) -> str:
    """The text of the user's messages (or of a subagent's task) in the request's conversation."""
    messages = [item for item in request.get("input", []) if item.get("role") == "user"]
    parts = [part for item in messages for part in item.get("content", []) if isinstance(part, dict)]
    return "\n".join(part.get("text", "") for part in parts)


def _item(request: dict[str, Any], name: str, move: Move) -> dict[str, Any]:
    """The output item for a move; `name` makes its ids unique."""
    offered = {tool.get("name"): tool for tool in request.get("tools", []) if isinstance(tool, dict)}
    match move:
        case Say(text):
            return _message(name, text)
        case Shell(command):
            tool = next((tool for tool in _SHELL_TOOLS if tool in offered), "exec_command")
            return _function(name, tool, {_SHELL_TOOLS[tool]: command})
        case Patch(text):
            return _patch(name, text, offered)
        case Call(tool, arguments, namespace):
            item = _function(name, tool, _with_outputs(request, arguments))
            # Older versions offer the tool itself.
            return {**item, "namespace": namespace} if namespace and tool not in offered else item
        case Program(tool, text):
            return _custom(name, tool, text)
        case Item(fields):
            return {"id": f"item_{name}", **fields}
        case _:
            raise AssertionError(f"{move} has no output item")


def _message(name: str, text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "id": f"msg_{name}",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def _patch(name: str, text: str, offered: Mapping[str | None, dict[str, Any]]) -> dict[str, Any]:
    """Call apply_patch as Codex offers it: a custom tool, or a function in older versions."""
    if offered.get("apply_patch", {}).get("type", "custom") == "custom":
        return _custom(name, "apply_patch", text)
    return _function(name, "apply_patch", {"input": text})


def _with_outputs(request: dict[str, Any], value: Any) -> Any:
    """Replace every `Told` in an argument by the tool output it names; digits become a number."""
    if isinstance(value, dict):
        return {key: _with_outputs(request, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_outputs(request, inner) for inner in value]
    if not isinstance(value, Told):
        return value
    outputs = [json.dumps(item["output"]).replace('\\"', '"') for item in request["input"] if "output" in item]
    found = re.findall(value.pattern, "\n".join(outputs))
    last = found[-1] if found else ""
    return int(last) if last.isdigit() else last


def _function(name: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{name}",
        "call_id": f"call_{name}",
        "status": "completed",
        "name": tool,
        "arguments": json.dumps(arguments),
    }


def _custom(name: str, tool: str, text: str) -> dict[str, Any]:
    return {
        "type": "custom_tool_call",
        "id": f"ctc_{name}",
        "call_id": f"call_{name}",
        "status": "completed",
        "name": tool,
        "input": text,
    }
