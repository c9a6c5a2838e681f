"""Read the recordings of real sessions, which `nox -s record` makes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.threads import thread_id
from infinium_codex.codex.transcript.reader import Transcript
from infinium_trace import Event, PriceTable, TraceContext, TraceOptions, build_turn_trace, fold

ROOT = Path(__file__).parent / "recordings"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded session of one version of Codex, with its forks and subagents."""

    path: Path

    def __str__(self) -> str:
        return f"{self.path.parent.name}-{self.path.name}"

    @property
    def version(self) -> str:
        """Codex's version."""
        return self.path.parent.name

    @property
    def transcript(self) -> Path:
        """The transcript. The file is absent for an ephemeral session."""
        return self.path / "transcript.jsonl"

    @property
    def about(self) -> dict[str, Any]:
        """The content of recording.json: Codex's version, and the token usage that the model server reported."""
        found = json.loads((self.path / "recording.json").read_text("utf-8"))
        assert isinstance(found, dict)
        return found

    def hook_events(self) -> list[tuple[int, dict[str, Any]]]:
        """The time of each hook call (epoch milliseconds) and its payload."""
        lines = (self.path / "events.jsonl").read_text("utf-8").splitlines()
        return [(record["at_ms"], record["payload"]) for record in map(json.loads, lines)]

    @property
    def sessions(self) -> list[str]:
        """The ids of the sessions in the hook payloads, in order of appearance."""
        return list(dict.fromkeys(str(payload["session_id"]) for _, payload in self.hook_events()))

    def transcript_of(self, thread: str) -> Path:
        """The transcript of a session, a fork or a subagent."""
        return self.transcript if thread == self.sessions[0] else self.path / f"thread-{thread}.jsonl"

    def events(self, session: str | None = None) -> list[Event]:
        """The neutral events of a session, by default the first, from its hooks and transcripts."""
        session = session or self.sessions[0]
        found: list[Event] = []
        further: set[str] = set()
        for at_ms, payload in self.hook_events():
            if payload["session_id"] == session:
                call = CODEX.translate(self._placed(payload), at_ms)
                found += call.events
                further |= {call.turn_transcript} if call.turn_transcript is not None else set()
        for transcript in (self.transcript_of(session), *map(Path, sorted(further))):
            found += Transcript(transcript).read()
        agents = sorted({event.subagent_id for event in found if event.subagent_id is not None})
        for agent in agents:
            found += Transcript(self.transcript_of(agent), subagent_id=agent).read()
        return found

    def _placed(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Return the payload with its transcript where the recording has it."""
        thread = thread_id(str(payload.get("transcript_path")))
        return payload if thread is None else {**payload, "transcript_path": str(self.transcript_of(thread))}

    def spawned_by(self, session: str) -> str | None:
        """The id of the session that spawned this one, if it is a subagent's."""
        return fold(self.events(session)).spawned_by

    @property
    def own_sessions(self) -> list[str]:
        """The ids of the sessions that are no subagent's."""
        return [session for session in self.sessions if self.spawned_by(session) is None]

    def payloads(self, session: str | None = None) -> list[dict[str, Any]]:
        """The payload of every turn of a session."""
        folded = fold(self.events(session))
        return [json.loads(build_turn_trace(folded, turn, CONTEXT, OPTIONS).body) for turn in folded.turns]


CONTEXT = TraceContext(session_id="session", runtime="CPython 3.11.0")
OPTIONS = TraceOptions(program="codex", version="2.0.0", prices=PriceTable())


def recordings(scenario: str = "*") -> list[Recording]:
    """The recordings of a scenario, oldest version first."""
    found = [Recording(path.parent) for path in ROOT.glob(f"*/{scenario}/recording.json")]
    return sorted(found, key=lambda one: (tuple(map(int, one.path.parent.name.split("."))), one.path.name))


def recording(version: str, scenario: str) -> Recording:
    """One recording."""
    return Recording(ROOT / version / scenario)
