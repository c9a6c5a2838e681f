"""What this machine knows of a user's traces: sent, queued, rejected, dropped, summarized, or recorded by a hook."""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from infinium_transport import LOCAL, Entry, EntryKind, StateDirectory
from msgspec import Struct

from infinium_codex.capture.records import Record, read_records
from infinium_codex.delivery.projects import ROOT_LABEL
from infinium_codex.otlp.variables import OTLP_AGENT
from infinium_codex.session.files import SPOOL_SUFFIX, SessionFiles
from infinium_codex.support.json_fields import parse_object, text
from infinium_codex.support.paths import Places
from infinium_codex.support.spool_directories import find_spool_directories


class TraceState(StrEnum):
    """What became of a turn's trace."""

    SENT = "sent"
    LOCAL = "local"
    """Stored on this machine, as the settings say."""
    QUEUED = "queued"
    DEAD = "dead letter"
    DROPPED = "dropped"
    """Removed from the outbox because of its limits."""
    SUMMARIZED = "summarized"
    """Part of the summary of its session."""
    RECORDED = "recorded"
    """A hook recorded the turn; the worker traces it."""


class KnownTrace(Struct, frozen=True, kw_only=True):
    """The state of a trace."""

    state: TraceState
    at: float
    """When it got this state, in seconds since the epoch."""
    trace_id: str | None = None
    """The server's id."""
    reason: str = ""
    """Why it is a dead letter or was dropped."""


class KnownTraces:
    """The traces of this user, as ledger, outbox and spools have them now."""

    def __init__(self, places: Places, state: StateDirectory) -> None:
        self._spool_directories, self._state = find_spool_directories(places), state
        self._traces: dict[str, KnownTrace] = {}
        """By key and by turn id: an agent may record a turn in two threads, as some do for reviews."""
        self._summaries: dict[str, float] = {}
        self._errors: dict[str, list[tuple[float, str]]] = {}
        self._first: dict[str, float] = {}
        self._spools: dict[str, frozenset[str]] = {}
        self.begins = 0.0
        """When the ledger begins, in seconds since the epoch; 0 if nothing was removed from it."""
        self._read_ledger()
        self._read_outbox()

    def of(self, key: str, turn_id: str, session: str) -> KnownTrace | None:
        """Return the state of a turn's trace; None if nothing is known of it."""
        found = self._traces.get(key) or self._traces.get(turn_id)
        if found is None and turn_id in self.recorded_turns(session):
            return KnownTrace(state=TraceState.RECORDED, at=0.0)
        return found

    def is_known(self, key: str) -> bool:
        """Return whether a trace was queued, sent, rejected or dropped."""
        return key in self._traces

    def is_sent(self, key: str) -> bool:
        """Return whether a trace was sent, according to the ledger when this object was made."""
        found = self._traces.get(key)
        return found is not None and found.state in (TraceState.SENT, TraceState.LOCAL)

    def summarized_until(self, session: str) -> float:
        """Return when the last summary of a session was built, in seconds since the epoch; 0 if there is none."""
        return self._summaries.get(session, 0.0)

    def errors_of(self, session: str) -> list[tuple[float, str]]:
        """Return the errors that name a session: when (seconds since the epoch), and the message."""
        return self._errors.get(session, [])

    def first_of(self, project: Path) -> float | None:
        """Return when the ledger first names a project, in seconds since the epoch; None if it does not."""
        return self._first.get(str(project))

    def recorded_turns(self, session: str) -> frozenset[str]:
        """Return the turns of a session that hooks recorded and that are not traced yet."""
        if session not in self._spools:
            spools = [spool for files in self.files_of(session) for spool in (files.spool, files.removing)]
            self._spools[session] = frozenset(turn for spool in spools for turn in _turns_in(spool))
        return self._spools[session]

    def files_of(self, session: str) -> list[SessionFiles]:
        """Return the connector's files of a session, in each directory of spools that has any."""
        found = [SessionFiles(directory / f"{session}{SPOOL_SUFFIX}") for directory in self._spool_directories]
        return [files for files in found if files.existing]

    def _read_ledger(self) -> None:
        entries = self._state.ledger.entries()
        if entries and (self._state.ledger.directory / "ledger.old.jsonl").exists():
            self.begins = entries[-1].when
        for entry in reversed(entries):
            self._add(entry)
        for file in self._state.ledger.sent.glob("*.trace"):  # on a full disk no entry could be written
            self._traces.setdefault(file.stem, KnownTrace(state=TraceState.SENT, at=0.0))

    def _add(self, entry: Entry) -> None:
        if entry.agent_id == OTLP_AGENT:
            return  # spans of the turn, which are no trace at Infinium
        session, root = entry.labels.get("session", ""), entry.labels.get(ROOT_LABEL)
        if root:
            self._first.setdefault(root, entry.when)
        match entry.kind:
            case EntryKind.sent:
                here = entry.where == LOCAL
                self._know(
                    entry.key,
                    entry.labels.get("turn"),
                    KnownTrace(
                        state=TraceState.LOCAL if here else TraceState.SENT,
                        at=entry.when,
                        trace_id=None if here else entry.trace_id,
                    ),
                )
                self._note_summary(entry.labels.get("kind"), session, entry.when)
            case EntryKind.dead | EntryKind.dropped:
                state = TraceState.DEAD if entry.kind is EntryKind.dead else TraceState.DROPPED
                known = KnownTrace(state=state, at=entry.when, reason=entry.message)
                self._know(entry.key, entry.labels.get("turn"), known)
            case EntryKind.error if session:
                self._errors.setdefault(session, []).append((entry.when, entry.message))

    def _read_outbox(self) -> None:
        outbox = self._state.outbox
        for trace in outbox.pending():
            known = KnownTrace(state=TraceState.QUEUED, at=trace.created)
            header = outbox.read_header(trace)
            if header is not None and header.agent_id == OTLP_AGENT:
                continue
            labels = header.labels if header is not None else {}
            self._know(trace.key, labels.get("turn"), known)
            self._note_summary(labels.get("kind"), labels.get("session", ""), trace.created)

    def _know(self, key: str, turn_id: str | None, known: KnownTrace) -> None:
        before = self._traces.get(key)
        if before is not None and before.state in (TraceState.SENT, TraceState.LOCAL):
            known = before
        self._traces[key] = known
        if turn_id:
            self._traces[turn_id] = known

    def _note_summary(self, kind: str | None, session: str, when: float) -> None:
        if kind == "session" and session:
            self._summaries[session] = max(when, self._summaries.get(session, 0.0))


def _turns_in(spool: Path) -> Iterator[str]:
    """Yield the turns of which a spool has an event."""
    try:
        file = spool.open("rb")
    except OSError:
        return
    with file:
        for record in read_records(file):
            payload = parse_object(record.payload) if isinstance(record, Record) else None
            turn = text(payload, "turn_id") if payload is not None else None
            if turn is not None:
                yield turn
