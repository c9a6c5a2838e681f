"""Implements the protocol in `infinium_codex.agent` for Codex CLI."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from infinium_trace.events import Event, SessionStarted

from infinium_codex.agent import HookCall, HookNames, TranscriptPosition
from infinium_codex.codex.events import translate_hook
from infinium_codex.codex.hook_events import INTERRUPT, SESSION_END, STOP, SUBAGENT_STOP, USER_PROMPT_SUBMIT
from infinium_codex.codex.session_meta import recorded_kind
from infinium_codex.codex.threads import ThreadKind, thread_id
from infinium_codex.codex.transcript.file import readable
from infinium_codex.codex.transcript.position import Position, session_started
from infinium_codex.codex.transcript.reader import Transcript
from infinium_codex.support.files import first_line_checksum
from infinium_codex.support.json_fields import text
from infinium_codex.support.processes import is_held_open, own_processes, works_in

HOOK_START_SECONDS = 0.5
"""Part of a hook's timeout that the start of the hook takes, on a busy machine."""


class CodexTranscript:
    """A Codex transcript whose positions can be stored in a checkpoint."""

    def __init__(self, transcript: Transcript, head: int) -> None:
        self._transcript, self._head = transcript, head
        self.path = transcript.path

    @property
    def position(self) -> TranscriptPosition:
        """The position after the last event that was read."""
        return _encode(self._transcript.position, self._head)

    @property
    def turn_starts(self) -> Mapping[str, TranscriptPosition]:
        """The position before the first record of every turn that began in what was read."""
        return {turn: _encode(position, self._head) for turn, position in self._transcript.turn_starts.items()}

    def read(self) -> Iterator[Event]:
        """Yield the events of the records since the last call."""
        return self._transcript.read()


class Codex:
    """Codex CLI."""

    name = "Codex"
    program = "codex"
    reference = "infinium_codex.codex.agent:CODEX"
    hooks = HookNames(
        turn_started=USER_PROMPT_SUBMIT.name,
        turn_ended=(STOP.name, INTERRUPT.name, SESSION_END.name),
        subagent_ended=(SUBAGENT_STOP.name,),
        session_ended=SESSION_END.name,
        end_wait_seconds=SESSION_END.timeout_seconds - HOOK_START_SECONDS,
    )

    def translate(self, payload: Mapping[str, object], at_ms: int) -> HookCall:
        """Translate a hook payload. SubagentStop names the session's transcript, and the subagent's own from 0.140 on.

        The hooks of a subagent have no agent id on 0.131 to 0.136, those of a review on no version. Their transcript is
        not the session's.
        """
        path, session = text(payload, "transcript_path"), text(payload, "session_id")
        thread = thread_id(path) if path is not None and "agent_id" not in payload else None
        if path is not None and session is not None and thread not in (None, session):
            return self._translate_side_thread(payload, at_ms, session, path)
        return self._translate(payload, at_ms)

    def _translate_side_thread(
        self, payload: Mapping[str, object], at_ms: int, session: str, transcript: str
    ) -> HookCall:
        """Translate a payload of a thread in a session that another thread began."""
        kind = recorded_kind(transcript)
        if kind is ThreadKind.REVIEW:
            parent = self.find_subagent_transcript(Path(transcript), session)
            return HookCall(
                events=tuple(translate_hook(payload, at_ms)),
                cwd=text(payload, "cwd"),
                transcript_path=None if parent is None else str(parent),
                turn_transcript=transcript,
            )
        if kind is ThreadKind.OWN:
            return HookCall(events=())  # nobody asked for it: it is no turn of the user's, nor of a subagent
        if kind is ThreadKind.USER:
            return self._translate(payload, at_ms)
        return self._translate({**payload, "agent_id": thread_id(transcript)}, at_ms)

    def _translate(self, payload: Mapping[str, object], at_ms: int) -> HookCall:
        subagent_id, of_subagent = text(payload, "agent_id"), text(payload, "agent_transcript_path")
        return HookCall(
            events=tuple(translate_hook(payload, at_ms)),
            cwd=text(payload, "cwd"),
            subagent_id=subagent_id,
            transcript_path=(of_subagent if subagent_id else None) or text(payload, "transcript_path"),
        )

    @contextmanager
    def open_transcript(
        self,
        path: Path,
        start: TranscriptPosition,
        *,
        scratch: Path,
        subagent_id: str | None = None,
        wanted: frozenset[str] | None = None,
    ) -> Iterator[CodexTranscript | None]:
        """Open a transcript, also one that Codex has compressed or archived meanwhile."""
        with readable(path, start, scratch) as plain:
            if plain is None:
                yield None
                return
            head = first_line_checksum(plain)
            position = _decode(start) if head == start.head else None
            yield CodexTranscript(Transcript(plain, position, subagent_id=subagent_id, wanted=wanted), head)

    def session_start(self, position: TranscriptPosition) -> SessionStarted | None:
        """Return the session's start from `session_meta`, the transcript's first record. None if it was not read."""
        session = _decode(position).session
        return session_started(session) if session else None

    def find_subagent_transcript(self, transcript: Path, subagent_id: str) -> Path | None:
        """Find a subagent's transcript by the subagent's id; `transcript` is that of its session."""
        from infinium_codex.codex.session_files import find_thread_file  # few sessions need it

        return find_thread_file(transcript, subagent_id)

    def is_running(self, transcript: Path | None, cwd: Path) -> bool:
        """Return whether a process has the session open: Codex keeps its transcript open meanwhile.

        `codex exec --ephemeral` writes none. Then any Codex in the session's directory counts.
        """
        if transcript is not None:
            return is_held_open(transcript)
        from infinium_codex.codex.program import is_codex  # few sessions need it

        return any(is_codex(process.arguments) and works_in(process, cwd) for process in own_processes())


CODEX = Codex()


def _encode(position: Position, head: int) -> TranscriptPosition:
    return TranscriptPosition(offset=position.offset, head=head, state=msgspec.json.encode(position).decode())


def _decode(position: TranscriptPosition) -> Position:
    """Return the reader's own position; the start of the file if the stored state is not valid."""
    try:
        found = msgspec.json.decode(position.state, type=Position)
    except (ValueError, RecursionError):
        return Position()
    found.offset = position.offset
    return found
