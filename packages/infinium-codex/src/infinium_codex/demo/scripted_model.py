"""A model server on loopback that answers Codex with a script, so a real turn needs no account and no network.

It speaks the part of the Responses API that Codex uses: ``POST /v1/responses`` answered with server-sent events.
Tools are called by the name the running Codex offers them under, which differs between versions.
"""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from msgspec import Struct, field

_SHELL_TOOLS = {"exec_command": "cmd", "shell_command": "command"}


class Usage(Struct, frozen=True, kw_only=True):
    """Tokens the server reports for one response, as the Responses API counts them."""

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
    """The model says something."""

    text: str


class Shell(Struct, frozen=True):
    """The model runs a shell command."""

    command: str


class Patch(Struct, frozen=True):
    """The model applies a patch in Codex's patch format."""

    text: str


class Told(Struct, frozen=True):
    """An argument the model takes from the last tool output that matches: the pattern's first group."""

    pattern: str


class Call(Struct, frozen=True):
    """The model calls a function tool by name; an argument may be what a tool `Told`."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)
    namespace: str | None = None


class Program(Struct, frozen=True):
    """The model calls a custom tool with free text, such as Code Mode's `exec` with a program."""

    name: str
    text: str


class Item(Struct, frozen=True):
    """The model gives an output item of any other kind, such as a `web_search_call`."""

    fields: dict[str, Any]


class Pause(Struct, frozen=True):
    """The server lets seconds pass before it streams the next move."""

    seconds: float


class Fail(Struct, frozen=True):
    """The server answers with an HTTP error instead of a response."""

    status: int = 500


class Break(Struct, frozen=True):
    """The stream ends here, without the response's completion: nothing is reported."""


Move = Say | Shell | Patch | Call | Program | Item | Pause | Fail | Break


class Reply(Struct, frozen=True):
    """One response of the model: what it does, and the usage it reports."""

    moves: Sequence[Move]
    usage: Usage
    wait: float = 0.0
    """Seconds the server lets pass before it answers."""
    to: str | None = None
    """Words of the user's (or of whoever spawned a subagent) this answers, rather than the next request in order."""

    aside: bool = False
    """Codex asks it for itself (a title for the session), outside of any turn."""

    @property
    def completes(self) -> bool:
        """Whether the response gets to its end, and so to reporting its usage."""
        return not any(isinstance(move, Fail | Break) for move in self.moves)


class ScriptedModel:
    """Serve `replies` in order, one a request, the last one again when they run out; remember every request.

    A reply with `to` waits for a request in whose conversation those words were said to the model, and is served once,
    in order among its like: so a subagent's requests get replies of their own. Use it as a context manager: it listens
    on a free port of the loopback interface while the block runs.
    """

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._in_order = [reply for reply in replies if reply.to is None]
        self._awaited = [reply for reply in replies if reply.to is not None]
        self._served: list[Reply] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """What Codex's provider configuration names as ``base_url``."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def reported(self) -> list[Usage]:
        """The usage of every turn's response that was completed so far, in the order of the requests."""
        with self._lock:
            return [reply.usage for reply in self._served if reply.completes and not reply.aside]

    def take(self, request: dict[str, Any]) -> tuple[int, Reply]:
        """Note the request and give its number and the reply to it."""
        with self._lock:
            said = _said_to_it(request)
            reply = next((reply for reply in self._awaited if reply.to and reply.to in said), None)
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
    """The `config.toml` with which this version of Codex talks to a model at `base_url` and trusts `project`."""
    minor = int(version.split(".")[1])
    # A version's catalogue decides which tools a model is offered: these are offered a shell and apply_patch.
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
    """The demo's story: a program that is missing, a patch that adds it, and a run that works."""
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


def _handler(model: ScriptedModel) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: else each answer waits 40 ms for an acknowledgement

        def log_message(self, format: str, *args: object) -> None:
            """Stay quiet: the terminal belongs to the demo."""

        def do_GET(self) -> None:
            self._answer(404, "application/json", b"{}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.endswith("/responses"):
                self._answer(404, "application/json", b"{}")
                return
            request = json.loads(body)
            number, reply = model.take(request)
            if reply.wait:
                threading.Event().wait(reply.wait)
            for move in reply.moves:
                if isinstance(move, Fail):
                    self._answer(move.status, "application/json", b'{"error": {"message": "scripted failure"}}')
                    return
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
                return  # the user interrupted the turn: Codex has hung up

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler


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


def _said_to_it(request: dict[str, Any]) -> str:
    """What the user, or whoever spawned this agent, has said in the request's conversation."""
    messages = [item for item in request.get("input", []) if item.get("role") == "user"]
    parts = [part for item in messages for part in item.get("content", []) if isinstance(part, dict)]
    return "\n".join(part.get("text", "") for part in parts)


def _item(request: dict[str, Any], name: str, move: Move) -> dict[str, Any]:
    offered = {tool.get("name"): tool for tool in request.get("tools", []) if isinstance(tool, dict)}
    match move:
        case Say(text):
            content = [{"type": "output_text", "text": text, "annotations": []}]
            return {
                "type": "message",
                "id": f"msg_{name}",
                "role": "assistant",
                "status": "completed",
                "content": content,
            }
        case Shell(command):
            tool = next((tool for tool in _SHELL_TOOLS if tool in offered), "exec_command")
            return _function(name, tool, {_SHELL_TOOLS[tool]: command})
        case Patch(text):
            if offered.get("apply_patch", {}).get("type", "custom") == "custom":
                return _custom(name, "apply_patch", text)
            return _function(name, "apply_patch", {"input": text})
        case Call(tool, arguments, namespace):
            item = _function(name, tool, _filled(request, arguments))
            return item | ({"namespace": namespace} if namespace else {})
        case Program(tool, text):
            return _custom(name, tool, text)
        case Item(fields):
            return {"id": f"item_{name}", **fields}
        case Pause() | Fail() | Break():
            raise AssertionError("these are no items of a response")


def _filled(request: dict[str, Any], value: Any) -> Any:
    """The value with everything a tool told in its place; a number stays a number."""
    if isinstance(value, dict):
        return {key: _filled(request, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(request, inner) for inner in value]
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
