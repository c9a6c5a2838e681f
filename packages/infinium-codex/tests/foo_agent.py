"""Foo: an agent that does not exist, and all that the connector needs to know about it.

Foo names its events and fields in its own way, and its transcript is a file of lines `turn TAB kind TAB value`.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from infinium_codex.agent import HookCall, HookNames, TranscriptPosition
from infinium_trace.events import (
    Event,
    EventSource,
    ModelResponded,
    SessionEnded,
    TokenUsage,
    TurnEnded,
    TurnStarted,
    TurnStatus,
)


class FooTranscript:
    """A log of Foo's, read forward."""

    def __init__(self, path: Path, start: TranscriptPosition) -> None:
        self.path, self.position = path, start
        self.turn_starts: dict[str, TranscriptPosition] = {}

    def read(self) -> Iterator[Event]:
        with self.path.open("rb") as file:
            file.seek(self.position.offset)
            for line in file:
                turn, kind, value = line.decode().strip().split("\t")
                self.turn_starts.setdefault(turn, self.position)
                self.position = TranscriptPosition(offset=self.position.offset + len(line))
                if kind == "tokens":
                    usage = TokenUsage(prompt=int(value), completion=1)
                    yield ModelResponded(
                        at_ms=0, source=EventSource.TRANSCRIPT, turn_id=turn, response_id=turn, usage=usage
                    )
                elif kind == "end":
                    yield TurnEnded(at_ms=0, source=EventSource.TRANSCRIPT, turn_id=turn, status=TurnStatus.COMPLETED)


class Foo:
    name = "Foo"
    program = "foo"
    reference = "foo_agent:FOO"
    hooks = HookNames(turn_started="asked", turn_ended=("answered", "closed"), session_id="conversation")

    def translate(self, payload: Mapping[str, object], at_ms: int) -> HookCall:
        directory = str(payload["directory"])
        while (Path(directory) / "hold").exists():  # so that a test can kill the worker here
            time.sleep(0.01)
        return HookCall(
            events=(self._event(payload, at_ms),), cwd=directory, transcript_path=str(payload.get("log") or "") or None
        )

    def _event(self, payload: Mapping[str, object], at_ms: int) -> Event:
        source, turn, text = EventSource.HOOK, str(payload.get("question")), str(payload.get("text"))
        match payload["event"]:
            case "asked":
                return TurnStarted(at_ms=at_ms, source=source, turn_id=turn, prompt=text)
            case "answered":
                return TurnEnded(
                    at_ms=at_ms, source=source, turn_id=turn, status=TurnStatus.COMPLETED, last_message=text
                )
            case _:
                return SessionEnded(at_ms=at_ms, source=source)

    @contextmanager
    def open_transcript(
        self,
        path: Path,
        start: TranscriptPosition,
        *,
        scratch: Path,
        subagent_id: str | None = None,
        wanted: frozenset[str] | None = None,
    ) -> Iterator[FooTranscript | None]:
        yield FooTranscript(path, start) if path.exists() else None

    def session_start(self, position: TranscriptPosition) -> None:
        return None

    def find_subagent_transcript(self, transcript: Path, subagent_id: str) -> None:
        return None

    def is_running(self, transcript: Path | None, cwd: Path) -> bool:
        return False


FOO = Foo()
