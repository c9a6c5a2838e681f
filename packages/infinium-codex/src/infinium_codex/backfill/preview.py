"""Builds the traces of a session as they would be sent, and sends nothing."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from infinium_trace import Session, Trace, Turn
from infinium_transport import InfiniumTransportError, StateDirectory
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.backfill.projects import TracedProject
from infinium_codex.backfill.turn_reader import TurnReader
from infinium_codex.backfill.turns import FoundSession, FoundTurn
from infinium_codex.codex.agent import CODEX
from infinium_codex.session.known_traces import KnownTraces, TraceState
from infinium_codex.session.plan import TIMED_OUT, select_turns
from infinium_codex.session.reader import read_session
from infinium_codex.session.recipients import Recipients
from infinium_codex.session.trace_builder import Tracer
from infinium_codex.support.paths import Places
from infinium_codex.support.settings import load_settings

_MARKER = re.compile(rb"\[redacted:([a-z0-9-]+)\]")


class Preview(Struct, frozen=True, kw_only=True):
    """One trace as it would be sent."""

    key: str
    name: str
    body: bytes
    """Exactly what would be sent."""
    agent_id: str
    base_url: str
    kind: str
    """`turn` or `session`."""
    origin: str
    """What the trace is built from, or where its bytes are."""
    original: bytes | None = None
    """The same trace without redaction; None unless it was asked for."""

    @property
    def redactions(self) -> Mapping[str, int]:
        """Number of redacted values by kind."""
        return dict(sorted(Counter(kind.decode() for kind in _MARKER.findall(self.body)).items()))


class PreviewBuilder:
    """Builds the previews of one session."""

    def __init__(
        self,
        places: Places,
        environ: Mapping[str, str],
        state: StateDirectory,
        known: KnownTraces,
        session: FoundSession,
        scratch: Path,
        *,
        with_original: bool,
    ) -> None:
        """`scratch` is an empty directory. `with_original` builds each trace without redaction as well."""
        self._places, self._environ, self._state, self._known = places, environ, state, known
        self._session, self._scratch, self._with_original = session, scratch, with_original

    def turn(self, turn: FoundTurn, project: TracedProject) -> Preview | None:
        """Return the trace of a turn; None if the turn has no content.

        A queued trace is what will be sent. A turn that hooks recorded is built from their events, as its worker does;
        any other one from the transcript alone, as `backfill` does.
        """
        queued = self._queued(turn.key)
        if queued is not None and not self._with_original:
            return queued
        if turn.known is not None and turn.known.state is TraceState.RECORDED:
            found = self._recorded(turn.span.turn_id)
            if found is not None:
                return found
        for read in self._reader().read(frozenset([turn.span.turn_id])):
            tracer = project.tracer_of(self._id, backfilled=True)
            built = self._built(tracer, read.session, read.turn, "the transcript")
            return built if queued is None else replace(queued, original=built.original)
        return queued

    def summary(self, turns: list[FoundTurn], project: TracedProject) -> Preview | None:
        """Return the summary of these turns, as `backfill` builds it; None if they have no content."""
        tracer = project.tracer_of(self._id, backfilled=True)
        wanted = frozenset(turn.span.turn_id for turn in turns)
        bodies = []
        for each in (tracer, _unredacted(tracer)) if self._with_original else (tracer,):
            summary = each.summary()
            for read in self._reader().read(wanted):
                summary.add(read.session, (read.turn,))
            if summary.first_turn_id is None:
                return None
            bodies.append(summary.build())
        return _preview(tracer, bodies[0], "session", "the transcript", bodies[1].body if bodies[1:] else None)

    @property
    def _id(self) -> str:
        return self._session.file.session_id

    def _reader(self) -> TurnReader:
        file = self._session.file
        return TurnReader(CODEX, file.path, self._session.spans, self._scratch, self._session.reviews)

    def _queued(self, key: str) -> Preview | None:
        found = next((trace for trace in self._state.outbox.pending() if trace.key == key), None)
        if found is None:
            return None
        try:
            envelope = self._state.outbox.read(found)
        except InfiniumTransportError:  # sent meanwhile
            return None
        return Preview(
            key=key,
            name=envelope.name,
            body=envelope.body,
            agent_id=envelope.agent_id,
            base_url=envelope.base_url,
            kind="turn",
            origin="the queue",
        )

    def _recorded(self, turn_id: str) -> Preview | None:
        """The trace that the session's worker would build now from the events that hooks recorded."""
        for files in self._known.files_of(self._id):
            checkpoint = files.load_checkpoint()
            reading = read_session(CODEX, files.spool, checkpoint.next_turn, checkpoint, patience=0.0)
            if turn_id not in reading.hook_turns or reading.cwd is None:
                continue
            settings = load_settings(self._places, Path(reading.cwd), self._environ)
            if settings is None:
                continue
            recipients = Recipients(CODEX.program, self._id, self._places, self._environ, settings, checkpoint)
            recipients.learn(reading)
            recipient = recipients.of(turn_id)
            selection = select_turns(reading, end_reason=None)
            if turn_id in selection.open:
                selection = select_turns(reading, end_reason=TIMED_OUT)
            turn = next((turn for turn in selection.closed if turn.id == turn_id), None)
            if recipient is not None and turn is not None:
                return self._built(recipient.tracer, selection.session, turn, "hook events and the transcript")
        return None

    def _built(self, tracer: Tracer, session: Session, turn: Turn, origin: str) -> Preview:
        original = None
        if self._with_original:
            original = self._alone(_unredacted(tracer)).build_turn(session, turn).body
        return _preview(tracer, self._alone(tracer).build_turn(session, turn), "turn", origin, original)

    def _alone(self, tracer: Tracer) -> Tracer:
        """The tracer with a copy of the snapshots of checkouts, which it replaces by newer ones."""
        copy = self._scratch / "snapshots"
        shutil.rmtree(copy, ignore_errors=True)
        if self._places.snapshots.is_dir():
            shutil.copytree(self._places.snapshots, copy)
        return replace(tracer, snapshots=copy)


def _unredacted(tracer: Tracer) -> Tracer:
    """The tracer without redaction. The secrets of the connector itself are removed all the same."""
    return replace(tracer, options=replace(tracer.options, redaction="off"))


def _preview(tracer: Tracer, trace: Trace, kind: str, origin: str, original: bytes | None) -> Preview:
    return Preview(
        key=trace.key,
        name=trace.name,
        body=trace.body,
        agent_id=tracer.recipient.agent_id,
        base_url=tracer.recipient.base_url,
        kind=kind,
        origin=origin,
        original=original,
    )
