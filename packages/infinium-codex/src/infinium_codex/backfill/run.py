"""Sends the turns that have no trace yet, from Codex's transcripts.

Everything that is done is in the outbox or the ledger, under the key that the worker would use. So a run that was
killed continues where it stopped, and a turn that a worker traces meanwhile is not queued twice. Traces are queued in
batches, each sent before the next one is built, so that memory and outbox stay small.
"""

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from infinium_config import Settings
from infinium_config.locks import try_lock
from infinium_config.variables import session_ttl
from infinium_transport import InfiniumTransportError, Outbox, OutboxLimits, Put, StateDirectory
from msgspec import Struct, field
from msgspec.structs import replace

from infinium_codex.backfill.projects import Projects, TracedProject
from infinium_codex.backfill.turn_reader import TurnReader
from infinium_codex.backfill.turns import FoundSession, FoundTurn, Missing, SessionToRead, TurnFinder
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.program import codex_home
from infinium_codex.codex.session_files import ProjectDirectories
from infinium_codex.delivery.send import deliver_queued
from infinium_codex.delivery.stores import open_state
from infinium_codex.session.known_traces import KnownTraces
from infinium_codex.session.pause_log import PauseLog
from infinium_codex.session.trace_builder import Tracer
from infinium_codex.support.error_log import record_error
from infinium_codex.support.paths import Places
from infinium_codex.support.result import CommandError

BATCH_TRACES = 200
BATCH_BYTES = 16 << 20
MOST_QUEUED = 0.5
"""Part of the outbox's limits up to which traces are queued that cannot be sent now."""
BUSY_SECONDS = 30.0
"""How long to wait for another process that sends the same agent's traces."""
_POLL_SECONDS = 0.2


class Scope(Struct, frozen=True, kw_only=True):
    """Which turns are looked for."""

    directories: ProjectDirectories
    """The project of the working directory."""
    all_projects: bool = False
    since: float = 0.0
    """Earliest start of a turn, in seconds since the epoch."""
    session: str = ""
    """The beginning of the session's id."""


class Report(Struct, kw_only=True):
    """What a run did."""

    sessions: int = 0
    """Sessions that were looked at."""
    turns: int = 0
    """Turns in them."""
    missing: int = 0
    """Turns that had no trace and should have one."""
    queued: int = 0
    """Traces that this run queued, summaries included."""
    by_project: Counter[str] = field(default_factory=Counter)
    """Number of the traces by the project's directory."""
    untraceable: Counter[str] = field(default_factory=Counter)
    """Turns without a trace in directories without a project that can be traced, by the reason."""
    untraceable_sessions: int = 0
    """Sessions with such turns alone."""
    states: Counter[str] = field(default_factory=Counter)
    """Turns by state, before the run."""
    damaged: list[str] = field(default_factory=list)
    """Transcripts that cannot be read."""
    stopped: str = ""
    """Why the run ended before its end; empty if it did not."""


