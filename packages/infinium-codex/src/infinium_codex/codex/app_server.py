"""Asks Codex itself, through `codex app-server`: JSON-RPC over stdin and stdout, one JSON object a line."""

import json
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import reduce
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import Self

from msgspec import Struct

from infinium_codex.codex.program import CodexProgram
from infinium_codex.support.json_fields import mapping, parse_object, text
from infinium_codex.version import VERSION

DEADLINE_SECONDS = 15.0
"""Limit for all calls of one process. A typical exchange takes 0.3 s."""


class AppServerError(Exception):
    """Codex's app-server did not start, did not answer or refused a call. The text includes Codex's own message."""


class HookState(Struct, frozen=True, kw_only=True):
    """A hook as Codex lists it (`hooks/list`)."""

    key: str
    """The hook's name in `hooks.state`: file, event and position."""
    event: str
    """The event's name as in hooks.json."""
    command: str
    source_path: str
    enabled: bool
    current_hash: str
    trust: str
    """managed, untrusted, trusted or modified."""

    @property
    def runs(self) -> bool:
        """Whether Codex will run it."""
        return self.enabled and self.trust in ("trusted", "managed")


class HookList(Struct, frozen=True, kw_only=True):
    """The hooks that Codex lists for one directory, with its warnings and errors."""

    hooks: tuple[HookState, ...]
    warnings: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


class AppServer:
    """A running app-server, as a context manager. Every wait has a limit, and the process ends with the block."""

    def __init__(self, codex: CodexProgram, cwd: Path, environ: Mapping[str, str]) -> None:
        self._command = [codex.path, "app-server"]
        self._cwd, self._environ = cwd, dict(environ)
        self._last_id = 0
        self._lines: Queue[bytes | None] = Queue()

    def __enter__(self) -> Self:
        self._deadline = time.monotonic() + DEADLINE_SECONDS
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self._cwd,
                env=self._environ,
            )
        except OSError as error:
            raise AppServerError(f"Could not start '{' '.join(self._command)}': {error}") from None
        self._reader = threading.Thread(target=self._read_lines, daemon=True)
        self._reader.start()
        try:
            client = {"name": "infinium-codex", "title": "infinium-codex", "version": VERSION}
            self.ask("initialize", {"clientInfo": client})
            self._send({"method": "initialized"})
        except AppServerError:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def ask(self, method: str, params: Mapping[str, object]) -> Mapping[str, object]:
        """Call a method and return its result. Raises AppServerError if Codex refuses or does not answer in time."""
        self._last_id += 1
        self._send({"id": self._last_id, "method": method, "params": params})
        while True:
            try:
                line = self._lines.get(timeout=max(self._deadline - time.monotonic(), 0.01))
            except Empty:
                raise AppServerError(f"Codex did not answer {method} within {DEADLINE_SECONDS:.0f} s") from None
            if line is None:
                raise AppServerError(f"Codex exited without answering {method}")
            answer = parse_object(line) or {}
            if answer.get("id") != self._last_id or "method" in answer:
                continue  # a notification, or a request by Codex
            if "error" in answer:
                reason = text(mapping(answer, "error"), "message") or "no reason given"
                raise AppServerError(f"Codex refused {method}: {reason}")
            return mapping(answer, "result")

    def list_hooks(self, project: Path) -> HookList:
        """Return the hooks that Codex lists for a directory. It lists none for an untrusted project."""
        data = self.ask("hooks/list", {"cwds": [str(project)]}).get("data")
        entry = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
        hooks = entry.get("hooks")
        states = [_hook_state(hook) for hook in hooks if isinstance(hook, dict)] if isinstance(hooks, list) else []
        return HookList(hooks=tuple(states), warnings=_texts(entry.get("warnings")), errors=_texts(entry.get("errors")))

    def user_value(self, *path: str) -> Mapping[str, object]:
        """Return a table of the user's config.toml by its keys; empty if there is none."""
        layers = self.ask("config/read", {"includeLayers": True}).get("layers")
        for layer in layers if isinstance(layers, list) else []:
            if isinstance(layer, dict) and text(mapping(layer, "name"), "type") == "user":
                return reduce(mapping, path, mapping(layer, "config"))
        return {}

    def write_config(self, edits: Mapping[str, object], *, replace: bool = False) -> None:
        """Write values to the user's config.toml by key path. None removes a value. Comments and order stay.

        A table is merged with the existing one, or replaces it with `replace`.
        """
        changes = [
            {"keyPath": path, "value": value, "mergeStrategy": "replace" if replace or value is None else "upsert"}
            for path, value in edits.items()
        ]
        self.ask("config/batchWrite", {"edits": changes, "reloadUserConfig": True})

    def _send(self, message: Mapping[str, object]) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise AppServerError(f"Codex exited before {message['method']} was sent: {error}") from None

    def _read_lines(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _stop(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):  # the process may have exited
            self._process.stdin.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(2)  # a grandchild may keep the pipe open: the thread then stays
        if not self._reader.is_alive():
            self._process.stdout.close()


def _hook_state(hook: Mapping[str, object]) -> HookState:
    event = text(hook, "eventName") or ""
    return HookState(
        key=text(hook, "key") or "",
        event=event[:1].upper() + event[1:],
        command=text(hook, "command") or "",
        source_path=text(hook, "sourcePath") or "",
        enabled=hook.get("enabled") is True,
        current_hash=text(hook, "currentHash") or "",
        trust=text(hook, "trustStatus") or "untrusted",
    )


def _texts(values: object) -> tuple[str, ...]:
    found: Sequence[object] = values if isinstance(values, list) else ()
    return tuple(value if isinstance(value, str) else text(value, "message") or json.dumps(value)
                 for value in found if isinstance(value, str | dict))  # fmt: skip
