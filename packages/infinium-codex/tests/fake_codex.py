"""A `codex` program that answers from a script, in the form recorded from the app-server of 0.169.0."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from machine import Machine

VERSION = "0.169.0"
_PROGRAM = """\
import json, pathlib, sys
path = pathlib.Path({script!r})
script = json.loads(path.read_text("utf-8"))
if sys.argv[1:] == ["--version"]:
    print("codex-cli", script["version"])
elif sys.argv[1:2] == ["app-server"]:
    for line in sys.stdin:
        with path.with_suffix(".asked").open("a") as asked:
            asked.write(line)
        question = json.loads(line)
        if question.get("method") in script["answers"]:
            answer = script["answers"][question["method"]]
            print(json.dumps({{"id": question["id"], **answer}}), flush=True)
        elif "id" in question:
            print(json.dumps({{"id": question["id"], "result": {{}}}}), flush=True)
"""


class FakeCodex:
    """Answers from a script that tests change. It reads hooks.json only when `list_hooks` is called."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._script = machine.root / "codex.json"
        self._document: dict[str, Any] = {"version": VERSION, "answers": {}}
        directory = machine.root / "codex-bin"
        directory.mkdir()
        self.program = directory / "codex"
        self.program.write_text(f"#!{sys.executable}\n{_PROGRAM.format(script=str(self._script))}", "utf-8")
        self.program.chmod(0o755)
        machine.environ["PATH"] = f"{directory}:{machine.environ['PATH']}"
        trusted = {"projects": {str(machine.project): {"trust_level": "trusted"}}}
        self.answer("config/read", {"config": trusted, "layers": []})
        self.answer("configRequirements/read", {"requirements": None})
        self.list_hooks()

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests so far, oldest first."""
        return [json.loads(line) for line in self._script.with_suffix(".asked").read_text("utf-8").splitlines()]

    def set_version(self, version: str) -> None:
        """Change the version that `codex --version` prints."""
        self._document["version"] = version
        self._write()

    def answer(self, method: str, result: Mapping[str, Any]) -> None:
        """Answer a method with this result from now on."""
        self._document["answers"][method] = {"result": result}
        self._write()

    def refuse(self, method: str, message: str) -> None:
        """Answer a method with an error from now on."""
        self._document["answers"][method] = {"error": {"code": -32603, "message": message}}
        self._write()

    def list_hooks(self, *more: Path, trust: str = "trusted", **of_event: Mapping[str, Any]) -> None:
        """List the hooks of the project and of `more` files with this trust; `of_event` has fields of single events."""
        hooks = [
            _listed(path, event, handler["command"], trust) | dict(of_event.get(event, {}))
            for path in (self.machine.hooks, *more)
            for event, handler in _handlers(path)
        ]
        self._list(hooks)

    def list_no_hooks(self, *warnings: str) -> None:
        """List no hooks, with these warnings."""
        self._list([], warnings)

    def _list(self, hooks: list[dict[str, Any]], warnings: Sequence[str] = ()) -> None:
        entry = {"cwd": str(self.machine.project), "hooks": hooks, "warnings": list(warnings), "errors": []}
        self.answer("hooks/list", {"data": [entry]})

    def _write(self) -> None:
        self._script.write_text(json.dumps(self._document), "utf-8")


def _handlers(path: Path) -> list[tuple[str, dict[str, Any]]]:
    if not path.exists():
        return []
    events = json.loads(path.read_text("utf-8"))["hooks"]
    return [(event, handler) for event, groups in events.items() for group in groups for handler in group["hooks"]]


def _listed(path: Path, event: str, command: str, trust: str) -> dict[str, Any]:
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in event).lstrip("_")
    return {
        "key": f"{path}:{snake}:0:0",
        "eventName": event[0].lower() + event[1:],
        "handlerType": "command",
        "command": command,
        "async": False,
        "matcher": None,
        "timeoutSec": 5,
        "statusMessage": None,
        "sourcePath": str(path),
        "source": "project",
        "pluginId": None,
        "displayOrder": 0,
        "enabled": True,
        "isManaged": trust == "managed",
        "currentHash": "sha256:55e0112a",
        "trustStatus": trust,
    }