class Backfill:
    """One run."""

    def __init__(
        self,
        places: Places,
        environ: Mapping[str, str],
        settings: Settings,
        scope: Scope,
        *,
        dry_run: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`settings` are those of the working directory: the secret in the environment is that of their agent."""
        self._places, self._environ, self._settings, self._scope = places, environ, settings, scope
        self._dry_run, self._clock = dry_run, clock
        self._state: StateDirectory = open_state(places)
        self._known = KnownTraces(places, self._state)
        projects = Projects(places, environ, scope.directories)
        self._finder = TurnFinder(places, environ, self._known, projects, PauseLog(places).read(), clock=clock)
        # After a power cut, the next run builds what was lost again.
        self._fresh = Outbox(places.outbox, sent=self._state.ledger.was_sent, durable=False)
        self._fast = Outbox(places.outbox, sent=self._known.is_sent, durable=False)
        self._batch_traces = self._batch_bytes = 0
        self._scratch = places.state / "backfill"
        self.report = Report()

    def find(self) -> list[SessionToRead]:
        """Return the sessions to look at, the oldest first."""
        found = self._finder.sessions(codex_home(self._environ), since=self._scope.since, id_prefix=self._scope.session)
        return [session for session in found if self._is_wanted(session.file.meta.cwd)]

    def run(self, sessions: Sequence[SessionToRead], on_done: Callable[[int], object]) -> Report:
        """Queue and send what is missing in these sessions. `on_done` gets the number of sessions that are done.

        Raises CommandError while another process runs a backfill.
        """
        self._places.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = try_lock(self._places.state / "backfill.lock")
        if lock is None:
            raise CommandError("Another backfill is running.", "Wait until it has ended.")
        with lock:
            shutil.rmtree(self._scratch, ignore_errors=True)  # a run that was killed left it
            self._scratch.mkdir(mode=0o700)
            try:
                for number, session in enumerate(sessions, 1):
                    self._backfill(self._finder.read(session))
                    on_done(number)
                    if self.report.stopped:
                        break
                if not self._dry_run:
                    self._send()
            finally:
                shutil.rmtree(self._scratch, ignore_errors=True)
        return self.report

    def _is_wanted(self, directory: str | None) -> bool:
        return self._scope.all_projects or (directory is not None and self._scope.directories.contains(directory))

    def _backfill(self, session: FoundSession) -> None:
        report = self.report
        report.sessions += 1
        if session.damaged:
            report.damaged.append(str(session.file.path))
        turns = [turn for turn in session.turns if turn.span.started_ms >= self._scope.since * 1000]
        report.turns += len(turns)
        report.states.update(turn.state for turn in turns)
        untraced = [turn for turn in turns if self._is_missing(turn)]
        traceable = [turn for turn in untraced if isinstance(turn.project, TracedProject)]
        report.missing += len(traceable)
        report.untraceable.update(str(turn.project) for turn in untraced if not isinstance(turn.project, TracedProject))
        report.untraceable_sessions += bool(untraced) and not traceable
        self._queue_turns(session, traceable)
        if turns:
            self._queue_summaries(session)

    def _is_missing(self, turn: FoundTurn) -> bool:
        return turn.is_missing or (turn.missing is Missing.UNKNOWN and self._scope.since > 0)

    def _queue_turns(self, session: FoundSession, missing: list[FoundTurn]) -> None:
        wanted: dict[str, Tracer] = {}
        for turn in missing:
            assert isinstance(turn.project, TracedProject)
            if turn.project.settings.flush_on_stop.value:
                wanted[turn.span.turn_id] = turn.project.tracer_of(session.file.session_id, backfilled=True)
        if self._dry_run:
            self._count(wanted.values())
            return
        outbox = self._outbox_of(session)
        for read in self._reader(session).read(frozenset(wanted)) if wanted else ():
            tracer = replace(wanted[read.turn.id], outbox=outbox)
            trace = tracer.build_turn(read.session, read.turn)
            self._queued(tracer, tracer.queue(trace), len(trace.body))
            if self.report.stopped:
                return

    def _queue_summaries(self, session: FoundSession) -> None:
        """Queue one summary for each project that wants one, of all turns of the session that are in none yet."""
        summarized = self._known.summarized_until(session.file.session_id)
        groups: dict[str, list[FoundTurn]] = {}
        for turn in session.turns:
            project = turn.project
            if not isinstance(project, TracedProject) or not project.settings.flush_on_session_end.value:
                continue
            if turn.missing not in (Missing.PAUSED, Missing.RUNNING) and turn.ended_ms / 1000 > summarized:
                groups.setdefault(str(project.root), []).append(turn)
        if not self._is_idle(session):
            return
        for group in groups.values():
            # A session whose turns all have traces has or gets its summary from the worker.
            if any(self._is_missing(turn) for turn in group) and not self.report.stopped:
                self._queue_summary(session, group)

    def _queue_summary(self, session: FoundSession, turns: list[FoundTurn]) -> None:
        project = turns[0].project
        assert isinstance(project, TracedProject)
        tracer = project.tracer_of(session.file.session_id, backfilled=True)
        if self._dry_run:
            self._count([tracer])
            return
        summary = tracer.summary()
        for read in self._reader(session).read(frozenset(turn.span.turn_id for turn in turns)):
            summary.add(read.session, (read.turn,))
        if summary.first_turn_id is not None:
            trace = summary.build()
            tracer = replace(tracer, outbox=self._outbox_of(session))
            self._queued(tracer, tracer.queue(trace), len(trace.body))

    def _is_idle(self, session: FoundSession) -> bool:
        """Whether the session has ended: nothing was written for as long as a session times out, nor by a hook."""
        is_old = self._clock() - session.file.modified > session_ttl(self._environ)
        return is_old and not session.is_running and not self._known.recorded_turns(session.file.session_id)

    def _reader(self, session: FoundSession) -> TurnReader:
        return TurnReader(CODEX, session.file.path, session.spans, self._scratch, session.reviews)

    def _outbox_of(self, session: FoundSession) -> Outbox:
        """The outbox. Where a worker may be at work, it asks the ledger anew for each trace, which takes longer."""
        return self._fresh if self._known.files_of(session.file.session_id) else self._fast

    def _count(self, tracers: Iterable[Tracer]) -> None:
        for tracer in tracers:
            self.report.queued += 1
            self.report.by_project[str(tracer.recipient.project)] += 1

    def _queued(self, tracer: Tracer, put: Put, size: int) -> None:
        if put is not Put.queued:
            return
        self._count([tracer])
        self._batch_traces, self._batch_bytes = self._batch_traces + 1, self._batch_bytes + size
        if self._batch_traces >= BATCH_TRACES or self._batch_bytes >= BATCH_BYTES:
            self._send()

    def _send(self) -> None:
        """Send the batch. Stop the run if the outbox has too much that cannot be sent now."""
        self._batch_traces = self._batch_bytes = 0
        try:
            report = deliver_queued(self._places, self._settings)
            deadline = time.monotonic() + BUSY_SECONDS
            while report.busy and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                report = deliver_queued(self._places, self._settings)
        except InfiniumTransportError as error:
            record_error(self._places, "backfill", str(error))
            self.report.stopped = str(error)
            return
        limits = OutboxLimits()
        left = [trace.size for trace in self._state.outbox.pending()]
        if len(left) > limits.count * MOST_QUEUED or sum(left) > limits.size * MOST_QUEUED:
            reason = next((str(problem) for problem in report.problems), "another process is sending them")
            self.report.stopped = f"{len(left):,} traces are queued and cannot be sent now: {reason}"
