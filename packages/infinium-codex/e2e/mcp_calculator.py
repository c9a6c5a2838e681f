"""A Model Context Protocol server on stdin and stdout with two tools: one adds, one fails."""

import json
import sys
from typing import Any

_NUMBERS = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
_TOOLS = [
    {"name": "add", "description": "Add two numbers.", "inputSchema": _NUMBERS},
    {"name": "divide", "description": "Divide two numbers.", "inputSchema": _NUMBERS},
]


def answer(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """The result of one request."""
    if method == "initialize":
        return {
            "protocolVersion": parameters.get("protocolVersion", "2025-06-18"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "calculator", "version": "1.0"},
        }
    if method == "tools/list":
        return {"tools": _TOOLS}
    if method == "tools/call":
        a, b = parameters["arguments"]["a"], parameters["arguments"]["b"]
        if parameters["name"] == "add":
            return {"content": [{"type": "text", "text": str(a + b)}]}
        return {"content": [{"type": "text", "text": "division by zero"}], "isError": True}
    return {}


def main() -> None:
    """Answer requests, one JSON object per line, until stdin ends."""
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            result = answer(request["method"], request.get("params") or {})
            print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
