"""The costs of the worker: CPU of a turn in new and in long sessions, memory with long transcripts."""

import json
import shutil
from collections.abc import Iterator
from typing import Final

from machine import Machine
from processes import Usage, usage
from sessions import SESSION, Session

TURNS: Final = 3_000
BYTES_A_TURN: Final = 100 << 10
"""Spool and transcript together: 3,000 turns are 300 MiB."""


class Sessions:
    """Makes sessions on one machine and runs the worker on them."""

    def __init__(self, ours: Machine) -> None:
        self._ours = ours
        self._number = 0

    def new(self) -> Session:
        """A session without events."""
        self._number += 1
        transcript = self._ours.home / f"transcript-{self._number}.jsonl"
        spool = self._ours.spool(f"{SESSION[:-4]}{self._number:04d}")
        return Session(spool=spool, transcript=transcript, project=self._ours.project)

    def work(self, session: Session, **environ: str) -> Usage:
        """Run the worker as the hook starts it."""
        command = [*self._ours.worker_command, str(session.spool)]
        return usage(command, cwd=self._ours.project, environ={**self._ours.environ, **environ})

    def turn(self, *, tools: int) -> float:
        """CPU seconds for the first turn of a session."""
        session = self.new()
        session.append_turn(0, tools=tools, filler=2_000)
        spent = self.work(session)
        self.remove(session)
        return spent.cpu

    def growing(self, lengths: list[int], *, repeat: int = 3) -> Iterator[tuple[int, list[float]]]:
        """CPU seconds of a turn in a session with this many turns, all of them processed."""
        session = self.new()
        turn = 0
        for length in lengths:
            while turn < length - 1:
                session.append_turn(turn, tools=4, filler=BYTES_A_TURN // 8)
                turn += 1
            self.work(session, CONNECTOR_FLUSH_ON_STOP="false")
            spent = []
            for _ in range(repeat):
                session.append_turn(turn, tools=4, filler=2_000)
                turn += 1
                spent.append(self.work(session).cpu)
            yield length, spent
        self.remove(session)

    def long_transcript(self, size: int) -> float:
        """Peak MiB of reading a transcript of `size` bytes from its start, for one turn at its end."""
        session = self.new()
        filler = {"timestamp": "2026-01-01T00:00:00.000Z", "type": "response_item", "payload": {"type": "message"}}
        line = json.dumps({**filler, "payload": {"type": "message", "role": "user", "content": ["x" * 60_000]}}) + "\n"
        with session.transcript.open("w", encoding="utf-8") as file:
            for _ in range(size // len(line)):
                file.write(line)
        session.append_turn(1, tools=4, filler=2_000)
        peak = self.work(session).peak
        self.remove(session)
        return peak

    def summary(self, turns: int) -> float:
        """Peak MiB of summarizing a session with this many turns, none of them processed."""
        session = self.new()
        for turn in range(turns):
            session.append_turn(turn, tools=4, filler=3_000)
        session.end()
        peak = self.work(session, CONNECTOR_FLUSH_ON_STOP="false", CONNECTOR_FLUSH_ON_SESSION_END="true").peak
        self.remove(session)
        return peak

    def remove(self, session: Session) -> None:
        """Remove a session and its traces. What a worker finds on a machine in use stays."""
        for path in (session.transcript, *session.spool.parent.glob(f"{session.spool.stem}*")):
            path.unlink(missing_ok=True)
        for name in ("local", "ledger", "outbox"):
            shutil.rmtree(self._ours.state / name, ignore_errors=True)
